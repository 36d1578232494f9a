/**
 * RSA-AES-KEY-WRAP (PKCS #11 version 3.1 section 6.1.23, CKM_RSA_AES_KEY_WRAP): an ephemeral AES-256 key
 * encrypted with OAEP, and behind it the target wrapped with AES-KWP under that key. It is for what OAEP
 * alone has no room for, such as RSA private keys. The label is empty; MGF1 and OAEP have the same hash.
 */

import { KeyMaterial } from '../keys/material.ts'
import { randomBytes } from '../random.ts'
import { Secret } from '../secret.ts'
import { aesKwp } from './aes-kw.ts'
import { ciphertextInvalid, type Implementation } from './implementation.ts'
import { modulusBytes, type OaepHash, rsaOaep } from './rsa-oaep.ts'

const ephemeralBytes = 32
const none = new Uint8Array()
const kwp = aesKwp(256)

/** SHA-1 is not for what is new. */
export function rsaAesKeyWrap(hash: Exclude<OaepHash, 'sha1'>): Implementation {
  const oaep = rsaOaep(hash)
  return {
    wrap: (key, keyBytes) => {
      using bytes = new Secret(randomBytes(ephemeralBytes))
      using ephemeral = KeyMaterial.fromBytes('AES-256', 'secret', bytes)
      const parts = [oaep.wrap(key, bytes), kwp.wrap(ephemeral, keyBytes)]
      return { iv: none, ciphertext: Buffer.concat(parts.map(({ ciphertext }) => ciphertext)) }
    },
    unwrap: async (key, { iv, ciphertext }) => {
      const ofOaep = modulusBytes(key.typeName)
      using bytes = await oaep.unwrap(key, { iv, ciphertext: ciphertext.subarray(0, ofOaep) })
      if (bytes.length !== ephemeralBytes) throw ciphertextInvalid()
      using ephemeral = KeyMaterial.fromBytes('AES-256', 'secret', bytes)
      return kwp.unwrap(ephemeral, { iv, ciphertext: ciphertext.subarray(ofOaep) })
    },
  }
}
