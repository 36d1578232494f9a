/**
 * The wall, tried from inside by what an attacker would do there, and looked at from outside. The test
 * entry is the module's start with one extra command. Ends are told apart: the wall kills with SIGSYS, a
 * bug exits with 1, a lack of memory ends with SIGABRT.
 */

import assert from 'node:assert/strict'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { suite, test } from 'node:test'
import { Confined } from './confined.ts'
import { rawCalls } from './raw-calls.ts'
import { scriptAttacks } from './script-attacks.ts'

const isTried = process.platform === 'linux' && process.arch === 'x64'
const skip = isTried ? false : 'the wall is tried on Linux on x86-64'

/** Refused with EPERM: opening, looking for a file, threads. Everything else kills. */
const refusedCalls = new Set([
  ...['open', 'openat', 'openat2', 'creat', 'stat', 'statx', 'newfstatat', 'readlink'],
  ...['clone', 'clone3'],
])

/** Seconds of mixed load: ten minutes in the long run. */
const loadMs = process.env.KEYHOLD_LONG ? 600_000 : 3_000

suite('the wall', { skip, concurrency: 2 }, () => {
  test('is up within a second or so, and prints nothing', async (t) => {
    const started = performance.now()
    await using confined = await Confined.start()
    t.diagnostic(`from spawn to wall: ${Math.round(performance.now() - started)} ms`)
    assert.deepEqual(confined.report, {
      summary: 'kernel filter',
      filtered: true,
      dumpable: false,
      permissionsDropped: ['ffi', 'worker', 'fs.read'],
    })
    assert.equal(await confined.close(), 0)
    assert.equal(confined.printed, '')
  })

  test('every thread stands behind it, and none has a ring or a file open', async () => {
    await using confined = await Confined.start()
    const tasks = readdirSync(`/proc/${confined.pid}/task`)
    assert(tasks.length > 8, `${tasks.length} threads`)
    for (const task of tasks) {
      const status = readFileSync(`/proc/${confined.pid}/task/${task}/status`, 'utf8')
      assert.match(status, /^NoNewPrivs:\t1$/m)
      assert.match(status, /^Seccomp:\t2$/m)
      assert.match(status, /^Seccomp_filters:\t2$/m)
    }
    if (process.getuid?.() !== 0) return
    const links = readdirSync(`/proc/${confined.pid}/fd`).map((name) =>
      readlinkSync(`/proc/${confined.pid}/fd/${name}`),
    )
    for (const link of links) {
      assert.match(link, /^(\/dev\/null|(pipe|socket):\[\d+\]|anon_inode:\[event(poll|fd)\])$/)
    }
    assert.equal(links.filter((link) => link.startsWith('socket:')).length, 3)
  })

  test('whatever the module tries with Node is refused, and it works on', async () => {
    await using confined = await Confined.start()
    for (const name of Object.keys(scriptAttacks)) {
      const outcome = await confined.ask(`script ${name}`)
      assert.match(String(outcome), /^(ERR_|EPERM|EvalError)/, `${name}: ${outcome}`)
    }
    assert(Number(await confined.ask('load 200')) > 0)
    assert.equal(await confined.close(), 0)
  })

  test('files and threads by number are refused by the kernel, and it works on', async () => {
    await using confined = await Confined.start()
    for (const name of refusedCalls)
      assert.equal(await confined.ask(`raw ${name}`), 'errno 1', name)
    assert(Number(await confined.ask('load 200')) > 0)
    assert.equal(await confined.close(), 0)
  })

  for (const name of Object.keys(rawCalls).filter((call) => !refusedCalls.has(call))) {
    test(`${name} by number ends the process with SIGSYS`, async () => {
      await using confined = await Confined.start()
      assert.equal(await confined.askToEnd(`raw ${name}`), 'SIGSYS')
    })
  }
})

suite('behind the wall', { skip, concurrency: 2 }, () => {
  test(`mixed load runs clean for ${loadMs / 1000} s`, { timeout: loadMs + 60_000 }, async (t) => {
    await using confined = await Confined.start('--expose-gc')
    const rounds = Number(await confined.ask(`load ${loadMs}`))
    t.diagnostic(`${rounds} rounds`)
    assert(rounds > 1)
    assert.equal(await confined.close(), 0)
    assert.equal(confined.printed, '')
  })

  test('a bug exits with 1', async () => {
    await using confined = await Confined.start()
    await confined.ask('bug').catch(() => undefined)
    assert.equal(await confined.end(), 1)
    assert.match(confined.printed, /a bug/)
  })

  test('a bug in the worker ends the module with 1', async () => {
    await using confined = await Confined.start()
    await confined.ask('workerBug').catch(() => undefined)
    assert.equal(await confined.end(), 1)
  })

  test('a lack of memory ends with SIGABRT', async () => {
    await using confined = await Confined.start('--max-old-space-size=32')
    assert.equal(await confined.askToEnd('memory'), 'SIGABRT')
  })
})
