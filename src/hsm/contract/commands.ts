/**
 * The shape of every command: its arguments (JSON members), the parts that go in (bytes by name, "?"
 * for those that may be left out), its result (JSON members) and the parts that come out. The module
 * parses what arrives here strictly and does not rely on these types; they are for whoever calls.
 */

import type { AlgorithmName } from './algorithms.ts'
import type { DomainCommands } from './domain-commands.ts'
import type { EntropyCommands } from './entropy.ts'
import type { EpochCommands } from './epoch-commands.ts'
import type { HsmErrorCode } from './errors.ts'
import type { KeyAttributes, KeyChange, KeyTemplate } from './keys.ts'

export const moduleStates = [
  'uninitialised',
  'locked',
  'operational',
  'tampered',
  'failed',
] as const
export type ModuleState = (typeof moduleStates)[number]

/** What the caller says of who asked; until sessions exist it is the manager's word. */
export interface Claim {
  readonly identity: string
  readonly requestId: string
  readonly protocol: string
  readonly address: string
}

export interface RequestItem {
  readonly command: CommandName
  readonly arguments: Readonly<Record<string, unknown>>
  /** Lengths by name, in the order in which the bytes follow. */
  readonly parts: Readonly<Record<string, number>>
}

/** A frame to the module: a request, or (id 0) how many leaves the host has stored. */
export type RequestHeader =
  | { readonly id: number; readonly claim: Claim; readonly items: readonly RequestItem[] }
  | { readonly id: 0; readonly stored: number }

export type AnswerItem =
  | {
      readonly result: Readonly<Record<string, unknown>>
      readonly parts: Readonly<Record<string, number>>
    }
  | { readonly error: { readonly code: HsmErrorCode; readonly message: string } }

/**
 * A frame from the module. The body is: the group of leaves, the sealed changes of state (each with a
 * u32 length), then the parts of the items in order. Id 0 carries a signed head as its only part.
 */
export type AnswerHeader =
  | {
      readonly id: number
      readonly leaves: number
      readonly changes: number
      readonly items: readonly AnswerItem[]
    }
  | { readonly id: 0; readonly head: number }
  /** The last frame, of a module that has zeroised itself: the group of leaves, and the certificate. */
  | { readonly id: 0; readonly leaves: number; readonly zeroised: number }
  /** The frame with this id, or (-1) one whose id could not be read, was refused as a whole. */
  | {
      readonly id: number
      readonly error: { readonly code: HsmErrorCode; readonly message: string }
    }

interface KeyArguments {
  readonly key: string
  readonly version: number
}

interface Shape {
  readonly arguments: object
  readonly parts: Readonly<Record<string, Uint8Array>>
  readonly result: object
  readonly answer: Readonly<Record<string, Uint8Array>>
}

/** Every use names a key and may bring its wrapped key, in case it is not loaded. */
interface Use<A, P, R, O> {
  readonly arguments: KeyArguments & { readonly algorithm?: AlgorithmName } & A
  readonly parts: { readonly wrapped?: Uint8Array } & P
  readonly result: R
  readonly answer: O
}

type None = Readonly<Record<never, never>>

interface Signing {
  /** A message (default), a ready digest of the algorithm's hash, or the mu of ML-DSA. */
  readonly input?: 'message' | 'digest' | 'mu'
  /** ECDSA only: DER (default) or IEEE P1363. */
  readonly format?: 'der' | 'p1363'
}

/** What a command that makes a key answers. Public halves are SPKI. */
export interface NewKey {
  readonly attributes: KeyAttributes
  readonly checkValue: {
    readonly cmac?: string
    readonly zeroBlock?: string
    readonly fingerprint?: string
  }
}

type NewKeyParts = { readonly wrapped: Uint8Array; readonly publicKey?: Uint8Array }

/** Where a derived, agreed or transported secret goes: a new key, or out (plaintextRelease). */
interface SecretTarget {
  readonly into?: KeyArguments & { readonly template: KeyTemplate }
  /** Length of what is released or derived, in bytes. */
  readonly lengthBytes?: number
}

