/**
 * The commands that found a domain, open it, change who decides in it, and answer to tampering. Shapes
 * as in commands.ts, which has all others.
 */

import type { Credential, DomainState, PersonRole, SecurityLevel } from './domain-state.ts'
import type { TamperResponse, TamperSignal } from './tamper.ts'

type None = Readonly<Record<never, never>>

export const sealKinds = ['passphrase', 'key-file', 'tpm'] as const
export type SealKind = (typeof sealKinds)[number]

/** A person as somebody else names him: without a PIN. */
export interface PersonAsked {
  readonly name: string
  readonly roles: readonly PersonRole[]
  readonly credential: Credential
}

/** What whoever founds a domain decides. */
export interface FoundingAsked {
  readonly level: SecurityLevel
  readonly people: readonly PersonAsked[]
  readonly rules: DomainState['rules']
  readonly tamper: DomainState['tamper']
}

/** Public keys in their text form (docs/formats/share.md section 3). */
export type CustodianAsked =
  | { readonly name: string; readonly kind: 'key'; readonly publicKey: string }
  | { readonly name: string; readonly kind: 'passphrase' }

/** What is left out stays. People are given whole: who is not in the list is one no longer. */
export interface DomainChangeAsked {
  readonly level?: SecurityLevel
  readonly people?: readonly PersonAsked[]
  readonly rules?: DomainState['rules']
  readonly tamper?: DomainState['tamper']
  /** True: a policy becomes weaker, and every key of the domain is destroyed with it. */
  readonly destroysKeys?: boolean
}

/** Key (SPKI, P-256) and name of a TPM's counter, both in hex (contract/nv-certificate.ts). */
export interface PinnedCounterKey {
  readonly publicKey: string
  readonly name: string
}

export interface DomainCommands {
  /**
   * From uninitialised to operational. A seal opens the domain again, or custodians do, or either.
   * Sealed: the secret of the seal; a list of the passphrases of custodians who have one, purpose
   * "custodian share". Answers the seal, the first snapshot, the list of the shares' files, the domain
   * state and what the module says of the founding (docs/formats/transcript.md), both JSON.
   */
  found: {
    arguments: {
      development: boolean
      seal?: SealKind
      founding?: FoundingAsked
      custodians?: { threshold: number; people: readonly CustodianAsked[] }
    }
    parts: { secret?: Uint8Array; passphrases?: Uint8Array }
    result: { domainId: string; moduleId: string; identityKey: string }
    answer: {
      snapshot: Uint8Array
      state: Uint8Array
      founding: Uint8Array
      seal?: Uint8Array
      shares?: Uint8Array
    }
  }
  /** Hands over, piece by piece and in order, what the host keeps; nothing is read before unlock. */
  stage: {
    arguments: { kind: 'snapshot' | 'change' | 'head' | 'frontier' | 'group' | 'prelude' }
    parts: { data: Uint8Array }
    result: { stagedBytes: number }
    answer: None
  }
  /** A custodian's share, purpose "offered share", with a challenge for this command as its context. */
  offerShare: {
    arguments: { challenge: string }
    parts: { share: Uint8Array }
    result: {
      domainId: string
      shareSet: string
      index: number
      offered: number
      threshold: number
    }
    answer: None
  }
  /** By a seal and its secret, or by the shares of a splitting that were offered. */
  unlock: {
    arguments: { seal: SealKind } | { seal: 'shares'; shareSet: string }
    parts: { seal?: Uint8Array; secret?: Uint8Array }
    result: {
      domainId: string
      moduleId: string
      development: boolean
      recordSize: number
      identityKey: string
    }
    answer: None
  }
  /** Erases all secrets. The host replaces the process afterwards. */
  lock: { arguments: None; parts: None; result: None; answer: None }
  /** A further seal over the same root, under another secret. */
  addSeal: {
    arguments: { seal: SealKind }
    parts: { secret: Uint8Array }
    result: None
    answer: { seal: Uint8Array }
  }
  /** Whether the host may take a seal away. What it counts for in a certificate stays: there may be copies. */
  removeSeal: { arguments: { seal: SealKind }; parts: None; result: None; answer: None }
  /** For approvals of this command, or secrets that go with it: good once, here, until the restart. */
  getChallenge: {
    arguments: { command: string }
    parts: None
    result: { challenge: string; expires: number }
    answer: None
  }
  /** The version in force: JSON of statement and signature. The certificate of the epoch's last weakening. */
  getDomainState: {
    arguments: None
    parts: None
    result: { version: number; hash: string }
    answer: { state: Uint8Array; certificate?: Uint8Array }
  }
  /**
   * The next version of the domain state. What weakens a policy destroys every key, and is refused unless
   * the change says so; `destroyed` is the KEK that is gone, and every older one.
   */
  changeDomain: {
    arguments: { change: DomainChangeAsked }
    parts: None
    result: { version: number; hash: string; destroyed?: { epoch: number; kek: number } }
    answer: { state: Uint8Array; certificate?: Uint8Array }
  }
  /**
   * A person's PIN or passphrase, sealed with purpose "login" and a challenge for this command as context.
   * Approved by the person, who has none yet or is logged in, or by the rule officers.
   */
  setPin: {
    arguments: { person: string; challenge: string }
    parts: { pin: Uint8Array }
    result: { version: number; hash: string }
    answer: { state: Uint8Array }
  }
  /** Sealed so too. Answers when the session ends, in milliseconds since 1970. */
  login: {
    arguments: { person: string; challenge: string }
    parts: { pin: Uint8Array }
    result: { expires: number }
    answer: None
  }
  /** Whoever failed too often may try again. */
  resetLogin: { arguments: { person: string }; parts: None; result: None; answer: None }
  /** What the host has seen, of the signals that it can see. */
  reportTamper: {
    arguments: { signal: TamperSignal; detail: string }
    parts: None
    result: { response: TamperResponse }
    answer: None
  }
  /**
   * The word of a TPM counter, certified for a challenge for this command; with `pin` of another counter
   * from now on. Answers what the host is to raise it to, once the answer is durable.
   */
  confirmCounter: {
    arguments: { challenge: string; pin?: PinnedCounterKey }
    parts: { attestation: Uint8Array; signature: Uint8Array }
    result: { next: number }
    answer: None
  }
  /**
   * Another start in the log of starts, for the pinned witness, or for one that is to be. Answers both heads that the witness is to cosign, signed notes, and for its
   * proofs the frontier of the tree that it cosigned last, of so many leaves, and the leaves behind it.
   */
  signStart: {
    arguments: { pin?: boolean }
    parts: None
    result: { pinned: string | null; size: number }
    answer: { starts: Uint8Array; note: Uint8Array; hashes: Uint8Array }
  }
  /**
   * Its cosignatures (contract/cosignature.ts) over the heads of the last signStart; with `pin` another witness from now
   * on, by its verifier key.
   */
  confirmWitness: {
    arguments: { pin?: string }
    parts: { starts: Uint8Array; record: Uint8Array }
    result: None
    answer: None
  }
  /** Back to operational. */
  acknowledgeTamper: { arguments: None; parts: None; result: None; answer: None }
  /** Overwrites all secrets. The frame `zeroised` follows the answer, and then the end. */
  zeroise: { arguments: { reason: string }; parts: None; result: None; answer: None }
}
