/**
 * Registers the route table with the HTTP server. Every request goes the same way, whatever its route:
 *
 *   1. authenticate   the token, or none if the route needs none          guard.ts
 *   2. authorise      what the record's permission says                   guard.ts
 *   3. limit          body announced, requests and bytes in flight        guard.ts
 *   4. read the body  at most bodyBytesMax, application/json alone        fastify
 *   5. parse          path, query, headers, body by the record's schemas  here
 *   6. run            the record's function, at most timeoutMs            here
 *   7. encode         the answer, or the problem                          here
 *
 * The record of what the module did is the module's own. No guard hangs on a path, and there is no
 * hook but the one that answers what is no route.
 */

import assert from 'node:assert/strict'
import type { Server } from 'node:https'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Change, Creation, LogEntry } from '../../kms/kms.ts'
import { problemOf, type Refusal, RestError, refusalOf, schemaRefusal } from './errors.ts'
import { type Exchange, type GuardContext, letIn } from './guard.ts'
import { parseJson } from './json.ts'
import type { RestMetrics } from './options.ts'
import { parseQuery } from './query.ts'
import { asText, type RestContext, type Route } from './route.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set once the request has been let in. */
    exchange: Exchange | undefined
    /** When its headers were read, by performance.now(). */
    begunMs: number
    /** Name of the route that takes it; empty without one. */
    routeName: string
  }
}

export interface RegisterContext extends Omit<GuardContext, 'expire'> {
  readonly rest: RestContext
  readonly log: (entry: LogEntry) => void
}

export type App = FastifyInstance<Server>

export function registerRoutes(app: App, routes: readonly Route[], context: RegisterContext): void {
  const refuse = refuser(context)
  app.decorateRequest('exchange', undefined)
  app.decorateRequest('begunMs', 0)
  app.decorateRequest('routeName', '')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    (_request: FastifyRequest, body: Buffer, done: (error: null, body: Buffer) => void) =>
      done(null, body),
  )
  app.setErrorHandler((error, request, reply) => refuse(request, reply, error))
  app.addHook('onRequest', (request, reply, done) => {
    request.begunMs = performance.now()
    if (request.is404) refuse(request, reply, noRoute(routes, request))
    else done()
  })
  app.setNotFoundHandler((request, reply) => refuse(request, reply, noRoute(routes, request)))
  const guard: GuardContext = {
    ...context,
    expire: (request, reply) => {
      const message = 'not done in time; whether it took effect is not known'
      if (!reply.sent) refuse(request, reply, new RestError('TIMED_OUT', message))
    },
  }
  for (const route of routes) registerRoute(app, route, context, guard, refuse)
}

type Refuse = ReturnType<typeof refuser>

function registerRoute(
  app: App,
  route: Route,
  context: RegisterContext,
  guard: GuardContext,
  refuse: Refuse,
): void {
  app.route({
    method: route.method,
    url: route.path.replaceAll(/\{(\w+)\}/g, ':$1').replace(restPattern, '*'),
    bodyLimit: Math.max(1, route.bodyBytesMax),
    exposeHeadRoute: false,
    onRequest: (request, reply, done) => {
      request.routeName = route.name
      try {
        const exchange = letIn(guard, route, request, reply)
        if (exchange instanceof Promise) {
          exchange.then((found) => {
            request.exchange = found
            done()
          }, done)
          return
        }
        request.exchange = exchange
      } catch (error) {
        done(error as Error)
        return
      }
      done()
    },
    handler: (request, reply) => {
      const { exchange } = request
      assert(exchange)
      serve(route, context, request, reply, exchange, refuse)
    },
  })
}

/** Parses, runs, encodes. */
function serve(
  route: Route,
  context: RegisterContext,
  request: FastifyRequest,
  reply: FastifyReply,
  exchange: Exchange,
  refuse: Refuse,
): void {
  const { inFlight } = context
  let work: Promise<unknown>
  try {
    const asked = parseRequest(route, context, request, exchange)
    exchange.isRunning = true
    inFlight.begin(exchange.place, route.timeoutMs)
    work = route.handle(asked)
  } catch (error) {
    exchange.isRunning = false
    if (reply.raw.closed) inFlight.leave(exchange.place)
    refuse(request, reply, error)
    return
  }
  const over = () => {
    inFlight.leave(exchange.place)
  }
  work
    .then((result) => {
      if (!reply.sent) answer(route, context.rest.metrics, request, reply, result)
    })
    .catch((error: unknown) => {
      if (!reply.sent) refuse(request, reply, error)
    })
    .then(over, over)
}

