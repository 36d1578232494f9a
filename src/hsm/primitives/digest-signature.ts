/**
 * Signatures over what the caller has hashed, which node:crypto does not offer: ECDSA and RSA over a
 * ready digest, ML-DSA over its mu. OpenSSL makes them through `../native.ts`; on the calling thread
 * where that takes under about 50 microseconds, in the worker where it takes longer.
 */

import type { KeyMaterial } from '../keys/material.ts'
import type { DigestScheme } from '../native.ts'
import { callWorker } from '../worker-pool.ts'
import type { Maybe } from './implementation.ts'

/** ECDSA signatures are DER. The digest has the length that the scheme asks for. */
export function signDigest(
  key: KeyMaterial,
  scheme: DigestScheme,
  digest: Uint8Array,
): Maybe<Uint8Array> {
  if (key.typeName === 'P-256') return key.native().signDigest(scheme, digest)
  return callWorker({ kind: 'signDigest', key: key.keyObject, scheme, digest })
}

/** False for every signature that is not right, however malformed. */
export function verifyDigest(
  key: KeyMaterial,
  scheme: DigestScheme,
  { digest, signature }: { readonly digest: Uint8Array; readonly signature: Uint8Array },
): Maybe<boolean> {
  const isFast = key.typeName === 'P-256' || key.typeName.startsWith('RSA-')
  if (isFast) return key.native().verifyDigest(scheme, digest, signature)
  return callWorker({ kind: 'verifyDigest', key: key.publicKey, scheme, digest, signature })
}
