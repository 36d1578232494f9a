/**
 * A listener for what comes before the REST API: a module that is locked or was stopped is opened or
 * acknowledged here by the people who can. Few routes, each a line of a table; a limit for everything; where
 * it listens, and which certificate it shows, is in `unlock.json` in the data folder.
 */

import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { writeDurably } from '../host/durable-file.ts'
import { messageOf } from '../host/errors.ts'
import type { Claim } from '../hsm/contract/commands.ts'
import { HsmError } from '../hsm/contract/errors.ts'
import type { Configuration } from './configuration.ts'
import type { Log } from './log.ts'
import { Pace } from './pace.ts'
import { certificateWhileLocked } from './tls.ts'

const unreadBytesMax = 256 * 1024
const connectionsMax = 64
const requestMs = 10_000
/** What is posted is a leaf of the module's, whatever it is. */
const postCost = 4

export interface WaitingRequest {
  readonly claim: Claim
  /** Of a POST: JSON that nobody has looked at. */
  readonly body: unknown
  /** What stands behind "Bearer". */
  readonly token: string | undefined
}

export interface WaitingAnswer {
  readonly answer: object
  /** True: the wait is over once this answer is out. */
  readonly ends?: boolean
}

export interface WaitingRoom {
  /** For the log, and what whoever started the server is told. */
  readonly state: 'locked' | 'tampered'
  readonly bodyBytesMax: number
  /** By method and path. */
  readonly routes: ReadonlyMap<string, (request: WaitingRequest) => Promise<WaitingAnswer>>
}

class TooOften extends Error {
  readonly code = 'TOO_MANY_REQUESTS'
  readonly seconds: number

  constructor(seconds: number) {
    super(`again in ${seconds} seconds`)
    this.seconds = seconds
  }
}

/** Until an answer has ended the wait, or the server is asked to stop. */
export async function wait(
  room: WaitingRoom,
  { folder, address, port }: Configuration,
  { stop, log }: { readonly stop: Promise<void>; readonly log: Log },
): Promise<'over' | 'stopped'> {
  const tls = await certificateWhileLocked(folder, address, Date.now())
  const over = Promise.withResolvers<'over'>()
  const server = createServer({ key: tls.key, cert: tls.certificate, minVersion: 'TLSv1.3' })
  server.maxConnections = connectionsMax
  server.requestTimeout = requestMs
  server.headersTimeout = requestMs
  const pace = new Pace(() => performance.now())
  server.on('request', (request, response) => {
    serve(room, pace, request).then(
      ({ answer, ends }) => {
        if (ends) response.once('close', () => over.resolve('over'))
        send(response, 200, answer)
      },
      (error: unknown) => sendProblem(response, error, log),
    )
  })
  await listen(server, address, port)
  try {
    const { port: taken } = server.address() as AddressInfo
    const isEverywhere = address === '0.0.0.0' || address === '::'
    const name = isEverywhere ? '127.0.0.1' : address.includes(':') ? `[${address}]` : address
    const place = { address: `https://${name}:${taken}`, authority: tls.authority }
    const text = Buffer.from(`${JSON.stringify(place, undefined, 2)}\n`)
    await writeDurably(path.join(folder, 'unlock.json'), [text])
    log({ level: 'warn', message: `the module is ${room.state}: waiting`, address: place.address })
    const said = { [room.state]: true, address: place.address, data: folder }
    process.stdout.write(`${JSON.stringify(said)}\n`)
    return await Promise.race([over.promise, stop.then(() => 'stopped' as const)])
  } finally {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  const listening = once(server, 'listening')
  server.listen({ host, port })
  await listening
}

async function serve(
  room: WaitingRoom,
  pace: Pace,
  request: IncomingMessage,
): Promise<WaitingAnswer> {
  const isPost = request.method === 'POST'
  const address = request.socket.remoteAddress ?? ''
  const seconds = pace.waitSeconds(address, isPost ? postCost : 1)
  if (seconds > 0) throw new TooOften(seconds)
  const route = room.routes.get(`${request.method} ${request.url}`)
  if (!route) {
    throw new HsmError('MODULE_STATE_INVALID', `the module is ${room.state}: people have to act`)
  }
  const claim: Claim = {
    identity: '',
    requestId: randomUUID(),
    protocol: 'unlock',
    address,
  }
  const body = isPost ? await bodyOf(request, room.bodyBytesMax) : undefined
  const token = /^Bearer ([\x21-\x7e]{1,256})$/.exec(request.headers.authorization ?? '')?.[1]
  return route({ claim, body, token })
}

async function bodyOf(request: IncomingMessage, bytesMax: number): Promise<unknown> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length
    // Whoever sends a little too much hears so; whoever sends without end is cut off.
    if (length > unreadBytesMax) request.destroy()
    else if (length <= bytesMax) pieces.push(piece)
  }
  if (length > bytesMax) throw new HsmError('ARGUMENT_INVALID', 'the body is too long')
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'))
  } catch {
    throw new HsmError('ARGUMENT_INVALID', 'the body is not JSON')
  }
}

function send(response: ServerResponse, status: number, value: object): void {
  const type = status === 200 ? 'application/json' : 'application/problem+json'
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
  response.end(JSON.stringify(value))
}

const statuses = new Map([
  ['MODULE_STATE_INVALID', 503],
  ['TOO_MANY_REQUESTS', 429],
])

/** RFC 9457. What is no expected refusal is told to the log alone. */
function sendProblem(response: ServerResponse, error: unknown, log: Log): void {
  const isExpected = error instanceof Error && 'code' in error
  if (!isExpected) log({ level: 'error', message: 'internal error', error: messageOf(error) })
  const code = isExpected ? String(error.code) : 'INTERNAL'
  const detail = isExpected ? error.message : 'internal error'
  const status = statuses.get(code) ?? (isExpected ? 409 : 500)
  if (error instanceof TooOften) response.setHeader('retry-after', error.seconds)
  if (!response.headersSent) send(response, status, { type: 'about:blank', status, code, detail })
}
