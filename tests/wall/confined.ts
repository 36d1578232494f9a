/**
 * Starts the test entry behind the wall, as the host starts the module, and speaks its line protocol.
 */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Duplex } from 'node:stream'
import type { WallReport } from '../../src/hsm/wall.ts'

const moduleFolder = path.join(import.meta.dirname, '../../src/hsm')

export class Confined implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #door: Duplex
  readonly #lines: AsyncIterator<string>
  readonly #ended: Promise<readonly [code: number | null, signal: NodeJS.Signals | null]>
  report: WallReport | undefined
  /** What it printed on standard output and standard error. */
  printed = ''

  private constructor(nodeFlags: readonly string[]) {
    const flags = [
      '--permission',
      '--allow-ffi',
      `--allow-fs-read=${moduleFolder}`,
      '--disable-warning=ExperimentalWarning',
      '--disable-warning=SecurityWarning',
    ]
    const entry = path.join(import.meta.dirname, 'entry.ts')
    const args = [...flags, path.join(moduleFolder, 'start.ts'), entry, ...nodeFlags]
    this.#child = spawn(process.execPath, args, {
      env: {},
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
    this.#door = this.#child.stdio[3] as Duplex
    this.#door.on('error', () => undefined)
    this.#lines = createInterface({ input: this.#door })[Symbol.asyncIterator]()
    this.#ended = once(this.#child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.printed += text
      })
    }
  }

  /** Resolves when the wall is up. */
  static async start(...nodeFlags: readonly string[]): Promise<Confined> {
    const confined = new Confined(nodeFlags)
    confined.report = (await confined.#answer()) as WallReport
    return confined
  }

  get pid(): number {
    assert(this.#child.pid !== undefined)
    return this.#child.pid
  }

  async ask(command: string): Promise<unknown> {
    this.#door.write(`${command}\n`)
    return this.#answer()
  }

  /** Asks for what ends the process. */
  async askToEnd(command: string): Promise<number | NodeJS.Signals | null> {
    this.#door.write(`${command}\n`)
    return this.end()
  }

  async end(): Promise<number | NodeJS.Signals | null> {
    const [code, signal] = await this.#ended
    return code ?? signal
  }

  async close(): Promise<number | NodeJS.Signals | null> {
    this.#door.end()
    return this.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  async #answer(): Promise<unknown> {
    const { value, done } = await this.#lines.next()
    assert(!done, `it ended: ${this.printed}`)
    return JSON.parse(value)
  }
}
