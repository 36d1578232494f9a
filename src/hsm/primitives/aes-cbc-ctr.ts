/**
 * The modes that do not authenticate (SP 800-38A): CBC with PKCS#7 padding (RFC 5652 section 6.3) and
 * CTR with a counter of 128 bits. IVs and first counter blocks are random, made here. They are offered
 * for the formats that demand them: whoever can alter ciphertexts and see which are refused can read
 * CBC, so what is encrypted with them needs a MAC beside it.
 */

import { createCipheriv, createDecipheriv } from 'node:crypto'
import { randomNonce } from '../random.ts'
import {
  assertIvLength,
  assertNoAad,
  ciphertextInvalid,
  type Implementation,
} from './implementation.ts'

const ivBytes = 16

export function aesCbc(keyBits: 128 | 192 | 256): Implementation {
  return unauthenticated(`aes-${keyBits}-cbc`)
}

export function aesCtr(keyBits: 128 | 192 | 256): Implementation {
  return unauthenticated(`aes-${keyBits}-ctr`)
}

/** node:crypto pads CBC by itself; for CTR the last piece is empty. */
function unauthenticated(cipher: string): Implementation {
  return {
    encrypt: ({ keyObject }, plaintext, { iv: given, aad }) => {
      assertNoAad(aad)
      if (given) assertIvLength(given, { min: ivBytes, max: ivBytes })
      const iv = given ?? randomNonce(ivBytes)
      const context = createCipheriv(cipher, keyObject, iv)
      return { iv, ciphertext: Buffer.concat([context.update(plaintext), context.final()]) }
    },
    decrypt: ({ keyObject }, { iv, ciphertext, aad }) => {
      assertNoAad(aad)
      if (iv.length !== ivBytes) throw ciphertextInvalid()
      const context = createDecipheriv(cipher, keyObject, iv)
      const most = context.update(ciphertext)
      try {
        return joined(most, context.final())
      } catch (cause) {
        most.fill(0)
        throw ciphertextInvalid(cause)
      }
    },
  }
}

/** Both pieces in memory of their own; the pieces are erased. */
function joined(first: Buffer, second: Buffer): Buffer {
  if (second.length === 0) return first
  const whole = Buffer.allocUnsafeSlow(first.length + second.length)
  whole.set(first)
  whole.set(second, first.length)
  for (const piece of [first, second]) piece.fill(0)
  return whole
}
