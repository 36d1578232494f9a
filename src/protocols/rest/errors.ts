/**
 * Refusals on the wire: problem details (RFC 9457). One total table gives every code of the manager,
 * and of this protocol, its status and title; a code without a row does not compile. What is not an
 * expected failure is INTERNAL outside, with nothing but the request's id, and is logged inside.
 */

import { z } from 'zod'
import { KmsError, type KmsErrorCode } from '../../kms/errors.ts'
import { retryAfterSeconds } from './limits.ts'

const ownErrorCodes = [
  'BODY_INVALID',
  'BODY_NOT_EXPECTED',
  'BODY_TOO_LARGE',
  'HEADER_INVALID',
  'HEADERS_TOO_LARGE',
  'LEAF_NOT_FOUND',
  'LOG_NOT_FOUND',
  'MEDIA_TYPE_NOT_SUPPORTED',
  'METHOD_NOT_ALLOWED',
  'NOT_READY',
  'REQUEST_INVALID',
  'REQUEST_TIMED_OUT',
  'ROUTE_NOT_FOUND',
  'TILE_NOT_FOUND',
  'TIMED_OUT',
  'TOO_MANY_FAILURES',
] as const

export type RestErrorCode = KmsErrorCode | (typeof ownErrorCodes)[number]

/** A refusal of this protocol's own. */
export class RestError extends Error {
  override readonly name = 'RestError'
  readonly code: RestErrorCode
  /** Allow, Retry-After and the like. */
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: RestErrorCode,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message)
    this.code = code
    this.headers = headers
  }
}

const row = (status: number, title: string) => ({ status, title })

export const problems = {
  ACCESS_DENIED: row(403, 'Not permitted'),
  ALGORITHM_NOT_SUPPORTED: row(400, 'Algorithm not supported'),
  APPROVALS_MISSING: row(403, 'Approvals are missing'),
  APPROVAL_INVALID: row(403, 'Approval is not valid'),
  ARGUMENT_INVALID: row(400, 'Invalid argument'),
  ATTESTATION_INVALID: row(422, 'Attestation is not valid'),
  BODY_INVALID: row(400, 'Invalid body'),
  BODY_NOT_EXPECTED: row(400, 'No body expected'),
  BODY_TOO_LARGE: row(413, 'Body too large'),
  CHALLENGE_INVALID: row(409, 'Challenge is not valid'),
  CIPHERTEXT_INVALID: row(422, 'Ciphertext does not open'),
  COMMAND_UNKNOWN: row(500, 'Internal error'),
  CONFIRMATION_INVALID: row(409, 'Confirmation does not fit'),
  FLOOR_FULL: row(507, 'Destruction floor is full'),
  FRAME_INVALID: row(500, 'Internal error'),
  GRANT_NOT_FOUND: row(404, 'No such grant'),
  HEADER_INVALID: row(400, 'Invalid header'),
  HEADERS_TOO_LARGE: row(431, 'Headers too large'),
  IDEMPOTENCY_CONFLICT: row(409, 'Idempotency key is taken'),
  IDENTITY_DISABLED: row(409, 'Identity is disabled'),
  IDENTITY_NOT_FOUND: row(404, 'No such identity'),
  INTERNAL: row(500, 'Internal error'),
  KEY_DESTROYED: row(410, 'Key is destroyed'),
  KEY_EXISTS: row(409, 'Key exists'),
  KEY_NOT_EXPORTABLE: row(403, 'Key is not exportable'),
  KEY_NOT_FOUND: row(404, 'No such key'),
  KEY_NOT_LOADED: row(503, 'Key is not loaded'),
  KEY_STATE_INVALID: row(409, 'State of the key does not permit it'),
  KEY_TOO_WEAK: row(409, 'Key is too weak'),
  KEY_USE_NOT_PERMITTED: row(403, 'Use of the key is not permitted'),
  LEAF_NOT_FOUND: row(404, 'No such entry in the log'),
  LEDGER_FULL: row(507, 'Ledger of the module is full'),
  LEVEL_NOT_PERMITTED: row(403, 'Security level does not permit it'),
  LIMIT_REACHED: row(409, 'Limit reached'),
  LOGIN_FAILED: row(403, 'Login failed'),
  LOGIN_LOCKED: row(429, 'Login is locked'),
  LOG_NOT_FOUND: row(404, 'No such log'),
  MEDIA_TYPE_NOT_SUPPORTED: row(415, 'Media type not supported'),
  METHOD_NOT_ALLOWED: row(405, 'Method not allowed'),
  MODULE_BUSY: row(503, 'Module is busy'),
  MODULE_FAILED: row(503, 'Module has failed'),
  MODULE_STATE_INVALID: row(503, 'Module is not operational'),
  MODULE_TAMPERED: row(503, 'Module has stopped after tampering'),
  MODULE_UNAVAILABLE: row(503, 'Module is not available'),
  NAMESPACE_NOT_FOUND: row(404, 'No such namespace'),
  NAME_TAKEN: row(409, 'Name is taken'),
  NOT_READY: row(503, 'Not ready'),
  OVERLOADED: row(503, 'Too much at once'),
  PERSON_NOT_FOUND: row(404, 'No such person'),
  PRECONDITION_FAILED: row(412, 'It was changed since'),
  PRECONDITION_REQUIRED: row(428, 'If-Match is required'),
  RECORD_INVALID: row(500, 'Internal error'),
  RECORD_NOT_STORED: row(503, 'Record cannot be stored'),
  REWRAP_UNFINISHED: row(409, 'Keys are being re-wrapped'),
  REQUEST_INVALID: row(400, 'Invalid request'),
  REQUEST_TIMED_OUT: row(408, 'Request took too long to arrive'),
  ROUTE_NOT_FOUND: row(404, 'No such route'),
  RULES_NOT_MET: row(409, 'Rules could not be met'),
  SEAL_INVALID: row(409, 'Seal does not open'),
  SEAL_LAST: row(409, 'Last seal of the domain'),
  SEAL_MISSING: row(404, 'No such seal'),
  SECURE_HEAP_FULL: row(503, 'Module has no room for more keys'),
  SHARE_INVALID: row(409, 'Share does not fit'),
  STATE_INVALID: row(500, 'Internal error'),
  TILE_NOT_FOUND: row(404, 'No such tile'),
  TIMED_OUT: row(504, 'Not done in time'),
  TOKEN_INVALID: row(401, 'Token is not valid'),
  TOKEN_NOT_FOUND: row(404, 'No such token'),
  TOO_MANY_FAILURES: row(429, 'Too many failed authentications'),
  TPM_FAILED: row(503, 'TPM does not do it'),
  USES_EXHAUSTED: row(409, 'Uses of the key are exhausted'),
  VERSION_NOT_FOUND: row(404, 'No such version'),
  WRAPPED_KEY_INVALID: row(500, 'Internal error'),
  WRAPPED_KEY_OUTDATED: row(409, 'Wrapped key is outdated'),
} as const satisfies Record<RestErrorCode, { readonly status: number; readonly title: string }>

