/**
 * ECDH with cofactor 1 (SP 800-56A revision 3 section 5.7.1.2), X25519 and X448 (RFC 7748 section 6). The
 * shared secret is the x-coordinate at full length; an all-zero result of the latter is refused. The peer's
 * key is parsed as strictly as an imported one: same curve, named, uncompressed, on the curve.
 */

import { diffieHellman } from 'node:crypto'
import { HsmError } from '../contract/errors.ts'
import { KeyMaterial } from '../keys/material.ts'
import { Secret } from '../secret.ts'
import { type Implementation, type Maybe, onThreadPool } from './implementation.ts'

export const ecdh: Implementation = { agree }
export const x25519: Implementation = { agree }
export const x448: Implementation = { agree }

export function agree(key: KeyMaterial, peerSpki: Uint8Array): Maybe<Secret> {
  using encoded = Secret.copyOf(peerSpki)
  using peer = KeyMaterial.fromBytes(key.typeName, 'public', encoded)
  const keys = { privateKey: key.keyObject, publicKey: peer.publicKey }
  if (key.typeName === 'P-256' || key.typeName === 'X25519') {
    try {
      return new Secret(diffieHellman(keys))
    } catch (cause) {
      throw peerInvalid(cause)
    }
  }
  return onThreadPool<Buffer>((callback) => diffieHellman(keys, callback)).then(
    (shared) => new Secret(shared),
    (cause) => Promise.reject(peerInvalid(cause)),
  )
}

function peerInvalid(cause: unknown): HsmError {
  return new HsmError('ARGUMENT_INVALID', "the peer's public key is not valid", { cause })
}
