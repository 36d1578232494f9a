/**
 * One loaded key. It is parsed once, strictly, and sits behind one disposable type, so that how a key
 * is erased can change in one place. Its canonical form, which is what is imported, wrapped and
 * exported, is the raw bytes of a secret key, PKCS#8 (RFC 5958) of a private one, and
 * SubjectPublicKeyInfo (RFC 5280 section 4.1) of a public one, all in the one DER encoding that
 * OpenSSL writes: what parses but encodes differently is refused.
 *
 * Disposing drops the references and frees what is held natively. The memory of a KeyObject is
 * cleansed by OpenSSL when the collector frees it; a destruction waits for that (`collect.ts`).
 */

import assert from 'node:assert/strict'
import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  secureHeapUsed,
  timingSafeEqual,
  type webcrypto,
} from 'node:crypto'
import { inspect } from 'node:util'
import { type KeyClass, type KeyType, type KeyTypeName, keyTypes } from '../contract/algorithms.ts'
import { HsmError } from '../contract/errors.ts'
import { NativeKey } from '../native.ts'
import { randomBytes } from '../random.ts'
import { Secret } from '../secret.ts'
import { callWorker } from '../worker-pool.ts'
import { generatePrivateKey } from './generate.ts'
import { assertPrivateKey, assertPublicKey } from './validation.ts'

/** 112 bits: the least that SP 800-131A revision 2 accepts for HMAC and derivation. */
export const secretBytesMin = 14
export const secretBytesMax = 512

/** What an algorithm computed ahead from one key; erased with it. */
type Prepare<T extends Disposable> = (keyObject: KeyObject) => T

export class KeyMaterial implements Disposable {
  readonly typeName: KeyTypeName
  readonly keyClass: KeyClass
  #keyObject: KeyObject | undefined
  #publicKey: KeyObject | undefined
  #native: NativeKey | undefined
  #prepared: Map<Prepare<Disposable>, Disposable> | undefined

  private constructor(typeName: KeyTypeName, keyClass: KeyClass, keyObject: KeyObject) {
    this.typeName = typeName
    this.keyClass = keyClass
    this.#keyObject = keyObject
  }

  /**
   * A new key. Pairs pass a pairwise consistency test first; one that fails it is a bug or broken
   * hardware, and ends the process.
   * @param options lengthBytes for a generic secret, 14 to 512; left out for every other type
   * @throws HsmError ARGUMENT_INVALID, KEY_TOO_WEAK for a length
   */
  static async generate(
    typeName: KeyTypeName,
    options: { readonly lengthBytes?: number } = {},
  ): Promise<KeyMaterial> {
    const type: KeyType = keyTypes[typeName]
    if (type.publicOnly) throw publicOnly(typeName)
    if (type.family !== 'secret') {
      return new KeyMaterial(typeName, 'private', await generatePrivateKey(typeName))
    }
    const lengthBytes = type.lengthBytes ?? options.lengthBytes ?? 0
    assertSecretLength(typeName, lengthBytes)
    using bytes = new Secret(randomBytes(lengthBytes))
    return KeyMaterial.fromBytes(typeName, 'secret', bytes)
  }

  /**
   * A key that comes from outside: what fromBytes checks; for an RSA private key all its numbers (SP
   * 800-56B section 6.4.1.2), primality included; for one of SLH-DSA its root, which is computed again
   * (FIPS 205 section 9.1). That takes the worker up to a quarter second.
   * @param bytes canonical form; the caller keeps and erases it
   * @throws HsmError as fromBytes
   */
  static async importBytes(
    typeName: KeyTypeName,
    keyClass: KeyClass,
    bytes: Secret,
  ): Promise<KeyMaterial> {
    const material = KeyMaterial.fromBytes(typeName, keyClass, bytes)
    const { family } = keyTypes[typeName]
    if (keyClass !== 'private' || (family !== 'rsa' && family !== 'slh-dsa')) return material
    if (await callWorker({ kind: 'checkKey', key: material.keyObject })) return material
    material[Symbol.dispose]()
    throw new HsmError('ARGUMENT_INVALID', 'the numbers of the key do not belong together')
  }

