/**
 * AES-XTS (IEEE 1619, SP 800-38E), for sectors and other data units of storage: the ciphertext is as long
 * as the plaintext, so nothing authenticates it, and a key for it has no other algorithm. The IV is the
 * tweak of 16 bytes. Whoever encrypts sectors gives their number as the tweak, little-endian (IEEE 1619
 * section 5.1), which takes a key with `externalIv`; else the module makes a random one for each data unit
 * and answers it. A data unit has 16 bytes at least; its greatest length, 2^20 blocks, is beyond a frame.
 */

import { createCipheriv, createDecipheriv } from 'node:crypto'
import { HsmError } from '../contract/errors.ts'
import { randomNonce } from '../random.ts'
import {
  assertIvLength,
  assertNoAad,
  ciphertextInvalid,
  type Implementation,
} from './implementation.ts'

const tweakBytes = 16
const dataUnitBytesMin = 16

export function aesXts(keyBits: 128 | 256): Implementation {
  const cipher = `aes-${keyBits}-xts`
  return {
    encrypt: ({ keyObject }, plaintext, { iv: given, aad }) => {
      assertNoAad(aad)
      if (given) assertIvLength(given, { min: tweakBytes, max: tweakBytes })
      if (plaintext.length < dataUnitBytesMin) {
        throw new HsmError('ARGUMENT_INVALID', `XTS takes at least ${dataUnitBytesMin} bytes`)
      }
      const iv = given ?? randomNonce(tweakBytes)
      return { iv, ciphertext: createCipheriv(cipher, keyObject, iv).update(plaintext) }
    },
    decrypt: ({ keyObject }, { iv, ciphertext, aad }) => {
      assertNoAad(aad)
      if (iv.length !== tweakBytes || ciphertext.length < dataUnitBytesMin) {
        throw ciphertextInvalid()
      }
      return createDecipheriv(cipher, keyObject, iv).update(ciphertext)
    },
  }
}