/** @throws RestError for what no schema lets through */
function parseRequest(
  route: Route,
  context: RegisterContext,
  request: FastifyRequest,
  { caller }: Exchange,
): Parameters<Route['handle']>[0] {
  const { headers } = request
  return {
    kms: context.kms,
    rest: context.rest,
    caller,
    path: parse('path', route.parameters, parametersOf(route, request)),
    query: parse('query', route.query, parseQuery(request.raw.url ?? '')),
    body: route.body && parse('body', route.body, parseJson(bodyOf(request))),
    creation: route.idempotent ? creationOf(headers['idempotency-key']) : {},
    change: route.etag ? changeOf(headers['if-match']) : {},
    accept: headers.accept ?? '',
  }
}

/** At the end of a path: whatever follows. */
const restPattern = /\{\+(\w+)\}$/

function parametersOf({ path }: Route, { params }: FastifyRequest): unknown {
  const name = restPattern.exec(path)?.[1]
  if (name === undefined) return params
  const { '*': rest, ...others } = params as Readonly<Record<string, string>>
  return { ...others, [name]: rest }
}

function bodyOf({ body }: FastifyRequest): Uint8Array {
  if (body instanceof Uint8Array) return body
  throw new RestError('BODY_INVALID', 'a body of type application/json is required')
}

function parse(where: string, schema: z.ZodType, value: unknown): unknown {
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw schemaRefusal(where, parsed.error)
  return parsed.data
}

function creationOf(header: string | string[] | undefined): Creation {
  return typeof header === 'string' ? { idempotencyKey: header } : {}
}

/** RFC 9110 section 13.1.1: one strong entity tag, or "*". */
function changeOf(header: string | undefined): Change {
  if (header === undefined) return {}
  const tag = /^(?:"([\x21\x23-\x7e]{1,64})"|(\*))$/.exec(header)
  const ifMatch = tag?.[1] ?? tag?.[2]
  if (ifMatch === undefined) {
    throw new RestError('HEADER_INVALID', 'If-Match must be one strong ETag, or *')
  }
  return { ifMatch }
}

const json = 'application/json; charset=utf-8'

function answer(
  route: Route,
  metrics: RestMetrics,
  request: FastifyRequest,
  reply: FastifyReply,
  result: unknown,
): void {
  reply.header('x-request-id', request.id).header('cache-control', 'no-store')
  const leaves = leavesOf(request)
  if (leaves !== '') reply.header('keyhold-leaf', leaves)
  if (route.etag) {
    const etag = etagOf(result)
    if (etag !== undefined) reply.header('etag', `"${etag}"`)
  }
  if (route.status === 204) {
    reply.code(204).send()
  } else if (route.result === asText) {
    const { type, text } = z.encode(asText, result as z.output<typeof asText>)
    reply.code(route.status).header('content-type', type).send(text)
  } else if (route.content) {
    const { type, isImmutable = false } = route.content
    if (isImmutable) reply.header('cache-control', 'private, max-age=31536000, immutable')
    reply.header('content-type', type).send(result)
  } else {
    const encode = route.encode ?? ((value) => JSON.stringify(z.encode(route.result, value)))
    reply.code(route.status).header('content-type', json).send(encode(result))
  }
  metrics.answered(route.name, 'ok', performance.now() - request.begunMs)
}

/** In the module's record, in the order in which it was asked: "17", or of a batch "100-199". */
function leavesOf({ exchange }: FastifyRequest): string {
  let text = ''
  for (const { first, count } of exchange?.caller.leaves ?? []) {
    if (first === undefined) continue
    if (text !== '') text += ', '
    text += count === 1 ? first : `${first}-${first + count - 1}`
  }
  return text
}

function etagOf(result: unknown): string | undefined {
  if (typeof result !== 'object' || result === null || !('etag' in result)) return undefined
  return typeof result.etag === 'string' ? result.etag : undefined
}

