/**
 * AES-CCM (SP 800-38C, RFC 3610) with tags of 128 bits. The module makes nonces of 96 random bits, which
 * leaves room for messages of 16 MiB, more than a frame carries. A caller's nonce, where a key allows one,
 * has 7 to 13 bytes, and a longer one leaves less room: 65,535 bytes of message with 13.
 *
 * The mode goes over the message twice and wants its length first, so it is slower than GCM, whose uses it
 * has for the protocols that ask for it.
 */

import { createCipheriv, createDecipheriv } from 'node:crypto'
import { HsmError } from '../contract/errors.ts'
import { randomNonce } from '../random.ts'
import { tagBytes } from './aead.ts'
import { assertIvLength, ciphertextInvalid, type Implementation } from './implementation.ts'

const ivBytes = 12
const ivRange = { min: 7, max: 13 }

export function aesCcm(keyBits: 128 | 192 | 256): Implementation {
  const cipher = `aes-${keyBits}-ccm` as const
  const options = { authTagLength: tagBytes }
  return {
    encrypt: ({ keyObject }, plaintext, { iv: given, aad }) => {
      if (given) assertIvLength(given, ivRange)
      const iv = given ?? randomNonce(ivBytes)
      if (plaintext.length > messageBytesMax(iv)) {
        throw new HsmError('ARGUMENT_INVALID', 'the message is too long for a nonce of this length')
      }
      const context = createCipheriv(cipher, keyObject, iv, options)
      context.setAAD(aad, { plaintextLength: plaintext.length })
      const body = context.update(plaintext)
      context.final()
      return { iv, ciphertext: Buffer.concat([body, context.getAuthTag()]) }
    },
    decrypt: ({ keyObject }, { iv, ciphertext, aad }) => {
      const plaintextLength = ciphertext.length - tagBytes
      if (iv.length < ivRange.min || iv.length > ivRange.max) throw ciphertextInvalid()
      if (plaintextLength < 0 || plaintextLength > messageBytesMax(iv)) throw ciphertextInvalid()
      const context = createDecipheriv(cipher, keyObject, iv, options)
      context.setAuthTag(ciphertext.subarray(plaintextLength))
      context.setAAD(aad, { plaintextLength })
      try {
        // OpenSSL compares the tag here already, and gives nothing when it is wrong.
        const plaintext = context.update(ciphertext.subarray(0, plaintextLength))
        context.final()
        return plaintext
      } catch (cause) {
        throw ciphertextInvalid(cause)
      }
    },
  }
}

/** The length of the message stands in what a nonce leaves of 15 bytes (SP 800-38C appendix A.1). */
function messageBytesMax(iv: Uint8Array): number {
  return 2 ** (8 * (15 - iv.length)) - 1
}
