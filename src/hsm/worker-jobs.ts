/**
 * The slow calls that have no callback form, as jobs: RSA decryption and checks, signatures over a ready
 * digest, and what belongs to the secret of a new EC or SLH-DSA key. The one worker runs them; without a worker (tests of single files) they run in place.
 * A key travels as a KeyObject, which threads share and which is not copied. What the worker makes of
 * it for OpenSSL's own functions is freed, and its encoding erased, before the job ends.
 */

import assert from 'node:assert/strict'
import { constants, createPrivateKey, type KeyObject, privateDecrypt } from 'node:crypto'
import { HsmError } from './contract/errors.ts'
import { secretCopy } from './contract/secret-memory.ts'
import type { DigestScheme } from './digest-scheme.ts'
import { NativeKey } from './native.ts'
import { slhDsaPrivateKey } from './native-random.ts'

export type WorkerJob =
  /** A private key; answers the signature, ECDSA in DER. */
  | {
      readonly kind: 'signDigest'
      readonly key: KeyObject
      readonly scheme: DigestScheme
      readonly digest: Uint8Array
      /** For known answers. */
      readonly deterministic?: boolean
    }
  /** A private or public key; answers false for whatever is not right. */
  | {
      readonly kind: 'verifyDigest'
      readonly key: KeyObject
      readonly scheme: DigestScheme
      readonly digest: Uint8Array
      readonly signature: Uint8Array
    }
  /** RSAES-OAEP (RFC 8017 section 7.1.2); answers the plaintext in memory of its own. */
  | {
      readonly kind: 'oaepDecrypt'
      readonly key: KeyObject
      readonly hash: 'sha1' | 'sha256' | 'sha384' | 'sha512'
      readonly label: Uint8Array
      readonly ciphertext: Uint8Array
    }
  /** True if all numbers of the pair belong together, primality included. */
  | { readonly kind: 'checkKey'; readonly key: KeyObject }
  | EcKeyJob
  | SlhDsaKeyJob
  /** Frees what earlier jobs have left unreachable. */
  | { readonly kind: 'collect' }

/** Answers the private key of this scalar, with its public half. */
export interface EcKeyJob {
  readonly kind: 'ecKey'
  /** OpenSSL's name. */
  readonly namedCurve: string
  /** From 1 to order - 1; overwritten where the job runs. */
  readonly scalar: Uint8Array
}

/** Answers the private key of these seeds, with its root. */
export interface SlhDsaKeyJob {
  readonly kind: 'slhDsaKey'
  /** OpenSSL's name. */
  readonly parameterSet: string
  /** SK.seed, SK.prf and PK.seed; overwritten where the job runs. */
  readonly seeds: Uint8Array
}

export interface WorkerResults {
  readonly signDigest: Uint8Array
  readonly verifyDigest: boolean
  readonly oaepDecrypt: Uint8Array
  readonly checkKey: boolean
  readonly ecKey: KeyObject
  readonly slhDsaKey: KeyObject
  readonly collect: boolean
}

export type WorkerResult = WorkerResults[WorkerJob['kind']]

/** @throws HsmError ARGUMENT_INVALID, CIPHERTEXT_INVALID, SECURE_HEAP_FULL */
export function runJob(job: WorkerJob): WorkerResult {
  switch (job.kind) {
    case 'signDigest': {
      using key = nativeKey(job.key)
      return key.signDigest(job.scheme, job.digest, { deterministic: job.deterministic ?? false })
    }
    case 'verifyDigest': {
      using key = nativeKey(job.key)
      return key.verifyDigest(job.scheme, job.digest, job.signature)
    }
    case 'oaepDecrypt':
      return oaepDecrypt(job)
    case 'checkKey': {
      using key = nativeKey(job.key)
      return key.isConsistent()
    }
    case 'ecKey':
      return ecKey(job)
    case 'slhDsaKey':
      return slhDsaKey(job)
    case 'collect':
      globalThis.gc?.()
      return true
    default:
      return assert.fail('there is no such job')
  }
}

/** The scalar is overwritten; the one that the caller keeps, if this is another thread, is not. */
export function ecKey({ namedCurve, scalar }: EcKeyJob): KeyObject {
  const key = Buffer.from(scalar.buffer, scalar.byteOffset, scalar.length)
  try {
    return createPrivateKey({ key, format: 'raw-private', asymmetricKeyType: 'ec', namedCurve })
  } finally {
    key.fill(0)
  }
}

function slhDsaKey({ parameterSet, seeds }: SlhDsaKeyJob): KeyObject {
  const key = slhDsaPrivateKey(parameterSet, seeds)
  const asymmetricKeyType = parameterSet as 'slh-dsa-sha2-128s'
  try {
    return createPrivateKey({ key, format: 'raw-private', asymmetricKeyType })
  } finally {
    for (const bytes of [key, seeds]) bytes.fill(0)
  }
}

function nativeKey(key: KeyObject): NativeKey {
  if (key.type === 'public') {
    return NativeKey.fromSpki(key.export({ format: 'der', type: 'spki' }))
  }
  const pkcs8 = key.export({ format: 'der', type: 'pkcs8' })
  try {
    return NativeKey.fromPkcs8(pkcs8)
  } finally {
    pkcs8.fill(0)
  }
}

function oaepDecrypt(job: Extract<WorkerJob, { kind: 'oaepDecrypt' }>): Uint8Array {
  const { key, hash: oaepHash, label: oaepLabel, ciphertext } = job
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  try {
    return ownMemory(privateDecrypt({ key, padding, oaepHash, oaepLabel }, ciphertext))
  } catch {
    throw new HsmError('CIPHERTEXT_INVALID', 'the ciphertext, its label or its key is not right')
  }
}

/** So that it can be handed to another thread, and erased there, without leaving a copy. */
function ownMemory(bytes: Buffer): Buffer {
  const own = secretCopy(bytes)
  bytes.fill(0)
  return own
}
