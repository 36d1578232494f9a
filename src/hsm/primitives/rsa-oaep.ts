/**
 * RSAES-OAEP (RFC 8017 section 7.1, SP 800-56B revision 2 section 7.2.2), with MGF1 over the same hash.
 * The associated data is the label. Decryption has no callback form and takes far more than 50
 * microseconds, so it runs in the worker.
 */

import { constants, publicEncrypt } from 'node:crypto'
import { type KeyType, type KeyTypeName, keyTypes } from '../contract/algorithms.ts'
import { HsmError } from '../contract/errors.ts'
import type { KeyMaterial } from '../keys/material.ts'
import { Secret } from '../secret.ts'
import { callWorker } from '../worker-pool.ts'
import { ciphertextInvalid, type Encrypted, type Implementation } from './implementation.ts'

const hashBytes = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 }

export type OaepHash = keyof typeof hashBytes

const none = new Uint8Array()

export function rsaOaep(hash: OaepHash) {
  return {
    encrypt: (key, plaintext, { iv, aad: label }) => {
      if (iv) throw new HsmError('ARGUMENT_INVALID', 'RSAES-OAEP has no IV')
      return encrypt(key, { hash, label }, plaintext)
    },
    decrypt: (key, { iv, ciphertext, aad: label }) =>
      decrypt(key, { hash, label }, { iv, ciphertext }),
    wrap: (key, keyBytes) => keyBytes.expose((bytes) => encrypt(key, { hash, label: none }, bytes)),
    unwrap: async (key, wrapped) => new Secret(await decrypt(key, { hash, label: none }, wrapped)),
  } satisfies Implementation
}

/** Of an RSA key, which is the length of everything that it encrypts. */
export function modulusBytes(typeName: KeyTypeName): number {
  const { openssl: modulusBits }: KeyType = keyTypes[typeName]
  return Number(modulusBits) / 8
}

interface Parameters {
  readonly hash: OaepHash
  readonly label: Uint8Array
}

function encrypt(
  { typeName, publicKey }: KeyMaterial,
  { hash, label }: Parameters,
  plaintext: Uint8Array,
): Encrypted {
  const lengthMax = modulusBytes(typeName) - 2 * hashBytes[hash] - 2
  if (plaintext.length > lengthMax) {
    throw new HsmError('ARGUMENT_INVALID', `this key encrypts at most ${lengthMax} bytes with OAEP`)
  }
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  const options = { key: publicKey, padding, oaepHash: hash, oaepLabel: label }
  return { iv: none, ciphertext: publicEncrypt(options, plaintext) }
}

async function decrypt(
  { keyObject, typeName }: KeyMaterial,
  { hash, label }: Parameters,
  { iv, ciphertext }: Encrypted,
): Promise<Uint8Array> {
  // RFC 8017 section 7.1.2 step 1: OpenSSL takes a shorter one, with the zeros in front left out.
  if (iv.length > 0 || ciphertext.length !== modulusBytes(typeName)) throw ciphertextInvalid()
  try {
    return await callWorker({ kind: 'oaepDecrypt', key: keyObject, hash, label, ciphertext })
  } catch (cause) {
    throw ciphertextInvalid(cause)
  }
}