/** Bodies that were announced and not read are waited for up to here; others cost the connection. */
const unreadBytesMax = 64 * 1024

function refuser({ log, rest: { metrics } }: RegisterContext) {
  return (request: FastifyRequest, reply: FastifyReply, error: unknown): void => {
    const refusal = refusalOf(brokeOff(request) ? incomplete : fromFastify(error))
    const leaves = leavesOf(request)
    if (refusal.isInternal) logInternal(log, request, error)
    reply.code(refusal.status).headers({
      'x-request-id': request.id,
      'cache-control': 'no-store',
      'content-type': 'application/problem+json; charset=utf-8',
      ...(isUnread(request) ? { connection: 'close' } : {}),
      ...(leaves === '' ? {} : { 'keyhold-leaf': leaves }),
      ...refusal.headers,
    })
    reply.send(JSON.stringify(problemOf(refusal, request.id)))
    metrics.answered(request.routeName, refusal.code, performance.now() - request.begunMs)
  }
}

/** The caller has gone in the middle of its body: no bug of ours, and nobody hears the answer. */
function brokeOff({ raw }: FastifyRequest): boolean {
  return raw.destroyed && !raw.complete
}

const incomplete = new RestError('BODY_INVALID', 'the body broke off')

function isUnread({ raw, headers }: FastifyRequest): boolean {
  if (raw.complete) return false
  return (
    headers['transfer-encoding'] !== undefined ||
    Number(headers['content-length'] ?? 0) > unreadBytesMax
  )
}

function logInternal(
  log: (entry: LogEntry) => void,
  request: FastifyRequest,
  error: unknown,
): void {
  const { name, message, stack, cause } = error instanceof Error ? error : new Error(String(error))
  log({
    level: 'error',
    message: 'internal error',
    requestId: request.id,
    method: request.method,
    route: request.routeOptions.url,
    error: stack ?? `${name}: ${message}`,
    ...(cause instanceof Error ? { cause: cause.stack } : {}),
  })
}

/** What the HTTP server refuses by itself, in our words. */
const ofFastify: ReadonlyMap<string, Refusal['code']> = new Map([
  ['FST_ERR_BAD_URL', 'REQUEST_INVALID'],
  ['FST_ERR_MAX_PARAM_LENGTH', 'REQUEST_INVALID'],
  ['FST_ERR_CTP_BODY_TOO_LARGE', 'BODY_TOO_LARGE'],
  ['FST_ERR_CTP_INVALID_CONTENT_LENGTH', 'BODY_INVALID'],
  ['FST_ERR_CTP_INVALID_MEDIA_TYPE', 'MEDIA_TYPE_NOT_SUPPORTED'],
  ['FST_ERR_CTP_EMPTY_TYPE', 'MEDIA_TYPE_NOT_SUPPORTED'],
])

const ofFastifyMessages: Readonly<Partial<Record<Refusal['code'], string>>> = {
  REQUEST_INVALID: 'the path is not valid',
  BODY_TOO_LARGE: 'the body is larger than this route takes',
  BODY_INVALID: 'the body does not have the length that was announced',
  MEDIA_TYPE_NOT_SUPPORTED: 'a body here is application/json',
}

export function fromFastify(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error
  const code = ofFastify.get(String(error.code))
  return code === undefined ? error : new RestError(code, ofFastifyMessages[code] ?? '')
}

function noRoute(routes: readonly Route[], request: FastifyRequest): RestError {
  const [path = ''] = (request.raw.url ?? '').split('?', 1)
  const parts = path.split('/')
  const allowed = routes.filter((route) => fits(route.path.split('/'), parts))
  if (allowed.length === 0) return new RestError('ROUTE_NOT_FOUND', 'there is no such route')
  const methods = [...new Set(allowed.map(({ method }) => method))].join(', ')
  return new RestError('METHOD_NOT_ALLOWED', `this route takes ${methods}`, { allow: methods })
}

function fits(pattern: readonly string[], parts: readonly string[]): boolean {
  const isOpen = restPattern.test(pattern.at(-1) ?? '')
  return (
    (pattern.length === parts.length || (isOpen && pattern.length < parts.length)) &&
    pattern.every((part, index) => part.startsWith('{') || part === parts[index])
  )
}
