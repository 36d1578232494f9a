/**
 * `./keyhold` as a process, the way a person or a script starts it, and what it said, ended with and
 * needed at most of memory.
 */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestServer } from '../server.ts'

export const program = path.join(import.meta.dirname, '../../keyhold')

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** Kilobytes, as far as the last look saw it. */
  readonly peakKb: number
}

export interface RunOptions {
  readonly cwd?: string
  readonly input?: string | Uint8Array
  readonly environment?: Readonly<Record<string, string>>
}

export function start(args: readonly string[], options: RunOptions = {}): ChildProcess {
  const env = { ...process.env, KEYHOLD_DATA: '', NO_COLOR: '1', ...options.environment }
  return spawn(program, [...args], { cwd: options.cwd, env, stdio: 'pipe' })
}

export async function keyhold(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = start(args, options)
  return finish(child, options.input ?? '')
}

/** Feeds the input, if any, and waits for the end. */
export async function finish(child: ChildProcess, input?: string | Uint8Array): Promise<Ran> {
  const texts = { stdout: '', stderr: '' }
  child.stdout?.setEncoding('latin1').on('data', (text: string) => (texts.stdout += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (texts.stderr += text))
  child.stdin?.on('error', () => undefined)
  if (input !== undefined) child.stdin?.end(input)
  let peakKb = 0
  const timer = setInterval(() => {
    peakKb = Math.max(peakKb, peakOf(child.pid))
  }, 10)
  const [code] = await once(child, 'close')
  clearInterval(timer)
  return { code, ...texts, peakKb }
}

function peakOf(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0)
  } catch {
    return 0
  }
}

/** A folder to work in, and commands that know the server. */
export class Desk implements Disposable {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'keyhold-desk-'))
  readonly #server: TestServer
  readonly #data: string

  constructor(server: TestServer, data?: string) {
    this.#server = server
    this.#data = data ?? server.folder
  }

  file(name: string): string {
    return path.join(this.folder, name)
  }

  get server(): TestServer {
    return this.#server
  }

  run(args: readonly string[], input?: string | Uint8Array): Promise<Ran> {
    const options = { cwd: this.folder, ...(input === undefined ? {} : { input }) }
    return keyhold(['--data', this.#data, ...args], options)
  }

  start(args: readonly string[]): ChildProcess {
    return start(['--data', this.#data, ...args], { cwd: this.folder })
  }

  /** The command must end with 0. */
  async ok(args: readonly string[], input?: string | Uint8Array): Promise<Ran> {
    const ran = await this.run(args, input)
    assert.equal(ran.code, 0, `keyhold ${args.join(' ')}: ${ran.code}\n${ran.stdout}${ran.stderr}`)
    return ran
  }

  /** As ok, with --json, and the JSON that it says. */
  async json(args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
    const { stdout } = await this.ok(['--json', ...args])
    assert.equal(stdout.trim().split('\n').length, 1, 'one line of JSON')
    return JSON.parse(stdout)
  }

  /** The command must end with this exit code, and name this error code in both of its forms. */
  async refused(args: readonly string[], exitCode: number, code: string): Promise<void> {
    const text = await this.run(args)
    const about = `keyhold ${args.join(' ')}\n${text.stdout}${text.stderr}`
    assert.equal(text.code, exitCode, about)
    assert.match(text.stderr, new RegExp(`^code:  ${code}\\b`, 'm'), about)
    const lines = text.stderr.trim().split('\n')
    assert(lines.filter((line) => /^(error|code|next):/.test(line)).length <= 3, about)
    const json = await this.run(['--json', ...args])
    assert.equal(json.code, exitCode)
    const last = json.stderr.trim().split('\n').at(-1) ?? ''
    assert.equal(JSON.parse(last).error.code, code)
    assert.equal(json.stdout, '')
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
