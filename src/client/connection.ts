/**
 * HTTPS to one server: a pool of kept connections, the server's authority as the only one trusted,
 * the token on every request, a deadline and a limit of size for every answer. What failed before it
 * could have done anything, or can be repeated without doing it twice, is tried again a few times;
 * everything else is not.
 */

import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import type { ServerPlace } from './config.ts'
import { ClientError, clientError, systemCode } from './errors.ts'

/** Larger than the largest batch's answer. */
const answerBytesMax = 16 * 1024 * 1024
const timeoutMsDefault = 60_000
const socketsMax = 64
const attemptsMax = 5
/** Before the second attempt; twice as long before each further one. */
const backoffMs = 50

export interface Exchange {
  readonly method: string
  /** With query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** JSON. */
  readonly body?: string | undefined
  /** Not JSON: the body is handed on as it is. */
  readonly raw?: 'text' | 'bytes' | undefined
  /** Asking twice does no more than asking once. */
  readonly repeatable: boolean
}

export interface Answer {
  readonly status: number
  readonly etag: string | undefined
  /** Parsed JSON, undefined when there is none; or what was asked for raw. */
  readonly body: unknown
}

interface RawAnswer {
  readonly response: IncomingMessage
  readonly bytes: Buffer
}

export interface ConnectionOptions {
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export class Connection implements Disposable {
  readonly #config: ServerPlace & { readonly token?: string }
  readonly #agent: Agent
  readonly #timeoutMs: number
  readonly #signal: AbortSignal | undefined

  /** Without a token for what needs none. */
  constructor(config: ServerPlace & { readonly token?: string }, options: ConnectionOptions = {}) {
    this.#config = config
    this.#timeoutMs = options.timeoutMs ?? timeoutMsDefault
    this.#signal = options.signal
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: socketsMax,
      ca: config.authority,
      minVersion: 'TLSv1.3',
    })
  }

  get address(): string {
    return this.#config.address
  }

  /** @throws ClientError the server's refusal, SERVER_UNREACHABLE, ANSWER_INVALID, INTERRUPTED */
  async send(exchange: Exchange): Promise<Answer> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return readAnswer(await this.#sendOnce(exchange), exchange.raw)
      } catch (error) {
        const again = exchange.repeatable && attempt < attemptsMax && isPassing(error)
        if (!again) throw error
        const pause = backoffMs * 2 ** (attempt - 1)
        // Spread, so that many clients do not come back at the same moment.
        await delay(pause + randomInt(pause), undefined, { ref: true })
      }
    }
  }

  async #sendOnce({ method, path, headers, body, raw }: Exchange): Promise<RawAnswer> {
    const { token } = this.#config
    const deadline = AbortSignal.timeout(this.#timeoutMs)
    const signal = this.#signal ? AbortSignal.any([deadline, this.#signal]) : deadline
    const content =
      body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    try {
      const sent = request(new URL(path, this.#config.address), {
        method,
        agent: this.#agent,
        signal,
        headers: {
          accept: raw === undefined ? 'application/json' : '*/*',
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...content,
          ...headers,
        },
      })
      sent.end(body)
      const [response]: [IncomingMessage] = await once(sent, 'response').then(([first]) => [first])
      return { response, bytes: await readBody(response) }
    } catch (cause) {
      if (cause instanceof ClientError) throw cause
      if (this.#signal?.aborted) throw clientError('INTERRUPTED', 'stopped')
      throw this.#unreachable(deadline.aborted, cause)
    }
  }

  #unreachable(late: boolean, cause: unknown): ClientError {
    const { address } = this.#config
    const code = systemCode(cause)
    if (late) {
      return clientError('SERVER_UNREACHABLE', `${address} did not answer in time`, { cause })
    }
    if (code?.startsWith('CERT_') || code?.includes('CERT') || code?.startsWith('ERR_TLS')) {
      return clientError('SERVER_UNREACHABLE', `${address} is not the server it should be`, {
        cause,
      })
    }
    return clientError('SERVER_UNREACHABLE', `no connection to ${address} (${code ?? 'broken'})`, {
      cause,
    })
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }
}

/** Worth another try: the connection broke, or the server says that it could not work just now. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof ClientError)) return false
  return error.code === 'SERVER_UNREACHABLE' || error.status === 503
}

async function readBody(response: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of response) {
    length += piece.length
    if (length > answerBytesMax) {
      response.destroy()
      throw clientError('ANSWER_INVALID', 'the answer is larger than any answer can be')
    }
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

/** @throws ClientError what the server refused, or ANSWER_INVALID */
function readAnswer({ response, bytes }: RawAnswer, raw: Exchange['raw']): Answer {
  const status = response.statusCode ?? 0
  const type = (response.headers['content-type'] ?? '').split(';')[0]?.trim()
  const isJson = type === 'application/json' || type === 'application/problem+json'
  let body: unknown
  if (raw !== undefined && status === 200) body = raw === 'text' ? bytes.toString('utf8') : bytes
  else if (isJson && bytes.length > 0) {
    try {
      body = JSON.parse(bytes.toString('utf8'))
    } catch (cause) {
      throw clientError('ANSWER_INVALID', 'the answer is not JSON', { status, cause })
    }
  }
  if (status >= 200 && status < 300) return { status, etag: response.headers.etag, body }
  throw problem(status, body)
}

/** RFC 9457; the code is the contract, the detail is for people. */
function problem(status: number, body: unknown): ClientError {
  const members: Readonly<Record<string, unknown>> =
    typeof body === 'object' && body !== null ? { ...body } : {}
  const { code, detail, title, requestId } = members
  if (typeof code !== 'string' || !/^[A-Z][A-Z0-9_]{1,63}$/.test(code)) {
    return clientError('ANSWER_INVALID', `the server answered ${status} without a code`, { status })
  }
  const text = typeof detail === 'string' ? detail : typeof title === 'string' ? title : code
  return new ClientError(code, plain(text), {
    status,
    ...(typeof requestId === 'string' ? { requestId: plain(requestId) } : {}),
  })
}

/** For a terminal: no control characters, and an end. */
function plain(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ').slice(0, 500)
}