  /**
   * A key in canonical form, strictly parsed: form, size, curve, point, range, and that the halves of
   * a pair work together.
   * @param bytes canonical form; the caller keeps and erases it
   * @throws HsmError ARGUMENT_INVALID; KEY_TOO_WEAK for a secret under 112 bits; SECURE_HEAP_FULL
   */
  static fromBytes(typeName: KeyTypeName, keyClass: KeyClass, bytes: Secret): KeyMaterial {
    const material = KeyMaterial.fromOwnBytes(typeName, keyClass, bytes)
    try {
      if (keyClass === 'private') {
        assertPrivateKey(typeName, material.keyObject)
      } else if (keyClass === 'public') {
        assertPublicKey(typeName, material.publicKey)
      }
    } catch (error) {
      material[Symbol.dispose]()
      throw error
    }
    return material
  }

  /**
   * A key whose bytes this domain wrapped itself, and so checked before: form, type and size are
   * checked again, the costly arithmetic is not.
   * @throws HsmError as fromBytes
   */
  static fromOwnBytes(typeName: KeyTypeName, keyClass: KeyClass, bytes: Secret): KeyMaterial {
    const type: KeyType = keyTypes[typeName]
    const isSecretType = type.family === 'secret'
    if (type.publicOnly && keyClass !== 'public') throw publicOnly(typeName)
    if (isSecretType !== (keyClass === 'secret')) {
      throw new HsmError('ARGUMENT_INVALID', `a key of type ${typeName} is not ${keyClass}`)
    }
    if (isSecretType) {
      assertSecretLength(typeName, bytes.length)
      if (typeName === 'AES-128-XTS' || typeName === 'AES-256-XTS') assertHalvesDiffer(bytes)
    }
    const keyObject = bytes.expose((exposed) => parse(keyClass, exposed))
    if (!isSecretType) assertCanonical(typeName, keyObject, bytes)
    return new KeyMaterial(typeName, keyClass, keyObject)
  }