const restErrorCodes = Object.keys(problems) as [RestErrorCode, ...RestErrorCode[]]
export const errorCode = z.enum(restErrorCodes).meta({ id: 'ErrorCode' })

export const problemSchema = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: errorCode,
    detail: z.string(),
    requestId: z.string(),
  })
  .meta({ id: 'Problem' })

/** Of one item of a batch. */
export const itemError = z
  .strictObject({ code: errorCode, status: z.int(), detail: z.string() })
  .meta({ id: 'ItemError' })

export type Problem = z.output<typeof problemSchema>

/** What RFC 9110 and RFC 6750 want beside these statuses. */
const headersOf: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  401: { 'www-authenticate': 'Bearer' },
  503: { 'retry-after': String(retryAfterSeconds) },
}

const detailCharactersMax = 300
/** What a code's row answers with 500 says nothing of the inside. */
const internalDetail =
  'something is wrong inside; the log of the server knows the request by its id'

/** What the caller is told, and whether it is a failure of ours that belongs into the log. */
export interface Refusal {
  readonly code: RestErrorCode
  readonly status: number
  readonly detail: string
  readonly headers: Readonly<Record<string, string>>
  readonly isInternal: boolean
}

export function refusalOf(error: unknown): Refusal {
  const expected = error instanceof KmsError || error instanceof RestError ? error : undefined
  const code = expected?.code ?? 'INTERNAL'
  const { status } = problems[code]
  if (expected === undefined || status === 500) {
    return { code: 'INTERNAL', status: 500, detail: internalDetail, headers: {}, isInternal: true }
  }
  const given = expected instanceof RestError ? expected.headers : {}
  const headers = { ...headersOf[status], ...given }
  return { code, status, detail: bounded(expected.message), headers, isInternal: false }
}

export function problemOf({ code, status, detail }: Refusal, requestId: string): Problem {
  const type = `urn:keyhold:error:${code.toLowerCase().replaceAll('_', '-')}`
  return { type, title: problems[code].title, status, code, detail, requestId }
}

export function itemErrorOf(error: unknown): z.output<typeof itemError> {
  const { code, status, detail } = refusalOf(error)
  return { code, status, detail }
}

/** The first thing that a schema found wrong, and where; values are not repeated. */
export function schemaRefusal(where: string, { issues }: z.core.$ZodError): RestError {
  const [issue] = issues
  const place = [where, ...(issue?.path ?? []).map(String)].join('.')
  return new RestError('REQUEST_INVALID', `${place}: ${issue?.message ?? 'is not valid'}`)
}

function bounded(text: string): string {
  const plain = text.replace(/\p{Cc}/gu, ' ')
  return plain.length > detailCharactersMax ? `${plain.slice(0, detailCharactersMax)}…` : plain
}
