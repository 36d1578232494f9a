/**
 * A statement signed with the two identity keys of a module together, Ed25519 (RFC 8032) and ML-DSA-65
 * (FIPS 204, empty context): it holds if both do, so that it outlives either. What is signed are the
 * bytes of the statement as they are; its member `format` keeps statements of one kind from passing for
 * another.
 */

import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto'

export const ed25519SignatureBytes = 64
export const mlDsa65SignatureBytes = 3_309

export interface IdentityKeys {
  readonly ed25519: KeyObject
  readonly mlDsa65: KeyObject
}

/** Raw public keys in hex: 32 and 1952 bytes. */
export interface IdentityPublicKeys {
  readonly ed25519: string
  readonly mlDsa65: string
}

/** In base64. */
export interface DoubleSignature {
  readonly ed25519: string
  readonly mlDsa65: string
}

export function signDouble(statement: Uint8Array, keys: IdentityKeys): DoubleSignature {
  return {
    ed25519: sign(null, statement, keys.ed25519).toString('base64'),
    mlDsa65: sign(null, statement, keys.mlDsa65).toString('base64'),
  }
}

/** False unless both signatures are right, in the one base64 that there is of each. */
export function verifyDouble(
  statement: Uint8Array,
  signature: DoubleSignature,
  keys: IdentityPublicKeys,
): boolean {
  const ed25519 = strictBase64(signature.ed25519, ed25519SignatureBytes)
  const mlDsa65 = strictBase64(signature.mlDsa65, mlDsa65SignatureBytes)
  if (!ed25519 || !mlDsa65) return false
  try {
    return (
      verify(null, statement, publicKey('ed25519', keys.ed25519), ed25519) &&
      verify(null, statement, publicKey('ml-dsa-65', keys.mlDsa65), mlDsa65)
    )
  } catch {
    return false
  }
}

function publicKey(asymmetricKeyType: 'ed25519' | 'ml-dsa-65', hex: string): KeyObject {
  const key = Buffer.from(hex, 'hex')
  return createPublicKey({ key, format: 'raw-public', asymmetricKeyType })
}

/** Of exactly this length and encoding; anything else is undefined. */
export function strictBase64(text: string, bytes: number): Buffer | undefined {
  const decoded = Buffer.from(text, 'base64')
  return decoded.length === bytes && decoded.toString('base64') === text ? decoded : undefined
}
