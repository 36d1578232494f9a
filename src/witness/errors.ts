/** Every way a witness can fail at its own machine, as stable codes. What it answers over HTTP is in add-checkpoint.ts. */

export type WitnessErrorCode =
  /** The folder has no key; it was never made, or is not a witness's. */
  | 'WITNESS_MISSING'
  /** There is a witness in the folder already. */
  | 'WITNESS_EXISTS'
  /** Others can read its key. */
  | 'WITNESS_UNSAFE'
  /** What it keeps is not as it wrote it. It does not go on: it could sign a second history. */
  | 'WITNESS_DAMAGED'
  /** A name, key or address is not one that a witness can use. */
  | 'WITNESS_ARGUMENT'

export class WitnessError extends Error {
  override readonly name = 'WitnessError'
  readonly code: WitnessErrorCode

  constructor(code: WitnessErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
