/**
 * ECDSA (FIPS 186-5 section 6) with a random nonce, over a message or over a ready digest of the
 * algorithm's hash. Signatures are ECDSA-Sig-Value in strict DER (RFC 3279 section 2.2.3) or r || s as
 * in IEEE P1363, each as long as the order of the curve. P-256 signs at once, the slower curves on the
 * thread pool.
 */

import { sign, verify } from 'node:crypto'
import type { KeyTypeName } from '../contract/algorithms.ts'
import { HsmError } from '../contract/errors.ts'
import type { KeyMaterial } from '../keys/material.ts'
import { signDigest, verifyDigest } from './digest-signature.ts'
import { derFromP1363, p1363FromDer } from './ecdsa-forms.ts'
import {
  assertPlainSignature,
  type Implementation,
  type Maybe,
  onThreadPool,
  type SignatureOptions,
  synchronousBytesMax,
} from './implementation.ts'

const hashBytes = {
  sha224: 28,
  sha256: 32,
  sha384: 48,
  sha512: 64,
  'sha3-256': 32,
  'sha3-384': 48,
  'sha3-512': 64,
}

export type EcdsaHash = keyof typeof hashBytes

/** Length of the order, and so of r and of s. */
const orderBytes: { readonly [type in KeyTypeName]?: number } = {
  'P-224': 28,
  'P-256': 32,
  'P-384': 48,
  'P-521': 66,
  secp256k1: 32,
  brainpoolP256r1: 32,
  brainpoolP384r1: 48,
  brainpoolP512r1: 64,
}

export function ecdsa(hash: EcdsaHash): Implementation {
  return {
    sign: (key, data, options) => {
      assertPlainSignature(options, { digest: true, p1363: true })
      return options.input === 'message'
        ? signMessage(key, { hash, format: options.format }, data)
        : signReadyDigest(key, { hash, format: options.format }, data)
    },
    verify: (key, data, signature, options) => {
      assertPlainSignature(options, { digest: true, p1363: true })
      return options.input === 'message'
        ? verifyMessage(key, { hash, format: options.format }, { data, signature })
        : verifyReadyDigest(key, { hash, format: options.format }, { data, signature })
    },
  }
}

interface Variant {
  readonly hash: EcdsaHash
  readonly format: SignatureOptions['format']
}

interface Signed {
  readonly data: Uint8Array
  readonly signature: Uint8Array
}

const dsaEncodings = { der: 'der', p1363: 'ieee-p1363' } as const

function signMessage(
  { typeName, keyObject: key }: KeyMaterial,
  { hash, format }: Variant,
  message: Uint8Array,
): Maybe<Uint8Array> {
  // The plain key is a little faster than an object with options.
  const input = format === 'der' ? key : { key, dsaEncoding: dsaEncodings[format] }
  if (isFast(typeName, message)) return sign(hash, message, input)
  return onThreadPool<Buffer>((callback) => sign(hash, message, input, callback))
}

function verifyMessage(
  { typeName, publicKey: key }: KeyMaterial,
  { hash, format }: Variant,
  { data: message, signature }: Signed,
): Maybe<boolean> {
  const input = format === 'der' ? key : { key, dsaEncoding: dsaEncodings[format] }
  if (isFast(typeName, message)) return verify(hash, message, input, signature)
  return onThreadPool<boolean>((callback) => verify(hash, message, input, signature, callback))
}

function isFast(typeName: KeyTypeName, message: Uint8Array): boolean {
  return typeName === 'P-256' && message.length <= synchronousBytesMax
}

function signReadyDigest(
  key: KeyMaterial,
  { hash, format }: Variant,
  digest: Uint8Array,
): Maybe<Uint8Array> {
  assertDigestLength(hash, digest)
  const der = signDigest(key, { scheme: 'ecdsa', hash }, digest)
  if (format === 'der') return der
  const bytes = orderBytes[key.typeName] ?? 0
  return der instanceof Promise
    ? der.then((signature) => p1363FromDer(signature, bytes))
    : p1363FromDer(der, bytes)
}

function verifyReadyDigest(
  key: KeyMaterial,
  { hash, format }: Variant,
  { data: digest, signature }: Signed,
): Maybe<boolean> {
  assertDigestLength(hash, digest)
  if (format === 'der') return verifyDigest(key, { scheme: 'ecdsa', hash }, { digest, signature })
  if (signature.length !== 2 * (orderBytes[key.typeName] ?? 0)) return false
  const der = derFromP1363(signature)
  return verifyDigest(key, { scheme: 'ecdsa', hash }, { digest, signature: der })
}

function assertDigestLength(hash: EcdsaHash, digest: Uint8Array): void {
  if (digest.length === hashBytes[hash]) return
  throw new HsmError('ARGUMENT_INVALID', `a digest of ${hash} has ${hashBytes[hash]} bytes`)
}
