/**
 * One published answer in the module's own terms: a key to import, a command to give it, and what must
 * come out. The readers beside this file make these from the sources' formats; `../vectors.test.ts`
 * runs them against a target.
 */

import type { AlgorithmName, KeyClass, KeyTypeName } from '../../src/hsm/contract/algorithms.ts'
import type { HsmErrorCode } from '../../src/hsm/contract/errors.ts'

/**
 * Commands and the names of their inputs:
 *   sign data context?; verify data signature context?; encrypt plaintext iv aad; decrypt ciphertext iv
 *   aad; mac data; verifyMac data mac; wrapKey target; unwrapKey ciphertext iv? info? aad?; agree peer;
 *   derive salt info; decapsulate ciphertext; publicKey, of the imported private key, has none.
 */
export type VectorCommand =
  | 'sign'
  | 'verify'
  | 'encrypt'
  | 'decrypt'
  | 'mac'
  | 'verifyMac'
  | 'wrapKey'
  | 'unwrapKey'
  | 'agree'
  | 'derive'
  | 'decapsulate'
  | 'publicKey'

export interface VectorOptions {
  readonly input?: 'message' | 'digest' | 'mu'
  readonly format?: 'der' | 'p1363'
  /** Of a MAC or of what is derived. */
  readonly lengthBytes?: number
  /** Of PBKDF2. */
  readonly iterations?: number
}

export type Expectation =
  | { readonly bytes: Uint8Array }
  | { readonly valid: boolean }
  /** Importing the key or the command must fail with one of these codes. */
  | { readonly refused: readonly HsmErrorCode[] }

export interface VectorCase {
  readonly algorithm: AlgorithmName
  /** Source, file and number there. */
  readonly id: string
  readonly keyType: KeyTypeName
  readonly keyClass: KeyClass
  /** Raw, PKCS#8 or SPKI; not canonical only where the key must be refused. */
  readonly material: Uint8Array
  readonly options: VectorOptions
  readonly command: VectorCommand
  readonly inputs: Readonly<Record<string, Uint8Array>>
  readonly expect: Expectation
}

export type VectorOutcome =
  | { readonly bytes: Uint8Array }
  | { readonly valid: boolean }
  | { readonly refused: HsmErrorCode }

/** Whatever can import a key and use it: the implementations themselves, or the module's door. */
export interface VectorTarget {
  run(vector: VectorCase): Promise<VectorOutcome>
}
