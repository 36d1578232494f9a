/**
 * What both sides of the door say about a key: its id, its attributes, its states (SP 800-57 part 1
 * section 7), and which uses a state leaves.
 */

import type { AlgorithmName, KeyClass, KeyTypeName, KeyUse } from './algorithms.ts'
import { HsmError } from './errors.ts'

declare const brand: unique symbol

/** A string that is known to be a well-formed key id. Only parseKeyId makes one. */
export type KeyId = string & { readonly [brand]: 'KeyId' }

const keyIdPattern = /^key_[0-9a-f]{32}$/

export function parseKeyId(text: unknown): KeyId {
  if (typeof text !== 'string' || !keyIdPattern.test(text)) {
    throw new HsmError('ARGUMENT_INVALID', 'key id must be "key_" and 32 lower-case hex digits')
  }
  return text as KeyId
}

/** The 16 bytes of a key id, and back. */
export function keyIdBytes(keyId: KeyId): Buffer {
  return Buffer.from(keyId.slice(4), 'hex')
}

export function keyIdFromBytes(bytes: Uint8Array): KeyId {
  return parseKeyId(`key_${Buffer.from(bytes).toString('hex')}`)
}

/**
 * Generation of the KEK that a wrapped key names (docs/formats/wrapped-key.md section 2), for whoever
 * keeps it and has it re-wrapped; the module believes what it opens.
 */
export function kekOfWrapped(wrapped: Uint8Array): number {
  return new DataView(wrapped.buffer, wrapped.byteOffset, wrapped.length).getUint32(92)
}

/** States in which a key has bytes; the position is its number in a wrapped key. */
export const keyStates = [
  'pre-active',
  'active',
  'suspended',
  'deactivated',
  'compromised',
] as const

export type KeyState = (typeof keyStates)[number]

const all: readonly KeyUse[] = [
  'encrypt',
  'decrypt',
  'sign',
  'verify',
  'mac',
  'verifyMac',
  'wrap',
  'unwrap',
  'derive',
  'agree',
  'encapsulate',
  'decapsulate',
]

/**
 * SP 800-57 part 1 section 7: an active key protects and processes; a suspended one only lets what it
 * protected be verified; a deactivated one only processes; a compromised one, nothing without an
 * explicit decision, for which there is no command.
 */
export const usesByState = {
  'pre-active': [],
  active: all,
  suspended: ['verify', 'verifyMac'],
  deactivated: ['decrypt', 'verify', 'verifyMac', 'unwrap', 'decapsulate'],
  compromised: [],
} as const satisfies Record<KeyState, readonly KeyUse[]>

/** How the key came into the module; the position is its number in a wrapped key. 4 is kept for restored. */
export const provenances = ['generated', 'imported', 'derived', 'unwrapped'] as const

export type Provenance = (typeof provenances)[number]

/** What whoever creates a key decides. */
export interface KeyTemplate {
  readonly type: KeyTypeName
  /** Permitted algorithms, at least one; the first is the default. */
  readonly algorithms: readonly AlgorithmName[]
  readonly uses: readonly KeyUse[]
  /** True: may leave the module wrapped under another key with the use "wrap". */
  readonly exportable: boolean
  /** True: the caller gives the IV of GCM, CTR and CBC. Never an approved mode. */
  readonly externalIv: boolean
  /** True: what is derived, agreed or decapsulated with it may leave in plaintext. */
  readonly plaintextRelease: boolean
  /** Milliseconds since 1970; 0 for none. Outside of them the key is not used. */
  readonly notBefore: number
  readonly notAfter: number
  /** Length of a generic secret to generate; 0 for every other type. */
  readonly lengthBytes: number
  /** People of the domain who have to sign each use; none when left out. */
  readonly approvals?: number
  /** True: nobody is meant to use it, and a use is a tamper signal. False when left out. */
  readonly canary?: boolean
  /** How often the key may be used, counted by the module that makes it; 0, or left out, for no limit. */
  readonly usesMax?: number
}

/** What the module binds to a key, besides its bytes. */
export interface KeyAttributes {
  readonly key: KeyId
  readonly version: number
  /** Grows with every change of what the key may do; the floor refuses older ones. */
  readonly revision: number
  readonly class: KeyClass
  readonly state: KeyState
  readonly provenance: Provenance
  /** Milliseconds since 1970. */
  readonly created: number
  readonly type: KeyTypeName
  readonly algorithms: readonly AlgorithmName[]
  readonly uses: readonly KeyUse[]
  readonly exportable: boolean
  readonly externalIv: boolean
  readonly plaintextRelease: boolean
  readonly notBefore: number
  readonly notAfter: number
  readonly approvals: number
  readonly canary: boolean
  /** 0 for no limit. */
  readonly usesMax: number
  /** The module that counts the uses, 16 bytes in hex; empty without a limit. */
  readonly home: string
}

/** What a change of a key may set; everything else is fixed at birth. Uses can only shrink. */
export interface KeyChange {
  readonly state?: KeyState
  readonly uses?: readonly KeyUse[]
  readonly notBefore?: number
  readonly notAfter?: number
}
