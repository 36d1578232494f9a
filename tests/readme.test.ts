/**
 * Runs every command of README.md's `sh` blocks, in order, in a fresh copy of the repository. Two things
 * differ from a stranger's clone: the copy holds the files that git knows or would know, so that the
 * test also runs before a commit; and `npm ci` is replaced by a link to the modules that this run
 * already installed from the same lock file. `npm test` is not run: it would run this test again; nor is the
 * tour, which tests/cli/tour.test.ts runs.
 */

import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

const root = path.join(import.meta.dirname, '..')
const readyMs = 30_000

/** Lines of the blocks; a command that a README would never have is a failure of the test's own. */
function commandsOf(readme: string): string[] {
  return [...readme.matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
    .flatMap((block) => (block[1] ?? '').split('\n'))
    .filter((line) => line.trim() !== '')
}

function copyOfRepository(): string {
  const copy = mkdtempSync(path.join(tmpdir(), 'keyhold-readme-'))
  const args = ['ls-files', '-z', '-co', '--exclude-standard']
  const files = execFileSync('git', args, { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter(Boolean)
  for (const file of files) {
    mkdirSync(path.dirname(path.join(copy, file)), { recursive: true })
    cpSync(path.join(root, file), path.join(copy, file), { force: true })
  }
  symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'))
  return copy
}

class Reader implements AsyncDisposable {
  readonly folder = copyOfRepository()
  readonly #servers: ChildProcess[] = []
  readonly #exported: NodeJS.ProcessEnv = {}
  said = ''

  /** In a terminal of its own: stays. */
  async start(command: string, until: RegExp): Promise<void> {
    // A process group of its own, for Ctrl-C.
    const child = spawn('sh', ['-c', `exec ${command}`], { ...this.#options(), detached: true })
    this.#servers.push(child)
    child.stdout?.on('data', (bytes: Buffer) => (this.said += bytes.toString()))
    child.stderr?.on('data', (bytes: Buffer) => (this.said += bytes.toString()))
    await this.hear(until)
  }

  async hear(until: RegExp): Promise<void> {
    for (let waited = 0; waited < readyMs && !until.test(this.said); waited += 50) {
      assert(
        this.#servers.every(({ exitCode }) => exitCode === null),
        this.said,
      )
      await delay(50)
    }
    assert.match(this.said, until)
  }

  /** For all commands from here on. */
  export(name: string, value: string): void {
    this.#exported[name] = value
  }

  /** As in the second terminal. */
  async run(command: string): Promise<string> {
    const child = spawn('sh', ['-ec', command], this.#options())
    let text = ''
    child.stdout?.on('data', (bytes: Buffer) => (text += bytes.toString()))
    child.stderr?.on('data', (bytes: Buffer) => (text += bytes.toString()))
    const [code] = await once(child, 'close')
    assert.equal(code, 0, `${command}\n${text}\n${this.said}`)
    return text
  }

  #options() {
    const env: NodeJS.ProcessEnv = { ...process.env, KEYHOLD_DATA: undefined, ...this.#exported }
    // Node's runner marks its children; a stranger's shell does not.
    delete env.NODE_TEST_CONTEXT
    return {
      cwd: this.folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'],
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#servers) await interrupt(child)
    // npm may end before what it started.
    for (let waited = 0; waited < 5_000 && (await isTaken()); waited += 50) await delay(50)
    rmSync(this.folder, { recursive: true, force: true })
  }
}

async function interrupt(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'close')
  process.kill(-child.pid, 'SIGINT')
  await ended
}

/** Of the quick start, and of the real domain. */
const ports = [8443, 8444]

async function isTaken(): Promise<boolean> {
  return (await Promise.all(ports.map(portIsTaken))).includes(true)
}

async function portIsTaken(port: number): Promise<boolean> {
  const server = createServer()
  const taken = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(true)).listen(port, '127.0.0.1', () => resolve(false))
  })
  server.close()
  return taken
}

suite('README.md', { timeout: 300_000 }, () => {
  test('every command works in a fresh copy', async () => {
    assert(!(await isTaken()), `port ${ports.join(' or ')} is taken: stop what listens there`)
    await using reader = new Reader()
    const commands = commandsOf(readFileSync(path.join(reader.folder, 'README.md'), 'utf8'))
    assert(commands.length >= 8)
    for (const command of commands) {
      const [, name, value] = /^export (\w+)=(\S+)$/.exec(command) ?? []
      if (name !== undefined && value !== undefined) reader.export(name, value)
      else if (command === 'npm ci && npm start') await reader.start('npm start', /To stop: Ctrl-C/)
      else if (command.includes(' serve ')) await reader.start(command, /Keyhold is locked/)
      else if (command === 'npm ci && npm test' || command === './keyhold tour') continue
      else {
        const text = await reader.run(command)
        // Nobody types the next command before the server has started behind the open module.
        if (/^The module is open/m.test(text)) await reader.hear(/Keyhold is ready: .*:8444/)
      }
    }
    const file = (name: string) => readFileSync(path.join(reader.folder, name))
    assert(file('README.copy.md').equals(file('README.md')))
    assert(file('README.md.sig').length > 60)
    assert.match(reader.said, /DEVELOPMENT: /)
  })
})
