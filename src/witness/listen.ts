/**
 * The witness's HTTP: POST /add-checkpoint and nothing else, over TLS where a certificate is given. Every request is
 * bounded in bytes and time, and so is the number of connections, because nobody authenticates.
 */

import { once } from 'node:events'
import * as http from 'node:http'
import * as https from 'node:https'
import type { AddressInfo } from 'node:net'
import { addCheckpoint, bodyBytesMax, type Witness } from './add-checkpoint.ts'

const connectionsMax = 256
const headerBytesMax = 8 * 1024
const requestTimeoutMs = 10_000
const keepAliveTimeoutMs = 75_000
const path = '/add-checkpoint'

export interface WitnessListenOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** PEM. */
  readonly tls?: { readonly key: string; readonly certificate: string } | undefined
  /** Each answer that is not 200, and whatever went wrong here. */
  readonly log: (message: string) => void
}

export interface WitnessListener extends AsyncDisposable {
  /** Submission prefix: "http://127.0.0.1:8444". */
  readonly address: string
}

export async function listenWitness(
  witness: Witness,
  { host, port, tls, log }: WitnessListenOptions,
): Promise<WitnessListener> {
  const limits = {
    maxHeaderSize: headerBytesMax,
    headersTimeout: requestTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: 1_000,
  }
  const onRequest = (request: http.IncomingMessage, response: http.ServerResponse) => {
    answer(witness, request, response).catch((error: unknown) => {
      log(`${error instanceof Error ? error.message : error}`)
      if (!response.headersSent) respond(response, 500, 'the witness cannot answer\n')
      else response.destroy()
    })
    response.once('finish', () => {
      const { statusCode: status } = response
      if (status !== 200) log(`${request.socket.remoteAddress}: ${status}`)
    })
  }
  const server = tls
    ? https.createServer(
        {
          ...limits,
          key: tls.key,
          cert: tls.certificate,
          minVersion: 'TLSv1.2',
          handshakeTimeout: requestTimeoutMs,
        },
        onRequest,
      )
    : http.createServer(limits, onRequest)
  server.maxConnections = connectionsMax
  server.listen(port, host)
  await once(server, 'listening')
  const bound = server.address() as AddressInfo
  const name = host.includes(':') ? `[${host}]` : host
  return {
    address: `${tls ? 'https' : 'http'}://${name}:${bound.port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      setTimeout(() => server.closeAllConnections(), 1_000).unref()
      await closed
    },
  }
}

async function answer(
  witness: Witness,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  if (request.url !== path) return respond(response, 404, 'there is nothing here\n')
  if (request.method !== 'POST') {
    response.setHeader('allow', 'POST')
    return respond(response, 405, 'this takes POST\n')
  }
  const body = await readBody(request)
  if (body === undefined) return respond(response, 413, 'the request is too long\n')
  const { status, type, body: text } = addCheckpoint(body, witness)
  respond(response, status, text, type)
}

function respond(
  response: http.ServerResponse,
  status: number,
  text: string,
  type = 'text/plain; charset=utf-8',
): void {
  // What was not read would be taken for the next request.
  if (!response.req.complete) response.setHeader('connection', 'close')
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

/** Undefined when it is too long. */
async function readBody(request: http.IncomingMessage): Promise<Buffer | undefined> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    length += piece.length
    if (length > bodyBytesMax) return undefined
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}
