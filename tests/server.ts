/**
 * A real server process on a throwaway data folder, for tests that need more than one process, and
 * plain HTTPS requests to it that know nothing of our client. Everything is gone when it is disposed.
 */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'

const main = path.join(import.meta.dirname, '../src/server/main.ts')

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Readonly<Record<string, unknown>>
  readonly text: string
  readonly bytes: Buffer
}

export interface RequestOptions {
  /** Null sends no token; left out, the first administrator's. */
  readonly token?: string | null
  readonly headers?: Readonly<Record<string, string>>
}

interface Credentials {
  readonly address: string
  readonly authority: string
  readonly token: string
}

export class TestServer implements AsyncDisposable {
  readonly folder: string
  #child: ChildProcess | undefined
  #agent = new Agent()
  #credentials: Credentials | undefined
  #log = ''
  readonly #ownsFolder: boolean
  readonly #args: readonly string[]

  private constructor(folder: string, ownsFolder: boolean, args: readonly string[]) {
    this.folder = folder
    this.#ownsFolder = ownsFolder
    this.#args = args
  }

  /** Founds a development domain in a new folder, or goes on in a given one. */
  static async start(folder?: string, args: readonly string[] = []): Promise<TestServer> {
    const own = folder ?? path.join(mkdtempSync(path.join(tmpdir(), 'keyhold-test-')), 'data')
    const server = new TestServer(own, folder === undefined, args)
    await server.restart()
    return server
  }

  /** Starts the process; the one before must have ended. */
  async restart(): Promise<void> {
    const args = [
      '--no-experimental-ffi',
      main,
      '--data',
      this.folder,
      '--port',
      '0',
      '--development',
      ...this.#args,
    ]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-65_536)
    })
    const ended = once(child, 'exit').then(([code, signal]) => {
      throw new Error(`the server ended (${code ?? signal}) before it was ready\n${this.#log}`)
    })
    const ready = (async () => {
      for await (const line of createInterface({ input: child.stdout })) {
        if (line.startsWith('{') && JSON.parse(line).ready === true) return
      }
      await ended
    })()
    await Promise.race([ready, ended])
    ended.catch(() => undefined)
    child.stdout.resume()
    this.#credentials = JSON.parse(readFileSync(path.join(this.folder, 'client.json'), 'utf8'))
    this.#agent.destroy()
    this.#agent = new Agent({ keepAlive: true, ca: this.credentials.authority })
  }

  get credentials(): Credentials {
    assert(this.#credentials)
    return this.#credentials
  }

  get pid(): number {
    assert(this.#child?.pid)
    return this.#child.pid
  }

  /** What the process wrote to standard error, the last 64 KiB of it. */
  get log(): string {
    return this.#log
  }

  /** Process ids of the server's children: the module. */
  modulePids(): number[] {
    const file = `/proc/${this.pid}/task/${this.pid}/children`
    return existsSync(file)
      ? readFileSync(file, 'utf8').trim().split(' ').filter(Boolean).map(Number)
      : []
  }

  /** @throws Error when the connection fails; an answer of any status is an answer */
  async call(
    method: string,
    route: string,
    body?: unknown,
    options: RequestOptions = {},
  ): Promise<Answer> {
    const token = options.token === undefined ? this.credentials.token : options.token
    const payload =
      body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
    const sent = request(new URL(route, this.credentials.address), {
      method,
      agent: this.#agent,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(payload === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
        ...options.headers,
      },
    })
    sent.end(payload)
    const [response] = await once(sent, 'response')
    const pieces: Buffer[] = []
    for await (const piece of response) pieces.push(piece)
    const bytes = Buffer.concat(pieces)
    const text = bytes.toString('utf8')
    const isJson = /json/.test(String(response.headers['content-type'] ?? ''))
    return {
      status: response.statusCode,
      headers: response.headers,
      body: isJson ? JSON.parse(text) : {},
      text,
      bytes,
    }
  }

  /** As call, and the status must be the expected kind: 2xx. */
  async ok(
    method: string,
    route: string,
    body?: unknown,
    options: RequestOptions = {},
  ): Promise<Answer> {
    const answer = await this.call(method, route, body, options)
    assert(
      answer.status >= 200 && answer.status < 300,
      `${method} ${route}: ${answer.status} ${answer.text}`,
    )
    return answer
  }

  /** Signals the server and waits for its end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy()
    await this.stop('SIGTERM')
    if (this.#ownsFolder) rmSync(path.dirname(this.folder), { recursive: true, force: true })
  }
}
