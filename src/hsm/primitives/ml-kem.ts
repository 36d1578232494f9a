/**
 * ML-KEM (FIPS 203). Encapsulation is randomised by OpenSSL. A ciphertext of the right length that was
 * made for another key, or altered, gives a secret that nobody shares (implicit rejection), no error.
 */

import { decapsulate, encapsulate } from 'node:crypto'
import { Secret } from '../secret.ts'
import { ciphertextInvalid, type Implementation } from './implementation.ts'

/** FIPS 203 table 3. */
const ciphertextBytes = { 512: 768, 768: 1_088, 1024: 1_568 }

export function mlKem(parameterSet: keyof typeof ciphertextBytes): Implementation {
  return {
    encapsulate: ({ publicKey }) => {
      const { sharedKey, ciphertext } = encapsulate(publicKey)
      return { sharedSecret: new Secret(sharedKey), ciphertext }
    },
    decapsulate: ({ keyObject }, ciphertext) => {
      if (ciphertext.length !== ciphertextBytes[parameterSet]) throw ciphertextInvalid()
      return new Secret(decapsulate(keyObject, ciphertext))
    },
  }
}
