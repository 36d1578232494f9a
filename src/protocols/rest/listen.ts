/**
 * Opens the REST API: HTTP/1.1 over TLS 1.3, with a limit for everything that a connection can make
 * wait or grow. The certificate is given; where it comes from is the server's business.
 */

import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { SecureContextOptions } from 'node:tls'
import { promisify } from 'node:util'
import Fastify, { type FastifyReply } from 'fastify'
import type { Kms } from '../../kms/kms.ts'
import { problemOf, RestError, refusalOf } from './errors.ts'
import { FailedLogins } from './failed-logins.ts'
import { InFlight } from './in-flight.ts'
import * as limits from './limits.ts'
import { openApiDocument } from './openapi.ts'
import type { RestMetrics, RestOptions } from './options.ts'
import { type App, fromFastify, registerRoutes } from './register.ts'
import type { Route } from './route.ts'
import { routes } from './routes.ts'

/** How long requests may go on after the listener was asked to stop. */
const stopMs = 10_000
/** Between the looks at what is still going on then; a last answer has so long to be sent. */
const stopLookMs = 50

export interface RestListener extends AsyncDisposable {
  /** "https://host:port". */
  readonly address: string
  readonly port: number
  /** For connections from now on. */
  readonly useCertificate: (tls: RestOptions['tls']) => void
}

/** The table is an argument for tests alone. */
export async function listenRest(
  options: RestOptions,
  kms: Kms,
  table: readonly Route[] = routes,
): Promise<RestListener> {
  const app = createApp(options)
  const monotonic = () => performance.now()
  const inFlight = new InFlight(
    { requestsMax: limits.requestsInFlightMax, bodyBytesMax: limits.bodyBytesInFlightMax },
    monotonic,
  )
  registerRoutes(app, table, {
    kms,
    inFlight,
    failedLogins: new FailedLogins(monotonic),
    log: options.log,
    rest: {
      ...options,
      openApi: openApiDocument(table, options.version),
      load: async () => ({
        connections: await promisify(app.server.getConnections).call(app.server),
        connectionsMax: limits.connectionsMax,
        requestsInFlight: inFlight.size,
      }),
    },
  })
  app.server.maxConnections = limits.connectionsMax
  await app.listen({ host: options.host, port: options.port })
  const { port } = app.server.address() as AddressInfo
  const host = options.host.includes(':') ? `[${options.host}]` : options.host
  return {
    address: `https://${host}:${port}`,
    port,
    useCertificate: (tls) => app.server.setSecureContext(secureContext(tls)),
    async [Symbol.asyncDispose]() {
      const looking = closeWhenDone(app, inFlight)
      await app.close()
      clearInterval(looking)
      inFlight[Symbol.dispose]()
    },
  }
}

/** A connection that is kept alive would otherwise hold the listener for as long as it is idle. */
function closeWhenDone({ server }: App, inFlight: InFlight): NodeJS.Timeout {
  const end = performance.now() + stopMs
  let looksWithoutWork = 0
  return setInterval(() => {
    looksWithoutWork = inFlight.size === 0 ? looksWithoutWork + 1 : 0
    if (looksWithoutWork > 1 || performance.now() >= end) server.closeAllConnections()
    else server.closeIdleConnections()
  }, stopLookMs)
}

function secureContext({ key, certificate }: RestOptions['tls']): SecureContextOptions {
  return { key, cert: certificate, minVersion: 'TLSv1.3' }
}

function createApp({ tls, metrics }: RestOptions): App {
  return Fastify({
    https: {
      ...secureContext(tls),
      handshakeTimeout: limits.handshakeTimeoutMs,
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: limits.connectionsCheckingMs,
    },
    logger: false,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionTimeout: 2 * limits.keepAliveTimeoutMs,
    forceCloseConnections: 'idle',
    bodyLimit: 1,
    exposeHeadRoutes: false,
    requestIdHeader: false,
    genReqId: requestIds(),
    routerOptions: {
      maxParamLength: limits.pathPartCharactersMax,
      querystringParser: () => ({}),
    },
    clientErrorHandler: (error, socket) => refuseConnection(error, socket, metrics),
    frameworkErrors: (error, request, reply: FastifyReply) => {
      const refusal = refusalOf(fromFastify(error))
      const problem = problemOf(refusal, request.id)
      reply
        .code(refusal.status)
        .headers({ 'x-request-id': request.id, 'content-type': 'application/problem+json' })
        .send(JSON.stringify(problem))
      metrics.answered('', refusal.code, 0)
    },
  })
}

/** The caller's own id if it is well-formed, or one that was never given out before. */
export function requestIds(): (request: Pick<IncomingMessage, 'headers'>) => string {
  const start = randomBytes(8).toString('hex')
  let count = 0
  return ({ headers }) => {
    const given = headers['x-request-id']
    if (typeof given === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(given)) return given
    count += 1
    return `${start}-${count.toString(36)}`
  }
}

const codesOfNode: ReadonlyMap<string, 'HEADERS_TOO_LARGE' | 'REQUEST_TIMED_OUT'> = new Map([
  ['HPE_HEADER_OVERFLOW', 'HEADERS_TOO_LARGE'],
  ['ERR_HTTP_REQUEST_TIMEOUT', 'REQUEST_TIMED_OUT'],
])

/** How long a refused client may take to read its answer. */
const lingerMs = 1_000

/**
 * What is not HTTP gets one answer and no further word. What never became TLS gets none: it could not be
 * sent, and waiting for that would keep the connection.
 */
function refuseConnection(
  error: Error & { code?: string },
  socket: Socket,
  metrics: RestMetrics,
): void {
  const isHttp = /^(HPE_|ERR_HTTP_)/.test(error.code ?? '')
  if (!socket.writable || !isHttp) {
    socket.destroy()
    return
  }
  setTimeout(() => socket.destroy(), lingerMs).unref()
  const code = codesOfNode.get(error.code ?? '') ?? 'REQUEST_INVALID'
  const refusal = refusalOf(new RestError(code, 'this is not a request that can be read'))
  metrics.answered('', code, 0)
  const body = JSON.stringify(problemOf(refusal, ''))
  socket.end(
    `HTTP/1.1 ${refusal.status} Refused\r\nConnection: close\r\n` +
      `Content-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
