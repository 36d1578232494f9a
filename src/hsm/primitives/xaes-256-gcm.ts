/**
 * XAES-256-GCM (C2SP, https://c2sp.org/XAES-256-GCM): AES-256-GCM under a key that is derived for each
 * nonce of 192 bits by the SP 800-108 counter KDF with CMAC, so that random nonces never run out. The
 * default for encryption. One encrypting context and the CMAC subkey K1 are kept per loaded key, which
 * makes a call a third cheaper than starting from the key each time.
 */

import { type Cipheriv, createCipheriv, type KeyObject } from 'node:crypto'
import { secretMemory } from '../contract/secret-memory.ts'
import { randomNonce } from '../random.ts'
import { Secret } from '../secret.ts'
import { open, seal } from './aead.ts'
import { assertIvLength, ciphertextInvalid, type Implementation } from './implementation.ts'

const nonceBytes = 24
const nonceRange = { min: nonceBytes, max: nonceBytes }
const none = new Uint8Array()

/** What is computed once per key: AES-256 under it, and K1. */
export class DerivingKey implements Disposable {
  readonly #aes: Cipheriv
  readonly #k1: Buffer
  /** M1 xor K1, then M2 xor K1; a single thread uses it. */
  readonly #blocks = secretMemory(32)

  constructor(key: KeyObject) {
    this.#aes = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false)
    this.#k1 = doubled(this.#aes.update(Buffer.alloc(16)))
  }

  /** The AES-256-GCM key of a nonce; the caller erases it. */
  keyFor(nonce: Uint8Array): Buffer {
    const blocks = this.#blocks
    const k1 = this.#k1
    for (let index = 0; index < 16; index += 1) {
      const message = index < 4 ? 0 : (nonce[index - 4] ?? 0)
      const byte = (k1[index] ?? 0) ^ message
      blocks[index] = byte
      blocks[16 + index] = byte
    }
    // M1 = 00 01 58 00 || N[:12], M2 = 00 02 58 00 || N[:12].
    blocks[1] = (blocks[1] ?? 0) ^ 1
    blocks[17] = (blocks[17] ?? 0) ^ 2
    blocks[2] = (blocks[2] ?? 0) ^ 0x58
    blocks[18] = (blocks[18] ?? 0) ^ 0x58
    return this.#aes.update(blocks)
  }

  [Symbol.dispose](): void {
    this.#aes.final()
    this.#k1.fill(0)
    this.#blocks.fill(0)
  }
}

const derivingKey = (key: KeyObject): DerivingKey => new DerivingKey(key)

/** Doubling in GF(2^128), SP 800-38B section 6.1, without a branch on the secret bit. Erases its input. */
function doubled(block: Buffer): Buffer {
  const result = secretMemory(16)
  let carry = 0
  for (let index = 15; index >= 0; index -= 1) {
    const byte = block[index] ?? 0
    result[index] = (byte << 1) | carry
    carry = byte >> 7
  }
  result[15] = (result[15] ?? 0) ^ (0x87 * carry)
  block.fill(0)
  return result
}

export function sealUnder(
  aes: DerivingKey,
  { iv, aad }: { iv: Uint8Array; aad: Uint8Array },
  plaintext: Uint8Array,
): Buffer {
  const key = aes.keyFor(iv)
  const ciphertext = seal({ cipher: 'aes-256-gcm', key, iv: iv.subarray(12), aad }, plaintext)
  key.fill(0)
  return ciphertext
}

export function openUnder(
  aes: DerivingKey,
  { iv, aad }: { iv: Uint8Array; aad: Uint8Array },
  ciphertext: Uint8Array,
): Buffer {
  if (iv.length !== nonceBytes) throw ciphertextInvalid()
  const key = aes.keyFor(iv)
  try {
    return open({ cipher: 'aes-256-gcm', key, iv: iv.subarray(12), aad }, ciphertext)
  } finally {
    key.fill(0)
  }
}

export const xaes256Gcm: Implementation = {
  encrypt: (key, plaintext, { iv: given, aad }) => {
    if (given) assertIvLength(given, nonceRange)
    const iv = given ?? randomNonce(nonceBytes)
    return { iv, ciphertext: sealUnder(key.prepared(derivingKey), { iv, aad }, plaintext) }
  },
  decrypt: (key, { iv, ciphertext, aad }) =>
    openUnder(key.prepared(derivingKey), { iv, aad }, ciphertext),
  wrap: (key, keyBytes) => {
    const iv = randomNonce(nonceBytes)
    const aes = key.prepared(derivingKey)
    return { iv, ciphertext: keyBytes.expose((bytes) => sealUnder(aes, { iv, aad: none }, bytes)) }
  },
  unwrap: (key, { iv, ciphertext }) =>
    new Secret(openUnder(key.prepared(derivingKey), { iv, aad: none }, ciphertext)),
}
