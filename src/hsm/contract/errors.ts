/**
 * Every way a command to the module can fail, as stable codes. The module raises these; what crosses
 * the door is the code and the message, never a stack or a cause. Codes are the contract; messages
 * are for people and may change.
 */

export const hsmErrorCodes = [
  'ALGORITHM_NOT_SUPPORTED',
  'APPROVALS_MISSING',
  'APPROVAL_INVALID',
  'ARGUMENT_INVALID',
  'ATTESTATION_INVALID',
  'CHALLENGE_INVALID',
  'CIPHERTEXT_INVALID',
  'COMMAND_UNKNOWN',
  'FLOOR_FULL',
  'FRAME_INVALID',
  'KEY_DESTROYED',
  'KEY_EXISTS',
  'KEY_NOT_EXPORTABLE',
  'KEY_NOT_LOADED',
  'KEY_STATE_INVALID',
  'KEY_TOO_WEAK',
  'KEY_USE_NOT_PERMITTED',
  'LEDGER_FULL',
  'LEVEL_NOT_PERMITTED',
  'LOGIN_FAILED',
  'LOGIN_LOCKED',
  'MODULE_BUSY',
  'MODULE_FAILED',
  'MODULE_STATE_INVALID',
  'MODULE_TAMPERED',
  'PERSON_NOT_FOUND',
  'RECORD_INVALID',
  'RECORD_NOT_STORED',
  'REWRAP_UNFINISHED',
  'RULES_NOT_MET',
  'SEAL_INVALID',
  'SECURE_HEAP_FULL',
  'SHARE_INVALID',
  'STATE_INVALID',
  'USES_EXHAUSTED',
  'WRAPPED_KEY_INVALID',
  'WRAPPED_KEY_OUTDATED',
] as const

export type HsmErrorCode = (typeof hsmErrorCodes)[number]

/** An expected failure. A bug is not one: a bug throws AssertionError, and that ends the process. */
export class HsmError extends Error {
  override readonly name = 'HsmError'
  readonly code: HsmErrorCode

  constructor(code: HsmErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
