/**
 * AES-256-GCM under a key that is used once, so that its nonce is 12 zero bytes: whoever calls has derived
 * the key from something fresh, a random salt of 32 bytes or a KEM's shared secret.
 */

import { createCipheriv, createDecipheriv } from 'node:crypto'
import { secretMemory } from './secret-memory.ts'

export const onceOverheadBytes = 16
const nonce = Buffer.alloc(12)

/** Ciphertext, then tag (16). */
export function sealOnce(key: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(aad)
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** In memory of its own, which the caller erases; undefined when it is not authentic. */
export function openOnce(key: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Buffer | undefined {
  if (sealed.length < onceOverheadBytes) return undefined
  const end = sealed.length - onceOverheadBytes
  const decipher = createDecipheriv('aes-256-gcm', key, nonce)
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(end))
  const opened = secretMemory(end)
  const piece = decipher.update(sealed.subarray(0, end))
  opened.set(piece)
  piece.fill(0)
  try {
    decipher.final()
    return opened
  } catch {
    opened.fill(0)
    return undefined
  }
}
