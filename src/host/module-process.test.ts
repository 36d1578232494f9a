/** How a module process is started and how its ends are told apart, with small programs in its place. */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite, test } from 'node:test'
import { ModuleProcess } from './module-process.ts'

/** Runs a program as a module; `use` is given the process, its end is the result. */
async function run(program: string, use: (started: ModuleProcess) => void = () => undefined) {
  const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-process-'))
  try {
    const entry = path.join(folder, 'entry.mjs')
    writeFileSync(entry, program)
    const started = new ModuleProcess({ entry })
    use(started)
    // Its door has to be read, or its end is never seen.
    started.door.resume()
    return await started.ended
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const untilTheDoorCloses = `
  import net from 'node:net'
  new net.Socket({ fd: 3 }).resume()`

suite('module process', () => {
  test('each way to end is told apart', async () => {
    for (const [kind, program] of [
      ['asked', ''],
      ['bug', 'throw new Error("it was my fault")'],
      ['bug', 'process.exit(3)'],
      ['memory', 'process.abort()'],
      ['wall', 'process.kill(process.pid, "SIGSYS"); setInterval(() => undefined, 1000)'],
      ['killed', 'process.kill(process.pid, "SIGKILL"); setInterval(() => undefined, 1000)'],
      ['killed', 'process.kill(process.pid, "SIGSEGV"); setInterval(() => undefined, 1000)'],
    ] as const) {
      const end = await run(program)
      assert.equal(end.kind, kind, `${program} ${JSON.stringify(end)}`)
    }
  })

  test('closing the door ends it, and it is ended when it does not listen', async () => {
    const asked = await run(untilTheDoorCloses, (started) => void started.stop())
    assert.equal(asked.kind, 'asked')
    const deaf = await run('setInterval(() => undefined, 1000)', (started) => void started.stop())
    assert.equal(deaf.kind, 'killed')
  })

  test('it has one variable, for the allocator, no input, and no file outside its folder', async () => {
    const { kind, output } = await run(`
      import { readFileSync, fstatSync } from 'node:fs'
      process.stdout.write(Object.entries(process.env).join() + process.stdin.read() + ' ')
      try { readFileSync('/etc/passwd') } catch (error) { process.stdout.write(error.code) }`)
    assert.equal(kind, 'asked')
    assert.match(output, /^GLIBC_TUNABLES,glibc\.malloc[^,]*null ERR_ACCESS_DENIED$/)
  })

  test('what it prints is bounded and cannot move a cursor', async () => {
    const { output } = await run(`
      process.stdout.write('x'.repeat(1_000_000))
      process.stdout.write('\\x1b[2J\\n\\x00\\x9b\\u202eend')`)
    assert.match(output, /^x+\\x1b\[2J\\n\\x00\\xc2\\x9b\\xe2\\x80\\xaeend$/)
    assert(output.length < 8 * 1024 + 40)
  })
})
