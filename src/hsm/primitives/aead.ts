/**
 * One call of an authenticated cipher of OpenSSL with a 16-byte tag, the tag behind the ciphertext.
 * Plaintext that has not been authenticated never leaves here: it is erased when the tag is wrong.
 */

import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'
import { ciphertextInvalid } from './implementation.ts'

export const tagBytes = 16

type AeadCipher = 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm' | 'chacha20-poly1305'

export interface AeadCall {
  readonly cipher: AeadCipher
  readonly key: KeyObject | Uint8Array
  readonly iv: Uint8Array
  readonly aad: Uint8Array
}

export function seal({ cipher, key, iv, aad }: AeadCall, plaintext: Uint8Array): Buffer {
  const context = isChaCha(cipher)
    ? createCipheriv(cipher, key, iv, { authTagLength: tagBytes })
    : createCipheriv(cipher, key, iv)
  if (aad.length > 0) context.setAAD(aad)
  const body = context.update(plaintext)
  context.final()
  return Buffer.concat([body, context.getAuthTag()])
}

/** @throws HsmError CIPHERTEXT_INVALID */
export function open({ cipher, key, iv, aad }: AeadCall, ciphertext: Uint8Array): Buffer {
  const bodyBytes = ciphertext.length - tagBytes
  if (bodyBytes < 0) throw ciphertextInvalid()
  const context = isChaCha(cipher)
    ? createDecipheriv(cipher, key, iv, { authTagLength: tagBytes })
    : createDecipheriv(cipher, key, iv)
  context.setAuthTag(ciphertext.subarray(bodyBytes))
  if (aad.length > 0) context.setAAD(aad)
  const plaintext = context.update(ciphertext.subarray(0, bodyBytes))
  try {
    context.final()
  } catch (cause) {
    plaintext.fill(0)
    throw ciphertextInvalid(cause)
  }
  return plaintext
}

function isChaCha(cipher: AeadCipher): cipher is 'chacha20-poly1305' {
  return cipher === 'chacha20-poly1305'
}
