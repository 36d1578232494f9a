/**
 * New key pairs. Scalars of elliptic curves (FIPS 186-5 section A.2.2), seeds of Ed25519, Ed448, X25519 and X448
 * (RFC 8032, RFC 7748), ML-KEM (FIPS 203, d || z), ML-DSA (FIPS 204, xi) and SLH-DSA (FIPS 205) come from the
 * module's own generator; RSA primes are OpenSSL's, whose generator ours is stirred into before
 * (docs/entropy.md). What takes milliseconds runs on other threads. Each pair passes the pairwise consistency
 * test of FIPS 140-3 IG 10.3.A before anyone sees it.
 */

import assert from 'node:assert/strict'
import {
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  encapsulate,
  generateKeyPair,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { type KeyType, type KeyTypeName, keyTypes } from '../contract/algorithms.ts'
import { onThreadPool } from '../primitives/implementation.ts'
import { randomBytes, stirOpenssl } from '../random.ts'
import { Secret } from '../secret.ts'
import { ecKey } from '../worker-jobs.ts'
import { callWorker } from '../worker-pool.ts'
import { randomScalar } from './scalar.ts'
import { curveOrders } from './validation.ts'

interface KeyPair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/** FIPS 186-5 section 5.1 asks for an odd exponent above 2^16; this is the one that all expect. */
const rsaPublicExponent = 65537

/** The private key of a new pair that works. */
export async function generatePrivateKey(typeName: KeyTypeName): Promise<KeyObject> {
  const privateKey = await makePrivateKey(keyTypes[typeName])
  await assertConsistent(typeName, { privateKey, publicKey: createPublicKey(privateKey) })
  return privateKey
}

/** What no right generation can fail: a bug or broken hardware, which ends the process. @throws AssertionError */
export async function assertConsistent(typeName: KeyTypeName, pair: KeyPair): Promise<void> {
  assert(await isPairConsistent(pair), `a new ${typeName} pair failed its consistency test`)
}

async function makePrivateKey({ family, openssl = '', strengthBits }: KeyType): Promise<KeyObject> {
  switch (family) {
    case 'rsa':
      stirOpenssl()
      return onThreadPool((callback) => {
        const options = { modulusLength: Number(openssl), publicExponent: rsaPublicExponent }
        generateKeyPair('rsa', options, (error, _public, key) => callback(error, key))
      })
    case 'ec':
      return fromRandomScalar(openssl)
    case 'slh-dsa':
      return fromRandomSeeds(openssl, strengthBits / 8)
    case 'ed25519':
    case 'x25519':
      return fromRandom('raw-private', family, 32)
    case 'ed448':
      return fromRandom('raw-private', family, 57)
    case 'x448':
      return fromRandom('raw-private', family, 56)
    case 'ml-dsa':
      return fromRandom('raw-seed', openssl, 32)
    case 'ml-kem':
      return fromRandom('raw-seed', openssl, 64)
    case 'secret':
      assert.fail('a secret key is not a pair')
  }
}

/** OpenSSL computes the public half; on all curves but one that takes up to a millisecond. */
async function fromRandomScalar(namedCurve: string): Promise<KeyObject> {
  const order = curveOrders.get(namedCurve)
  assert(order)
  using scalar = randomScalar(order, randomBytes)
  return scalar.expose((bytes) => {
    const job = { kind: 'ecKey', namedCurve, scalar: bytes } as const
    return namedCurve === 'prime256v1' ? ecKey(job) : callWorker(job)
  })
}

/** SK.seed, SK.prf and PK.seed of n bytes each (FIPS 205 algorithm 21); the root takes up to half a second. */
async function fromRandomSeeds(parameterSet: string, n: number): Promise<KeyObject> {
  using seeds = new Secret(randomBytes(3 * n))
  return seeds.expose((bytes) => callWorker({ kind: 'slhDsaKey', parameterSet, seeds: bytes }))
}

function fromRandom(
  format: 'raw-private' | 'raw-seed',
  openssl: string,
  lengthBytes: number,
): KeyObject {
  const seed = randomBytes(lengthBytes)
  const asymmetricKeyType = openssl as NonNullable<KeyObject['asymmetricKeyType']>
  try {
    return createPrivateKey({ key: seed, format, asymmetricKeyType })
  } finally {
    seed.fill(0)
  }
}

/** What one half does, the other undoes. */
async function isPairConsistent({ privateKey, publicKey }: KeyPair): Promise<boolean> {
  const type = privateKey.asymmetricKeyType ?? ''
  if (type === 'x25519' || type === 'x448') return agreesWithBasePoint(privateKey, publicKey)
  if (type.startsWith('ml-kem')) {
    const { sharedKey, ciphertext } = encapsulate(publicKey)
    const opened = decapsulate(privateKey, ciphertext)
    const equal = opened.equals(sharedKey)
    for (const bytes of [sharedKey, opened]) bytes.fill(0)
    return equal
  }
  const digest = type === 'ec' || type === 'rsa' ? 'sha256' : null
  const message = Buffer.from('keyhold pairwise consistency test')
  const signature = await onThreadPool<Buffer>((callback) => {
    sign(digest, message, privateKey, callback)
  })
  return onThreadPool<boolean>((callback) => {
    verify(digest, message, publicKey, signature, callback)
  })
}

/** RFC 7748 section 6: the public key is what the private one makes of the base point, u = 9 or 5. */
function agreesWithBasePoint(privateKey: KeyObject, publicKey: KeyObject): boolean {
  const asymmetricKeyType = privateKey.asymmetricKeyType === 'x448' ? 'x448' : 'x25519'
  const basePoint = Buffer.alloc(asymmetricKeyType === 'x448' ? 56 : 32)
  basePoint[0] = asymmetricKeyType === 'x448' ? 5 : 9
  const key = { key: basePoint, format: 'raw-public', asymmetricKeyType } as const
  const expected = diffieHellman({ privateKey, publicKey: createPublicKey(key) })
  return publicKey.export({ format: 'raw-public' }).equals(expected)
}
