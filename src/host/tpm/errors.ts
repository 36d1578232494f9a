/**
 * Every way the use of a TPM can fail, as stable codes. Each message says what happened and what to do
 * next.
 */

export const tpmErrorCodes = [
  /** tpm2-tools are not installed. */
  'TPM_TOOLS_MISSING',
  /** There is no TPM, or it does not answer. */
  'TPM_UNAVAILABLE',
  /** The TPM refused: the machine is not in the state that the seal was bound to. */
  'TPM_POLICY_REFUSED',
  /** The TPM refused the PIN of the seal, or is locked because of wrong ones. */
  'TPM_AUTH_REFUSED',
  /** What is kept was made by another TPM, or was changed. */
  'TPM_FOREIGN',
  /** There is nothing that this TPM is to open or count. */
  'TPM_NOT_SET_UP',
  /** What the TPM answered is not what it must be. */
  'TPM_ANSWER_INVALID',
] as const

export type TpmErrorCode = (typeof tpmErrorCodes)[number]

/** An expected failure. A bug throws AssertionError. */
export class TpmError extends Error {
  override readonly name = 'TpmError'
  readonly code: TpmErrorCode

  constructor(code: TpmErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
