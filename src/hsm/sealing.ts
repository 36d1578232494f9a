/**
 * How the module seals what it hands to its host for keeping: XAES-256-GCM (C2SP) under one key, the
 * random nonce in front. What is sealed has authenticated associated data and no other protection: that
 * it is the newest is for whoever chooses the associated data.
 */

import { createSecretKey } from 'node:crypto'
import { tagBytes } from './primitives/aead.ts'
import { DerivingKey, openUnder, sealUnder } from './primitives/xaes-256-gcm.ts'
import { randomNonce } from './random.ts'
import type { Secret } from './secret.ts'

const nonceBytes = 24

/** What sealing adds: the nonce in front and the tag behind. */
export const sealingOverheadBytes = nonceBytes + tagBytes

export class SealingKey implements Disposable {
  readonly #aes: DerivingKey

  /** The 32 bytes stay the caller's. */
  constructor(key: Secret) {
    this.#aes = new DerivingKey(key.expose((bytes) => createSecretKey(bytes)))
  }

  /** Nonce (24), ciphertext, tag (16). */
  seal(aad: Uint8Array, plaintext: Uint8Array): Buffer {
    const iv = randomNonce(nonceBytes)
    return Buffer.concat([iv, sealUnder(this.#aes, { iv, aad }, plaintext)])
  }

  /** In memory of its own. @throws HsmError CIPHERTEXT_INVALID */
  open(aad: Uint8Array, sealed: Uint8Array): Buffer {
    const iv = sealed.subarray(0, nonceBytes)
    return openUnder(this.#aes, { iv, aad }, sealed.subarray(nonceBytes))
  }

  [Symbol.dispose](): void {
    this.#aes[Symbol.dispose]()
  }
}
