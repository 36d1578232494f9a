/** Why a witness has not cosigned the newest head, as stable codes: they stand in the status. */

export type WitnessFailureCode =
  /** No connection, no TLS, or no answer in time. */
  | 'WITNESS_UNREACHABLE'
  /** It does not accept this log, or cannot work. */
  | 'WITNESS_REFUSED'
  /** Too long, not in the protocol, no cosignature by its key, or one over something else. */
  | 'WITNESS_ANSWER_INVALID'
  /** It knows less than it has cosigned: it could cosign a second history, and is believed no more. */
  | 'WITNESS_FORGOT'
  /** It has seen a larger record than there is here: this one was put back to an older copy. */
  | 'RECORD_BACK'
  /** It has seen another record of the same origin. */
  | 'RECORD_FORKED'

export class WitnessFailure extends Error {
  override readonly name = 'WitnessFailure'
  readonly code: WitnessFailureCode

  constructor(code: WitnessFailureCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
