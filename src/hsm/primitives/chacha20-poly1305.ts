/**
 * ChaCha20-Poly1305 (RFC 8439 section 2.8): nonces of 96 bits, random when the module makes them, so
 * no more than 2^32 messages under one key; tags of 128 bits.
 */

import { randomNonce } from '../random.ts'
import { open, seal } from './aead.ts'
import { assertIvLength, ciphertextInvalid, type Implementation } from './implementation.ts'

const nonceBytes = 12
const cipher = 'chacha20-poly1305'

export const chacha20Poly1305: Implementation = {
  encrypt: ({ keyObject: key }, plaintext, { iv: given, aad }) => {
    if (given) assertIvLength(given, { min: nonceBytes, max: nonceBytes })
    const iv = given ?? randomNonce(nonceBytes)
    return { iv, ciphertext: seal({ cipher, key, iv, aad }, plaintext) }
  },
  decrypt: ({ keyObject: key }, { iv, ciphertext, aad }) => {
    if (iv.length !== nonceBytes) throw ciphertextInvalid()
    return open({ cipher, key, iv, aad }, ciphertext)
  },
}