type SecretResult = { readonly made?: NewKey }
type SecretParts = { readonly wrapped?: Uint8Array; readonly secret?: Uint8Array }

export interface ModuleStatus {
  readonly state: ModuleState
  /** Why the state is failed or tampered; empty otherwise. */
  readonly reason: string
  readonly moduleId: string
  readonly domainId: string
  /** Ed25519, 32 bytes in hex: what the heads of the record are signed with. Empty before founding. */
  readonly identityKey: string
  readonly development: boolean
  /** Security level of the domain, 1 to 4; 0 before there is one. */
  readonly level: number
  readonly epoch: number
  /** Generation of the key-encryption key, counted from the founding. */
  readonly kek: number
  /** Whether the KEK before is held as well: keys are being re-wrapped. */
  readonly rewrapping: boolean
  readonly loadedKeys: number
  readonly floorEntries: number
  readonly recordSize: number
  readonly wall: string
  /** Known answers since the start, those not asked yet, and when the last was (milliseconds since 1970). */
  readonly selfTests: {
    readonly passed: number
    readonly failed: number
    readonly pending: number
    readonly lastRun: number
  }
  readonly residentBytes: number
  /** Processor time of the process so far, in microseconds. */
  readonly cpuMicros: number
  /** What has confirmed that the sealed state is the newest; unconfirmed: nothing yet, and it is asked for. */
  readonly freshness: 'none' | 'unconfirmed' | 'tpm counter' | 'witness'
  readonly version: string
  readonly node: string
}

export interface Commands extends DomainCommands, EntropyCommands, EpochCommands {
  getStatus: { arguments: None; parts: None; result: ModuleStatus; answer: None }
  /** All known answers, or those of these algorithms and names. */
  selfTest: {
    arguments: { readonly tests?: readonly string[] }
    parts: None
    /** All of them were met: one that was not is MODULE_FAILED. */
    result: { tests: number; names: readonly string[] }
    answer: None
  }
  /** The transport key is fresh at each start. Sealed secrets are for this start of this module. */
  getTransportKey: { arguments: None; parts: None; result: None; answer: { publicKey: Uint8Array } }
  /** Piece 0 freezes a new generation: later sealed changes belong to it. */
  takeSnapshot: {
    arguments: { piece: number }
    parts: None
    result: { generation: number; pieces: number }
    answer: { snapshot: Uint8Array }
  }
  /** The signed note of the record as it is now. */
  signHead: { arguments: None; parts: None; result: { size: number }; answer: { note: Uint8Array } }

  /** The signed files of contract/attestation.ts; the nonce in lower-case hex, 16 to 64 bytes. */
  attest: {
    arguments: { nonce: string }
    parts: None
    result: None
    answer: { attestation: Uint8Array }
  }
  attestKey: {
    arguments: KeyArguments & { nonce: string }
    parts: { wrapped?: Uint8Array }
    result: None
    answer: { attestation: Uint8Array }
  }
  /** What outsiders pin: members and people of the domain, signed by this member. */
  getDomainStatement: {
    arguments: None
    parts: None
    result: None
    answer: { statement: Uint8Array }
  }

  generateKey: {
    arguments: KeyArguments & { template: KeyTemplate }
    parts: None
    result: NewKey
    answer: NewKeyParts
  }
  /** Sealed by sealKeyToImport: canonical bytes (secret: raw; private: PKCS#8 DER; public: SPKI DER), bound to these arguments. */
  importKey: {
    arguments: KeyArguments & { template: KeyTemplate; class: 'secret' | 'private' | 'public' }
    parts: { sealed: Uint8Array }
    result: NewKey
    answer: NewKeyParts
  }
  loadKey: {
    arguments: KeyArguments
    parts: { wrapped: Uint8Array }
    result: NewKey
    answer: { publicKey?: Uint8Array }
  }
  unloadKey: { arguments: KeyArguments; parts: None; result: None; answer: None }
  /**
   * A new revision, in force in this module at once. The floor refuses the older one only from
   * raiseFloor on: if it did so here, a crash before the new wrapped key is stored would lose the key.
   */
  changeKey: {
    arguments: KeyArguments & { change: KeyChange }
    parts: { wrapped: Uint8Array }
    result: { attributes: KeyAttributes }
    answer: { wrapped: Uint8Array }
  }
  /**
   * Refuses every revision older than this wrapped key's from then on. Asked once the wrapped key that
   * changeKey made is stored; asking again changes nothing.
   */
  raiseFloor: {
    arguments: KeyArguments
    parts: { wrapped: Uint8Array }
    result: { revision: number }
    answer: None
  }
  /**
   * Needs no wrapped key: the floor refuses every copy from then on. Certified, it answers what the module
   * says of it (contract/certificate.ts), more of a key that is loaded or brought.
   */
  destroyKey: {
    arguments: KeyArguments & { certify?: boolean }
    parts: { wrapped?: Uint8Array }
    result: None
    answer: { certificate?: Uint8Array }
  }

