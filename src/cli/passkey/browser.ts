/**
 * Asks a person in their own browser, on their own machine: pages on loopback, under a path that nobody
 * can guess, for one run of one command. An answer has to come from that page, is checked by whoever asks,
 * and is final: one that is not right, "no", and silence all end it.
 *
 * The origin that passkeys are pinned to is this one, so both loopback addresses are taken or none: another
 * program that listened on one of them could show a page of its own. One that does so while no command runs
 * is out of reach of this (docs/threat-model.md).
 */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import path from 'node:path'
import { clientError, systemCode } from '../../client/errors.ts'
import { originOf } from './passkey-file.ts'

export interface Question<T> {
  /** The page, whole. */
  readonly html: string
  /** Checks what the browser says. @throws what the command is to fail with */
  readonly accept: (answer: unknown) => T
}

export interface Where {
  readonly port: number
  readonly seconds: number
  readonly signal: AbortSignal
  readonly tell: (url: string) => void
}

interface Reply {
  readonly status: number
  readonly message: string
  readonly isMore?: boolean
}

const answerBytesMax = 16 * 1024
const loopback = ['127.0.0.1', '::1']
/** What a system without IPv6 says. */
const noSuchAddress = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT'])
const headers = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'permissions-policy': 'publickey-credentials-get=(self), publickey-credentials-create=(self)',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  connection: 'close',
}

/**
 * One after the other; the answers when all are there.
 * @throws ClientError INTERRUPTED after "no" and silence, PORT_IN_USE; whatever `accept` throws
 */
export async function askBrowser<T>(
  questions: readonly Question<T>[],
  { port, seconds, signal, tell }: Where,
): Promise<T[]> {
  const exchange = new Exchange(questions)
  const folder = `/${randomBytes(24).toString('base64url')}/`
  const origin = originOf(port)
  await using servers = new AsyncDisposableStack()
  for (const address of loopback) {
    const server = createServer({ maxHeaderSize: 8_192, requestTimeout: 10_000 })
    server.on('request', (request, response) =>
      serve(exchange, { folder, origin }, request, response).catch(() => response.destroy()),
    )
    server.maxConnections = 32
    if (await listens(server, port, address)) servers.defer(() => end(server))
  }
  const silence = AbortSignal.timeout(seconds * 1_000)
  silence.onabort = () => exchange.fail(notSigned(`nobody answered within ${seconds} seconds`))
  const stopped = () => exchange.fail(notSigned('stopped'))
  signal.addEventListener('abort', stopped)
  servers.defer(() => signal.removeEventListener('abort', stopped))
  tell(`${origin}${folder}`)
  return await exchange.answers
}

/** Where the questions stand. */
class Exchange<T> {
  readonly #questions: readonly Question<T>[]
  readonly #given: T[] = []
  readonly #end = Promise.withResolvers<T[]>()
  readonly answers = this.#end.promise
  #isOver = false

  constructor(questions: readonly Question<T>[]) {
    this.#questions = questions
    // Awaited only once the servers listen.
    this.answers.catch(() => undefined)
  }

  get html(): string | undefined {
    return this.#isOver ? undefined : this.#questions[this.#given.length]?.html
  }

  fail(error: unknown): void {
    this.#isOver = true
    this.#end.reject(error)
  }

  /** What the page is told, and what happens when it has been. */
  take(answer: unknown): { readonly reply: Reply; readonly told: () => void } {
    const question = this.#isOver ? undefined : this.#questions[this.#given.length]
    if (!question) return { reply: { status: 410, message: 'It is over.' }, told: () => undefined }
    const failed = (status: number, message: string, error: unknown) => {
      this.#isOver = true
      return { reply: { status, message }, told: () => this.#end.reject(error) }
    }
    if (isRefusal(answer)) {
      const error = notSigned('refused in the browser')
      return failed(200, 'Refused. Nothing was signed; you can close this page.', error)
    }
    try {
      this.#given.push(question.accept(answer))
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      return failed(422, `Not accepted: ${message}.`, error)
    }
    const isMore = this.#given.length < this.#questions.length
    this.#isOver = !isMore
    const message = 'Done. Go back to the terminal; you can close this page.'
    const told = () => (isMore ? undefined : this.#end.resolve(this.#given))
    return { reply: { status: 200, message, isMore }, told }
  }
}

interface Place {
  readonly folder: string
  readonly origin: string
}

const assets: ReadonlyMap<string, readonly [type: string, file: string]> = new Map([
  ['script.js', ['text/javascript', 'page/script.js']],
  ['style.css', ['text/css', 'page/style.css']],
])

async function serve<T>(
  exchange: Exchange<T>,
  { folder, origin }: Place,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method, url = '', headers: given } = request
  const name = url.startsWith(folder) ? url.slice(folder.length) : undefined
  const send = (status: number, type: string, body: string | Buffer) =>
    response.writeHead(status, { ...headers, 'content-type': `${type}; charset=utf-8` }).end(body)
  // The host is looked at so that no name of somebody else's can be made to mean this machine.
  if (name === undefined || `http://${given.host}` !== origin) {
    send(404, 'text/plain', 'There is nothing here.\n')
  } else if (method === 'POST' && name === 'answer') {
    const isFromPage = given.origin === origin && given['content-type'] === 'application/json'
    const answer = isFromPage ? await readJson(request) : undefined
    if (answer === undefined) {
      send(400, 'application/json', JSON.stringify({ message: 'This is no answer.' }))
      return
    }
    const { reply, told } = exchange.take(answer)
    const { status, ...said } = reply
    response.once('close', told)
    send(status, 'application/json', JSON.stringify(said))
  } else if (method === 'GET' && name === '' && exchange.html !== undefined) {
    send(200, 'text/html', exchange.html)
  } else {
    const asset = method === 'GET' ? assets.get(name) : undefined
    if (!asset) send(404, 'text/plain', 'There is nothing here.\n')
    else send(200, asset[0], readFileSync(path.join(import.meta.dirname, asset[1])))
  }
}

/** Undefined for what is too long or no JSON. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length
    if (length > answerBytesMax) return undefined
    pieces.push(piece)
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'))
  } catch {
    return undefined
  }
}

function isRefusal(answer: unknown): boolean {
  return typeof answer === 'object' && answer !== null && 'cancelled' in answer
}

/** False where the system does not have the address. @throws ClientError PORT_IN_USE */
async function listens(server: Server, port: number, address: string): Promise<boolean> {
  try {
    await once(server.listen({ port, host: address, exclusive: true }), 'listening')
    return true
  } catch (cause) {
    const code = systemCode(cause)
    if (address !== loopback[0] && noSuchAddress.has(code ?? '')) return false
    throw clientError('PORT_IN_USE', `port ${port} of this machine is not free (${code})`, {
      cause,
    })
  }
}

async function end(server: Server): Promise<void> {
  const closed = once(server.close(), 'close')
  server.closeAllConnections()
  await closed
}

function notSigned(why: string): Error {
  return clientError('INTERRUPTED', `${why}: nothing was signed`)
}
