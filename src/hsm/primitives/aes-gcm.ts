/**
 * AES-GCM (SP 800-38D) with tags of 128 bits. The module makes 96-bit random IVs (section 8.2.2), which
 * is good for 2^32 messages under one key; counting them is not done here. A caller's IV, where a key
 * allows one, may have 1 to 128 bytes: 12 is the usual length and 128 what OpenSSL takes at most.
 */

import { randomNonce } from '../random.ts'
import { Secret } from '../secret.ts'
import { open, seal } from './aead.ts'
import { assertIvLength, ciphertextInvalid, type Implementation } from './implementation.ts'

const ivBytes = 12
const ivRange = { min: 1, max: 128 }
const none = new Uint8Array()

export function aesGcm(keyBits: 128 | 192 | 256): Implementation {
  const cipher = `aes-${keyBits}-gcm` as const
  return {
    encrypt: ({ keyObject: key }, plaintext, { iv: given, aad }) => {
      if (given) assertIvLength(given, ivRange)
      const iv = given ?? randomNonce(ivBytes)
      return { iv, ciphertext: seal({ cipher, key, iv, aad }, plaintext) }
    },
    decrypt: ({ keyObject: key }, { iv, ciphertext, aad }) => {
      assertDecryptionIv(iv)
      return open({ cipher, key, iv, aad }, ciphertext)
    },
    wrap: ({ keyObject: key }, keyBytes) => {
      const iv = randomNonce(ivBytes)
      const call = { cipher, key, iv, aad: none }
      return { iv, ciphertext: keyBytes.expose((bytes) => seal(call, bytes)) }
    },
    unwrap: ({ keyObject: key }, { iv, ciphertext }) => {
      assertDecryptionIv(iv)
      return new Secret(open({ cipher, key, iv, aad: none }, ciphertext))
    },
  }
}

function assertDecryptionIv(iv: Uint8Array): void {
  if (iv.length < ivRange.min || iv.length > ivRange.max) throw ciphertextInvalid()
}
