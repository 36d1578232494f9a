/**
 * Where the tour plays: a temporary folder with a domain and a server of its own. Commands are really
 * run, as processes, and shown as a person would type them with what they answer. Everything is gone
 * when it is disposed.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { clientError, systemCode } from '../../client/errors.ts'
import { dim, styled } from '../output.ts'
import { childrenOf } from './processes.ts'

const main = path.join(import.meta.dirname, '../main.ts')
const logCharactersMax = 16_384
/** Of an answer, in characters. */
const lineMax = 160

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface StageOptions {
  readonly write: (text: string) => void
  readonly signal: AbortSignal
}

/** A step did not do what it must. */
export class TourError extends Error {
  override readonly name = 'TourError'
  readonly code = 'TOUR_FAILED'
}

export class Stage implements AsyncDisposable {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'keyhold-tour-'))
  readonly #options: StageOptions
  #server: ChildProcess | undefined
  #log = ''

  constructor(options: StageOptions) {
    this.#options = options
  }

  #data = 'data'
  #lines: AsyncIterator<string> | undefined

  get data(): string {
    return path.join(this.folder, this.#data)
  }

  /** Another data folder from here on. */
  useData(name: string): void {
    this.#data = name
  }

  file(name: string): string {
    return path.join(this.folder, name)
  }

  say(text: string): void {
    this.#options.write(`  ${text}\n`)
  }

  /** As if somebody had typed it; what is not run by the tour itself is shown only. */
  show(line: string): void {
    this.#options.write(`  ${styled('cyan', `$ ${line}`, process.stdout)}\n`)
  }

  /** Until it is ready, or waits for custodians. @throws TourError when it does not come to that */
  async startServer(options: readonly string[] = ['--development']): Promise<void> {
    this.show(['./keyhold', 'serve', ...options].join(' '))
    const args = ['--json', 'serve', ...options, '--port', '0', '--data', this.data]
    const child = this.#spawn(process.execPath, ['--no-experimental-ffi', main, ...args])
    this.#server = child
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-logCharactersMax)
    })
    if (!child.stdout) throw new TourError('the server has no output')
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    await this.serverReady(options.includes('--locked') ? 'locked' : 'ready')
  }

  /** @throws TourError when the server ends before it says so */
  async serverReady(member: 'locked' | 'ready' = 'ready'): Promise<void> {
    for (;;) {
      const line = await this.#lines?.next()
      if (!line || line.done) throw new TourError(`the server did not start\n${this.#log}`)
      if (line.value.startsWith(`{"${member}":true`)) return
    }
  }

  async stopServer(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#server
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }

  /** The process that holds the keys: child of the server, which is a child of `serve`. */
  modulePid(): number {
    const serve = this.#server?.pid
    const [server] = serve === undefined ? [] : childrenOf(serve)
    const [module] = server === undefined ? [] : childrenOf(server)
    if (module === undefined) throw new TourError("the module's process was not found")
    return module
  }

  /** Runs a command of ours and shows it. @throws TourError when it ends with another code */
  async keyhold(args: readonly string[], expected = 0): Promise<Ran> {
    this.show(['./keyhold', ...args.map(quoted)].join(' '))
    const ran = await this.#run(process.execPath, ['--no-experimental-ffi', main, ...args])
    this.#showAnswer(ran)
    return this.#assertCode(ran, expected, `keyhold ${args[0] ?? ''}`)
  }

  /** Another program. Undefined when it is not installed. */
  async program(name: string, args: readonly string[]): Promise<Ran | undefined> {
    this.show([name, ...args.map(quoted)].join(' '))
    try {
      const ran = await this.#run(name, args)
      this.#showAnswer(ran)
      return this.#assertCode(ran, 0, name)
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopServer()
    rmSync(this.folder, { recursive: true, force: true })
  }

  #spawn(command: string, args: readonly string[]): ChildProcess {
    // No colours, no bars: what the commands say is shown between the lines of the tour.
    const env = { ...process.env, KEYHOLD_DATA: this.data, NO_COLOR: '1', FORCE_COLOR: undefined }
    return spawn(command, [...args], { cwd: this.folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  }

  async #run(command: string, args: readonly string[]): Promise<Ran> {
    const { signal } = this.#options
    if (signal.aborted) throw clientError('INTERRUPTED', 'stopped')
    const child = this.#spawn(command, args)
    const texts = { stdout: '', stderr: '' }
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (texts.stdout += text))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (texts.stderr += text))
    const [code] = await once(child, 'close')
    if (signal.aborted) throw clientError('INTERRUPTED', 'stopped')
    return { code: Number(code ?? -1), ...texts }
  }

  #showAnswer({ stdout, stderr }: Ran): void {
    for (const line of `${stdout}\n${stderr}`.split('\n')) {
      if (line.trim() === '') continue
      const shown = line.length > lineMax ? `${line.slice(0, lineMax)}…` : line
      this.#options.write(`    ${dim(shown, process.stdout)}\n`)
    }
  }

  #assertCode(ran: Ran, expected: number, what: string): Ran {
    if (ran.code === expected) return ran
    throw new TourError(`${what} ended with ${ran.code} instead of ${expected}: ${ran.stderr}`)
  }
}

function quoted(argument: string): string {
  return /^[\w./:=@,+-]+$/.test(argument) ? argument : `"${argument}"`
}
