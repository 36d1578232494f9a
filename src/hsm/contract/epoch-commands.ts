/** The shapes of the commands that renew the keys of the domain, as `commands.ts` has those of all others. */

import type { CustodianAsked, SealKind } from './domain-commands.ts'

type Nothing = Readonly<Record<never, never>>

/** The KEK in force. */
export interface KekResult {
  readonly epoch: number
  readonly kek: number
}

export interface EpochCommands {
  /**
   * Rotate and shred, first step: makes the next epoch ready (new root, KEK and backup key, the next domain
   * state) and answers a seal of the new root, shares of it, or both, as `found` does. From then on the module does nothing else until
   * commitEpoch or abortEpoch.
   */
  beginEpoch: {
    arguments: {
      seal?: SealKind
      custodians?: { threshold: number; people: readonly CustodianAsked[] }
    }
    parts: { secret?: Uint8Array; passphrases?: Uint8Array }
    result: { epoch: number; version: number }
    answer: { seal?: Uint8Array; shares?: Uint8Array }
  }
  /** The sealed state of the next epoch, piece by piece. */
  takeEpochSnapshot: {
    arguments: { piece: number }
    parts: Nothing
    result: { generation: number; pieces: number }
    answer: { snapshot: Uint8Array }
  }
  /**
   * The next epoch is in force, and the root before is overwritten. Changes that follow are of the new
   * state; wrapped keys of the epoch before open until retireKek.
   */
  commitEpoch: { arguments: Nothing; parts: Nothing; result: KekResult; answer: Nothing }
  /** Back to the epoch in force. */
  abortEpoch: { arguments: Nothing; parts: Nothing; result: Nothing; answer: Nothing }
  /**
   * A new key-encryption key (routine). Wrapped keys under the one before still open, until retireKek;
   * none is made under it any more.
   */
  rotateKek: { arguments: Nothing; parts: Nothing; result: KekResult; answer: Nothing }
  /** The same key, attributes and revision under the KEK in force. */
  rewrapKey: {
    arguments: { key: string; version: number }
    parts: { wrapped: Uint8Array }
    result: { revision: number }
    answer: { wrapped: Uint8Array }
  }
  /**
   * Erases the KEK before: what was not re-wrapped by then does not open any more. Asked again it changes
   * nothing. Behind a new epoch it answers the certificate of the shredding (contract/certificate.ts).
   */
  retireKek: {
    arguments: Nothing
    parts: Nothing
    result: KekResult
    answer: { certificate?: Uint8Array }
  }
}
