/**
 * What one algorithm can do: the shape of a row in the module's registry (`../algorithms.ts`). A
 * function that is absent is an operation that the algorithm does not have. Fast operations answer
 * at once, slow ones with a promise from the thread pool or the worker, so a slow one never holds up
 * a fast one. Keys arrive with the right type; permitted uses and states were checked before.
 *
 * Failures are HsmError: ARGUMENT_INVALID for what the caller got wrong and can see itself, and
 * CIPHERTEXT_INVALID, always with the same message, for everything that a ciphertext can be. A
 * signature or MAC that does not verify is `false`, however malformed it is.
 */

import { HsmError } from '../contract/errors.ts'
import type { KeyMaterial } from '../keys/material.ts'
import type { Secret } from '../secret.ts'

export type Maybe<T> = T | Promise<T>

export interface SignatureOptions {
  /** A message, a ready digest of the algorithm's hash, or the 64 bytes of ML-DSA's mu. */
  readonly input: 'message' | 'digest' | 'mu'
  /** ECDSA has both; every other signature has one form, and its name here is `der`. */
  readonly format: 'der' | 'p1363'
  /** Ed448, ML-DSA and SLH-DSA only, at most 255 bytes; empty for every other algorithm. */
  readonly context: Uint8Array
}

export interface EncryptOptions {
  /** The caller's IV. Absent: the module makes a fresh one. */
  readonly iv?: Uint8Array
  /** Associated data of an AEAD, label of OAEP; empty for a cipher that has none. */
  readonly aad: Uint8Array
}

export interface Encrypted {
  /** Empty for an algorithm without one (OAEP, KW, KWP). */
  readonly iv: Uint8Array
  /** With the tag of an AEAD behind it. */
  readonly ciphertext: Uint8Array
}

export interface Wrapped extends Encrypted {
  /** Of HPKE, in published answers alone: what commands wrap has neither. */
  readonly info?: Uint8Array
  readonly aad?: Uint8Array
}

export interface DecryptOptions extends Encrypted {
  readonly aad: Uint8Array
}

export interface DeriveOptions {
  readonly salt: Uint8Array
  readonly info: Uint8Array
  readonly label: Uint8Array
  readonly context: Uint8Array
  readonly lengthBytes: number
  /** PBKDF2 only; 0 or left out for every other algorithm. */
  readonly iterations?: number
}

export interface Encapsulated {
  readonly sharedSecret: Secret
  readonly ciphertext: Uint8Array
}

export interface Implementation {
  readonly sign?: (
    key: KeyMaterial,
    data: Uint8Array,
    options: SignatureOptions,
  ) => Maybe<Uint8Array>
  readonly verify?: (
    key: KeyMaterial,
    data: Uint8Array,
    signature: Uint8Array,
    options: SignatureOptions,
  ) => Maybe<boolean>
  readonly encrypt?: (
    key: KeyMaterial,
    plaintext: Uint8Array,
    options: EncryptOptions,
  ) => Maybe<Encrypted>
  /** Plaintext is in memory of its own: the caller may erase it. */
  readonly decrypt?: (key: KeyMaterial, options: DecryptOptions) => Maybe<Uint8Array>
  /** Full length; `verifyMac` of `../algorithms.ts` compares, in constant time. */
  readonly mac?: (key: KeyMaterial, data: Uint8Array) => Uint8Array
  readonly wrap?: (key: KeyMaterial, keyBytes: Secret) => Maybe<Encrypted>
  readonly unwrap?: (key: KeyMaterial, wrapped: Wrapped) => Maybe<Secret>
  readonly encapsulate?: (key: KeyMaterial) => Maybe<Encapsulated>
  readonly decapsulate?: (key: KeyMaterial, ciphertext: Uint8Array) => Maybe<Secret>
  readonly derive?: (key: KeyMaterial, options: DeriveOptions) => Maybe<Secret>
  /** With full validation of the peer's public key (SP 800-56A section 5.6.2.3). */
  readonly agree?: (key: KeyMaterial, peerSpki: Uint8Array) => Maybe<Secret>
}

/** The one answer to every ciphertext, tag, IV or key that does not fit: no oracle. */
export function ciphertextInvalid(cause?: unknown): HsmError {
  return new HsmError(
    'CIPHERTEXT_INVALID',
    'the ciphertext, its associated data or its key is not right',
    cause === undefined ? undefined : { cause },
  )
}

/** @throws HsmError ARGUMENT_INVALID when there is associated data for an algorithm without any */
export function assertNoAad(aad: Uint8Array): void {
  if (aad.length > 0) {
    throw new HsmError('ARGUMENT_INVALID', 'this algorithm takes no associated data')
  }
}

/** @throws HsmError ARGUMENT_INVALID unless the IV that a caller gave is as long as it must be */
export function assertIvLength(iv: Uint8Array, range: { min: number; max: number }): void {
  if (iv.length >= range.min && iv.length <= range.max) return
  const lengths = range.min === range.max ? `${range.min}` : `${range.min} to ${range.max}`
  throw new HsmError('ARGUMENT_INVALID', `the IV of this algorithm has ${lengths} bytes`)
}

/**
 * The options that a plain signature algorithm has: a message, one form, no context.
 * @throws HsmError ARGUMENT_INVALID
 */
export function assertPlainSignature(
  options: SignatureOptions,
  allowed: { readonly digest?: boolean; readonly p1363?: boolean } = {},
): void {
  const { input, format, context } = options
  if (input !== 'message' && !(input === 'digest' && allowed.digest)) {
    throw new HsmError('ARGUMENT_INVALID', `this algorithm does not sign a ready ${input}`)
  }
  if (format !== 'der' && !allowed.p1363) {
    throw new HsmError('ARGUMENT_INVALID', 'only ECDSA has the IEEE P1363 form')
  }
  if (context.length > 0) {
    throw new HsmError('ARGUMENT_INVALID', 'this algorithm takes no context')
  }
}

/** FIPS 204 and 205, RFC 8032. */
const contextBytesMax = 255

/**
 * The options of a signature over a message with a context.
 * @throws HsmError ARGUMENT_INVALID
 */
export function assertContextSignature({ input, format, context }: SignatureOptions): void {
  assertPlainSignature({ input, format, context: new Uint8Array() })
  if (context.length <= contextBytesMax) return
  throw new HsmError('ARGUMENT_INVALID', `the context has at most ${contextBytesMax} bytes`)
}

/** @throws HsmError ARGUMENT_INVALID when there is a count for a derivation that does not iterate */
export function assertNoIterations({ iterations = 0 }: DeriveOptions): void {
  if (iterations === 0) return
  throw new HsmError('ARGUMENT_INVALID', 'only PBKDF2 takes a number of iterations')
}

/** Runs a node:crypto call in its callback form, on the thread pool. */
export function onThreadPool<T>(
  start: (callback: (error: Error | null, result: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, result) => {
      if (error) reject(error)
      else resolve(result)
    })
  })
}

/** Messages above this length are hashed on the thread pool even where the signature is fast. */
export const synchronousBytesMax = 32 * 1024