  /** The secret, private or public key. @throws TypeError after the key was disposed */
  get keyObject(): KeyObject {
    if (!this.#keyObject) throw new TypeError('key used after it was erased')
    return this.#keyObject
  }

  /** The public half. @throws AssertionError for a secret key: a caller's bug */
  get publicKey(): KeyObject {
    const keyObject = this.keyObject
    if (this.keyClass === 'public') return keyObject
    assert(this.keyClass === 'private', 'a secret key has no public half')
    this.#publicKey ??= createPublicKey(keyObject)
    return this.#publicKey
  }

  /** Of a secret key, in bytes; 0 for every other class. */
  get secretBytes(): number {
    return this.keyObject.symmetricKeySize ?? 0
  }

  /** The same key for OpenSSL's own functions, made at the first use; this object owns it. */
  native(): NativeKey {
    if (this.#native) return this.#native
    if (this.keyClass === 'private') {
      using bytes = this.toBytes()
      this.#native = bytes.expose((pkcs8) => NativeKey.fromPkcs8(pkcs8))
    } else {
      this.#native = NativeKey.fromSpki(this.publicSpki())
    }
    return this.#native
  }

  /** What an algorithm can compute once per key: made at the first use, erased with the key. */
  prepared<T extends Disposable>(prepare: Prepare<T>): T {
    this.#prepared ??= new Map()
    const known = this.#prepared.get(prepare)
    if (known) return known as T
    const made = prepare(this.keyObject)
    this.#prepared.set(prepare, made)
    return made
  }

  /** Canonical form; the caller erases it. */
  toBytes(): Secret {
    const keyObject = this.keyObject
    if (this.keyClass === 'secret') return new Secret(keyObject.export())
    if (this.keyClass === 'public') return new Secret(exportSpki(keyObject))
    return new Secret(exportPkcs8(keyObject))
  }

  /** SubjectPublicKeyInfo, DER. */
  publicSpki(): Uint8Array {
    return exportSpki(this.publicKey)
  }

  /** RFC 7517, for ML-KEM, ML-DSA and SLH-DSA the key type "AKP"; undefined for brainpool and P-224, which have none. */
  publicJwk(): webcrypto.JsonWebKey | undefined {
    const { family, openssl }: KeyType = keyTypes[this.typeName]
    if (family === 'ec' && /^brainpool|^secp224/.test(openssl ?? '')) return undefined
    return this.publicKey.export({ format: 'jwk' })
  }

  [Symbol.dispose](): void {
    for (const prepared of this.#prepared?.values() ?? []) prepared[Symbol.dispose]()
    this.#prepared = undefined
    this.#native?.[Symbol.dispose]()
    this.#native = undefined
    this.#publicKey = undefined
    this.#keyObject = undefined
  }

  toString(): string {
    return `[${this.keyClass} key ${this.typeName}]`
  }

  toJSON(): string {
    return this.toString()
  }

  [inspect.custom](): string {
    return this.toString()
  }
}

function assertSecretLength(typeName: KeyTypeName, lengthBytes: number): void {
  const { lengthBytes: fixed }: KeyType = keyTypes[typeName]
  if (fixed !== undefined) {
    if (lengthBytes === fixed) return
    throw new HsmError('ARGUMENT_INVALID', `a key of type ${typeName} has ${fixed} bytes`)
  }
  if (!Number.isSafeInteger(lengthBytes) || lengthBytes > secretBytesMax || lengthBytes < 0) {
    throw new HsmError('ARGUMENT_INVALID', `a secret has at most ${secretBytesMax} bytes`)
  }
  if (lengthBytes < secretBytesMin) {
    throw new HsmError('KEY_TOO_WEAK', `a secret has at least ${secretBytesMin} bytes (112 bits)`)
  }
}

function publicOnly(typeName: KeyTypeName): HsmError {
  return new HsmError('ARGUMENT_INVALID', `only public keys of type ${typeName} are taken in`)
}

/** With equal halves XTS is no longer what it is proved to be (FIPS 140-3 IG C.I). */
function assertHalvesDiffer(bytes: Secret): void {
  const half = bytes.length / 2
  const equal = bytes.expose((exposed) =>
    timingSafeEqual(exposed.subarray(0, half), exposed.subarray(half)),
  )
  if (equal) throw new HsmError('ARGUMENT_INVALID', 'the two keys of XTS are equal')
}

function parse(keyClass: KeyClass, bytes: Uint8Array): KeyObject {
  if (keyClass === 'secret') return createSecretKey(bytes)
  const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  try {
    return keyClass === 'private'
      ? createPrivateKey({ key, format: 'der', type: 'pkcs8' })
      : createPublicKey({ key, format: 'der', type: 'spki' })
  } catch (cause) {
    if (keyClass === 'private' && isSecureHeapFull()) {
      throw new HsmError('SECURE_HEAP_FULL', 'no room for another private key', { cause })
    }
    throw new HsmError('ARGUMENT_INVALID', `not a ${keyClass} key in DER`, { cause })
  }
}

/** OpenSSL reports a full secure heap as a key that it cannot decode; the fill level tells them apart. */
function isSecureHeapFull(): boolean {
  const { total, used } = secureHeapUsed() ?? { total: 0, used: 0 }
  const rsa4096BytesMax = 16 * 1024
  return total > 0 && total - used < rsa4096BytesMax
}

/** Right type, size and curve, and the one encoding that there is: nothing may trail or be odd. */
function assertCanonical(typeName: KeyTypeName, keyObject: KeyObject, bytes: Secret): void {
  if (!isOfType(typeName, keyObject)) {
    throw new HsmError('ARGUMENT_INVALID', `not a key of type ${typeName}`)
  }
  const encoded = keyObject.type === 'public' ? exportSpki(keyObject) : exportPkcs8(keyObject)
  const equal = bytes.expose(
    (given) => given.length === encoded.length && timingSafeEqual(given, encoded),
  )
  encoded.fill(0)
  if (!equal) throw new HsmError('ARGUMENT_INVALID', 'not the canonical encoding of the key')
}

function isOfType(typeName: KeyTypeName, keyObject: KeyObject): boolean {
  const { family, openssl }: KeyType = keyTypes[typeName]
  const { asymmetricKeyType, asymmetricKeyDetails } = keyObject
  if (family === 'rsa') {
    return asymmetricKeyType === 'rsa' && asymmetricKeyDetails?.modulusLength === Number(openssl)
  }
  if (family === 'ec') {
    return asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === openssl
  }
  return asymmetricKeyType === openssl
}

function exportSpki(keyObject: KeyObject): Buffer {
  return keyObject.export({ format: 'der', type: 'spki' })
}

function exportPkcs8(keyObject: KeyObject): Buffer {
  return keyObject.export({ format: 'der', type: 'pkcs8' })
}