  sign: Use<Signing, { data: Uint8Array; context?: Uint8Array }, None, { signature: Uint8Array }>
  /** A CertificationRequestInfo (RFC 2986) that names this key; ECDSA in DER. */
  signRequest: Use<None, { request: Uint8Array }, None, { signature: Uint8Array }>
  verify: Use<
    Signing,
    { data: Uint8Array; signature: Uint8Array; context?: Uint8Array },
    { valid: boolean },
    None
  >
  /** The tag of an AEAD stands behind the ciphertext. */
  encrypt: Use<
    None,
    { plaintext: Uint8Array; aad?: Uint8Array; iv?: Uint8Array },
    None,
    { iv: Uint8Array; ciphertext: Uint8Array }
  >
  decrypt: Use<
    None,
    { ciphertext: Uint8Array; iv?: Uint8Array; aad?: Uint8Array },
    None,
    { plaintext: Uint8Array }
  >
  /** lengthBytes truncates, to no less than 4 bytes. */
  mac: Use<{ lengthBytes?: number }, { data: Uint8Array }, None, { mac: Uint8Array }>
  verifyMac: Use<None, { data: Uint8Array; mac: Uint8Array }, { valid: boolean }, None>
  /** The key of the command wraps the target, which must be exportable and no stronger. */
  wrapKey: Use<
    { target: KeyArguments },
    { targetWrapped?: Uint8Array },
    None,
    { iv: Uint8Array; ciphertext: Uint8Array }
  >
  unwrapKey: Use<
    { into: KeyArguments & { template: KeyTemplate; class: 'secret' | 'private' } },
    { ciphertext: Uint8Array; iv?: Uint8Array },
    NewKey,
    NewKeyParts
  >
  /**
   * HKDF takes salt and info; KDF-COUNTER label and context, or the ready fixed input as info; PBKDF2 salt
   * and iterations.
   */
  deriveKey: Use<
    SecretTarget & { readonly iterations?: number },
    { salt?: Uint8Array; info?: Uint8Array; label?: Uint8Array; context?: Uint8Array },
    SecretResult,
    SecretParts
  >
  /** The peer's public key as SPKI. */
  agree: Use<SecretTarget, { peer: Uint8Array }, SecretResult, SecretParts>
  encapsulate: Use<SecretTarget, None, SecretResult, SecretParts & { ciphertext: Uint8Array }>
  decapsulate: Use<SecretTarget, { ciphertext: Uint8Array }, SecretResult, SecretParts>
  random: {
    arguments: { lengthBytes: number; predictionResistance?: boolean }
    parts: None
    result: None
    answer: { bytes: Uint8Array }
  }
}

export type CommandName = keyof Commands

/** One command, ready to be sent. */
export interface Call<N extends CommandName = CommandName> {
  readonly command: N
  readonly arguments: Commands[N]['arguments']
  readonly parts: Commands[N]['parts']
}

/** What came back for it: the result's members and the parts, or an error. */
export type Outcome<N extends CommandName = CommandName> =
  | { readonly result: Commands[N]['result']; readonly parts: Commands[N]['answer'] }
  | { readonly error: { readonly code: HsmErrorCode; readonly message: string } }

/** Every shape is well-formed; a row that is not does not compile. */
export type WellFormed = { [N in CommandName]: Commands[N] extends Shape ? N : never }
