/**
 * The first half of the order in which every request is served: authenticate, authorise, limit; all of
 * it before a byte of the body is read. Each step reads the route's record and nothing else. What the
 * caches know is answered without waiting, so that the hot path has no promise here.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import {
  accessDenied,
  grantedOperations,
  isPermitted,
  isPermittedSomewhere,
} from '../../kms/access/access.ts'
import type { Identity } from '../../kms/access/identities.ts'
import type { Operation } from '../../kms/access/operations.ts'
import { authenticate } from '../../kms/access/tokens.ts'
import { KmsError } from '../../kms/errors.ts'
import { knownKey } from '../../kms/keys/known-keys.ts'
import type { Caller, Kms } from '../../kms/kms.ts'
import { notGranted } from '../../kms/use.ts'
import { RestError } from './errors.ts'
import type { FailedLogins } from './failed-logins.ts'
import type { InFlight, Place } from './in-flight.ts'
import type { Route } from './route.ts'

export interface GuardContext {
  readonly kms: Kms
  readonly inFlight: InFlight
  readonly failedLogins: FailedLogins
  /** The time is over and nothing was answered yet. */
  readonly expire: (request: FastifyRequest, reply: FastifyReply) => void
}

/** A request that was let in. */
export interface Exchange {
  readonly caller: Caller
  readonly place: Place
  isRunning: boolean
}

type Later<T> = T | Promise<T>

/** @throws KmsError, RestError; at once or as a rejection */
export function letIn(
  context: GuardContext,
  route: Route,
  request: FastifyRequest,
  reply: FastifyReply,
): Later<Exchange> {
  return after(identify(context, route, request), (caller) =>
    after(authorise(context, route, request, caller), () =>
      limit(context, route, request, reply, caller),
    ),
  )
}

function after<T, U>(value: Later<T>, next: (value: T) => Later<U>): Later<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/** Nobody in particular, for routes that need no token. */
const nobody: Identity = {
  id: 'id_00000000000000000000000000000000',
  kind: 'system',
  name: 'nobody',
  state: 'enabled',
  created: 0,
  updated: 0,
  etag: '0',
}

/** Authenticates: who asks, and from where. */
function identify(context: GuardContext, route: Route, request: FastifyRequest): Later<Caller> {
  const address = addressOf(request)
  const callerOf = (identity: Identity): Caller => ({
    identity,
    requestId: request.id,
    protocol: 'rest',
    address,
    leaves: [],
  })
  if (route.permission === 'none') return callerOf(nobody)
  const refuse = (error: unknown): never => {
    const isRefused = error instanceof KmsError && error.code === 'TOKEN_INVALID'
    throw isRefused ? failedLogin(context.failedLogins, address, error) : error
  }
  try {
    const identity = authenticate(context.kms, bearerToken(request.headers.authorization))
    return identity instanceof Promise ? identity.then(callerOf, refuse) : callerOf(identity)
  } catch (error) {
    return refuse(error)
  }
}

function failedLogin(failedLogins: FailedLogins, address: string, error: KmsError): Error {
  const waitSeconds = failedLogins.add(address)
  if (waitSeconds === 0) return error
  return new RestError('TOO_MANY_FAILURES', 'too many failed authentications from this address', {
    'retry-after': String(waitSeconds),
  })
}

const bearer = 'bearer '

function bearerToken(header: string | undefined): string {
  if (header === undefined || header.slice(0, bearer.length).toLowerCase() !== bearer) {
    throw new KmsError('TOKEN_INVALID', 'a bearer token is required')
  }
  return header.slice(bearer.length)
}

/** IPv4 in IPv6's clothes is shown as IPv4. */
function addressOf(request: FastifyRequest): string {
  const address = request.raw.socket.remoteAddress ?? ''
  return address.startsWith('::ffff:') ? address.slice(7) : address
}

/**
 * Refuses early what the route's record says; the manager decides again, with everything in view, when
 * it is asked.
 */
function authorise(
  { kms }: GuardContext,
  { permission }: Route,
  request: FastifyRequest,
  caller: Caller,
): Later<void> {
  if (typeof permission === 'string') return undefined
  const { namespace, key = '' } = request.params as Readonly<Record<string, string | undefined>>
  if ('use' in permission) return authoriseUse(kms, caller, namespace ?? '', key, permission.use)
  return assertAny(kms, caller, namespace, permission)
}

async function assertAny(
  kms: Kms,
  caller: Caller,
  namespace: string | undefined,
  permissions: Exclude<Route['permission'], string | { use: Operation }>,
): Promise<void> {
  for (const permission of permissions) {
    const isHeld =
      namespace === undefined
        ? await isPermittedSomewhere(kms, caller, permission)
        : await isPermitted(kms, caller, namespace, permission)
    if (isHeld) return
  }
  const where = namespace === undefined ? '' : ` in namespace ${namespace.slice(0, 64)}`
  throw accessDenied(`${permissions.join(' or ')}${where}`)
}

/** What is not there is left to the manager's own refusal. */
function authoriseUse(
  kms: Kms,
  caller: Caller,
  namespace: string,
  key: string,
  operation: Operation,
): Later<void> {
  return after(knownKey(kms, namespace, key), (known) =>
    known === undefined
      ? undefined
      : after(grantedOperations(kms, caller.identity.id, known.id), (granted) => {
          if (!granted.has(operation)) throw notGranted({ namespace, operation })
        }),
  )
}

/** Finds a place for the request, and gives it back when both answer and work are over. */
function limit(
  { inFlight, expire }: GuardContext,
  route: Route,
  request: FastifyRequest,
  reply: FastifyReply,
  caller: Caller,
): Exchange {
  const bodyBytes = announcedBodyBytes(route, request)
  const place = inFlight.enter(bodyBytes, () => expire(request, reply))
  const exchange: Exchange = { caller, place, isRunning: false }
  reply.raw.once('close', () => {
    if (!exchange.isRunning) inFlight.leave(place)
  })
  return exchange
}

/** @throws RestError BODY_NOT_EXPECTED, BODY_TOO_LARGE */
function announcedBodyBytes({ body, bodyBytesMax }: Route, request: FastifyRequest): number {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers
  if (body === undefined) {
    if (encoding !== undefined || Number(length ?? 0) > 0) {
      throw new RestError('BODY_NOT_EXPECTED', 'this route takes no body')
    }
    return 0
  }
  const announced = length === undefined ? bodyBytesMax : Number(length)
  if (announced > bodyBytesMax) {
    throw new RestError('BODY_TOO_LARGE', `a body here has at most ${bodyBytesMax} bytes`)
  }
  return announced
}
