/**
 * Every way a call of the client can fail: what the server answered, as its code, status and request
 * id (RFC 9457 problem details), or what went wrong on this side, as one of the client's own codes.
 */

/** The client's own codes; every other code is the server's (docs/openapi.json). */
export const clientErrorCodes = [
  'ANSWER_INVALID',
  'APPROVAL_INVALID',
  'CONFIGURATION_INVALID',
  'CONFIGURATION_MISSING',
  'FILE_EXISTS',
  'FILE_INVALID',
  'FILE_NOT_READABLE',
  'FILE_NOT_WRITABLE',
  'FILE_TOO_LARGE',
  'INTERRUPTED',
  'PASSPHRASE_INVALID',
  'PORT_IN_USE',
  'RECORD_BROKEN',
  'SERVER_UNREACHABLE',
  'TRANSCRIPT_INVALID',
  'TRANSPORT_KEY_INVALID',
] as const

export type ClientErrorCode = (typeof clientErrorCodes)[number]

export interface ClientErrorDetails extends ErrorOptions {
  /** Of the HTTP answer; none when there was no answer. */
  readonly status?: number
  /** What the record and the server's log know the request by. */
  readonly requestId?: string
}

/** An expected failure: refused by the server, or impossible here. A bug is not one. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly code: string
  readonly status: number | undefined
  readonly requestId: string | undefined

  constructor(code: string, message: string, details: ClientErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.status = details.status
    this.requestId = details.requestId
  }
}

/** The client's own failure. */
export function clientError(
  code: ClientErrorCode,
  message: string,
  details: ClientErrorDetails = {},
): ClientError {
  return new ClientError(code, message, details)
}

/** Of an error of the operating system: "ENOENT" and the like. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
