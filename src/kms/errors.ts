/**
 * Every way a call of the manager can fail, as stable codes: the module's own, and the manager's.
 * Each protocol translates them in one total table. Codes are the contract; messages are for people
 * and may change. Whatever is not a KmsError is a bug or a broken environment, and is INTERNAL outside.
 */

import { type HsmErrorCode, hsmErrorCodes } from '../hsm/contract/errors.ts'

const ownErrorCodes = [
  'ACCESS_DENIED',
  'CONFIRMATION_INVALID',
  'GRANT_NOT_FOUND',
  'IDEMPOTENCY_CONFLICT',
  'IDENTITY_DISABLED',
  'IDENTITY_NOT_FOUND',
  'INTERNAL',
  'KEY_NOT_FOUND',
  'LIMIT_REACHED',
  'MODULE_UNAVAILABLE',
  'NAMESPACE_NOT_FOUND',
  'NAME_TAKEN',
  'OVERLOADED',
  'PRECONDITION_FAILED',
  'PRECONDITION_REQUIRED',
  'SEAL_LAST',
  'SEAL_MISSING',
  'TOKEN_INVALID',
  'TOKEN_NOT_FOUND',
  'TPM_FAILED',
  'VERSION_NOT_FOUND',
] as const

/** The module's codes, and the manager's own. */
export const kmsErrorCodes = [...hsmErrorCodes, ...ownErrorCodes] as const

export type KmsErrorCode = HsmErrorCode | (typeof ownErrorCodes)[number]

/** An expected failure of a call of the manager. */
export class KmsError extends Error {
  override readonly name = 'KmsError'
  readonly code: KmsErrorCode

  constructor(code: KmsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
