/**
 * What a key from outside must prove before it is used, beyond having parsed: the point is on the
 * curve and in the one encoding, the private number is in range, and the halves belong together
 * (SP 800-56A section 5.6.2, SP 800-56B section 6.4, FIPS 186-5 section 6.2). Seeds of Ed25519, Ed448,
 * X25519, X448, ML-KEM and ML-DSA fix their public key, so there is nothing to contradict; the expanded
 * forms of ML-KEM and ML-DSA are checked by OpenSSL when it parses them, the root of SLH-DSA by the worker
 * when a key is imported.
 */

import assert from 'node:assert/strict'
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import { type KeyType, type KeyTypeName, keyTypes } from '../contract/algorithms.ts'
import { HsmError } from '../contract/errors.ts'

/** The orders of the curves (SP 800-186, SEC 2, RFC 5639): a private key is from 1 to order - 1. */
export const curveOrders: ReadonlyMap<string, Buffer> = new Map(
  Object.entries({
    secp224r1: 'ffffffffffffffffffffffffffff16a2e0b8f03e13dd29455c5c2a3d',
    prime256v1: 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
    secp384r1:
      'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
    secp521r1:
      '01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa' +
      '51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409',
    secp256k1: 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141',
    brainpoolP256r1: 'a9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7',
    brainpoolP384r1:
      '8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b31f166e6cac0425a7cf3ab6af6b7fc3103b883202e9046565',
    brainpoolP512r1:
      'aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330870' +
      '553e5c414ca92619418661197fac10471db1d381085ddaddb58796829ca90069',
  }).map(([curve, order]) => [curve, Buffer.from(order, 'hex')]),
)

/** @throws HsmError ARGUMENT_INVALID */
export function assertPrivateKey(typeName: KeyTypeName, keyObject: KeyObject): void {
  const { family, openssl = '' }: KeyType = keyTypes[typeName]
  if (family === 'ec') assertEcPrivateKey(keyObject, openssl)
  if (family === 'rsa') {
    assertRsaPublicExponent(keyObject)
    assertRsaPrivateForm(keyObject, Number(openssl) / 8)
    assertRsaPairWorks(keyObject)
  }
}

/** @throws HsmError ARGUMENT_INVALID */
export function assertPublicKey(typeName: KeyTypeName, keyObject: KeyObject): void {
  const { family, openssl = '' }: KeyType = keyTypes[typeName]
  if (family === 'ec') assertEcPublicKey(keyObject, openssl)
  if (family === 'rsa') {
    assertRsaPublicExponent(keyObject)
    const n = Buffer.from(String(keyObject.export({ format: 'jwk' }).n), 'base64url')
    if (((n.at(-1) ?? 0) & 1) === 0) throw new HsmError('ARGUMENT_INVALID', 'even RSA modulus')
  }
  if (family === 'ed25519') {
    const raw = keyObject.export({ format: 'raw-public' })
    if (!isEdwardsPoint(edwards25519, raw)) throw notAPoint(typeName)
  }
  if (family === 'ed448') {
    const raw = keyObject.export({ format: 'raw-public' })
    // Seven bits of the last byte are the highest of no number (RFC 8032 section 5.2.2).
    if (((raw.at(-1) ?? 0) & 0x7f) !== 0 || !isEdwardsPoint(edwards448, raw))
      throw notAPoint(typeName)
  }
}

/** Made again from its scalar alone, a right key comes out the same: named curve, point and all. */
function assertEcPrivateKey(keyObject: KeyObject, namedCurve: string): void {
  const scalar = keyObject.export({ format: 'raw-private' })
  const encoded = keyObject.export({ format: 'der', type: 'pkcs8' })
  try {
    const order = curveOrders.get(namedCurve)
    assert(order)
    if (!isPrivateScalar(scalar, order)) {
      throw new HsmError('ARGUMENT_INVALID', 'the private key is not between 0 and the order')
    }
    const again = createPrivateKey({
      key: scalar,
      format: 'raw-private',
      asymmetricKeyType: 'ec',
      namedCurve,
    }).export({ format: 'der', type: 'pkcs8' })
    const equal = again.length === encoded.length && timingSafeEqual(again, encoded)
    again.fill(0)
    if (!equal) throw inconsistent()
  } finally {
    scalar.fill(0)
    encoded.fill(0)
  }
}

/** OpenSSL has checked that the point is on the curve; all our curves have cofactor 1. */
function assertEcPublicKey(keyObject: KeyObject, namedCurve: string): void {
  const again = createPublicKey({
    key: keyObject.export({ format: 'raw-public' }),
    format: 'raw-public',
    asymmetricKeyType: 'ec',
    namedCurve,
  })
  const spki = { format: 'der', type: 'spki' } as const
  if (!again.export(spki).equals(keyObject.export(spki))) {
    throw new HsmError('ARGUMENT_INVALID', 'not a named curve with an uncompressed point')
  }
}

/** True for 1 to order - 1, in a time that depends on the length alone. */
function isPrivateScalar(scalar: Uint8Array, order: Uint8Array): boolean {
  if (scalar.length !== order.length) return false
  let borrow = 0
  let bits = 0
  for (let index = scalar.length - 1; index >= 0; index -= 1) {
    const digit = scalar[index] ?? 0
    borrow = ((digit - (order[index] ?? 0) - borrow) >> 8) & 1
    bits |= digit
  }
  return borrow === 1 && bits !== 0
}

/** FIPS 186-5 section 5.1: odd, 2^16 < e < 2^256. */
function assertRsaPublicExponent(keyObject: KeyObject): void {
  const e = keyObject.asymmetricKeyDetails?.publicExponent ?? 0n
  if (e % 2n === 0n || e <= 0x1_0000n || e >= 1n << 256n) {
    throw new HsmError('ARGUMENT_INVALID', 'the RSA public exponent is even or out of range')
  }
}

/**
 * RFC 8017 appendix A.1.2, version 0: two primes of half the modulus each, and a private exponent
 * above 2^(bits/2) (SP 800-56B section 6.4.1.2).
 */
function assertRsaPrivateForm(keyObject: KeyObject, modulusBytes: number): void {
  const der = keyObject.export({ format: 'der', type: 'pkcs1' })
  const lengths = integerLengths(der)
  const [version, , , d = 0, p, q] = lengths
  const primeBytes = modulusBytes / 2 + 1
  const isVersion0 = lengths.length === 9 && version === 1 && der[6] === 0
  der.fill(0)
  if (!isVersion0) throw new HsmError('ARGUMENT_INVALID', 'an RSA key has two primes')
  if (p !== primeBytes || q !== primeBytes || d <= modulusBytes / 2) {
    throw new HsmError('ARGUMENT_INVALID', 'the primes or the private exponent are too small')
  }
}

/** SP 800-56B section 6.4.1.1: what the private key signs, its public key verifies. */
function assertRsaPairWorks(keyObject: KeyObject): void {
  const message = Buffer.from('keyhold pairwise consistency test')
  let works = false
  try {
    works = verify(
      'sha256',
      message,
      createPublicKey(keyObject),
      sign('sha256', message, keyObject),
    )
  } catch {
    // OpenSSL refuses to compute with numbers that contradict each other.
  }
  if (!works) throw inconsistent()
}

/** Lengths of the INTEGERs in a DER sequence that is longer than 255 bytes; OpenSSL wrote it. */
function integerLengths(der: Uint8Array): number[] {
  const lengths: number[] = []
  for (let offset = 4; offset < der.length && der[offset] === 2; ) {
    const first = der[offset + 1] ?? 0
    const extra = first < 0x80 ? 0 : first - 0x80
    let length = extra === 0 ? first : 0
    for (let index = 0; index < extra; index += 1) {
      length = length * 256 + (der[offset + 2 + index] ?? 0)
    }
    lengths.push(length)
    offset += 2 + extra + length
  }
  return lengths
}

interface EdwardsCurve {
  /** The field's prime. */
  readonly p: bigint
  /** a and d of a x^2 + y^2 = 1 + d x^2 y^2 (RFC 8032 sections 5.1 and 5.2). */
  readonly a: bigint
  readonly d: bigint
}

const edwards25519: EdwardsCurve = {
  p: 2n ** 255n - 19n,
  a: -1n,
  d: 37095705934669439343138083508754565189542113879843219016388785533085940283555n,
}
const edwards448: EdwardsCurve = { p: 2n ** 448n - 2n ** 224n - 1n, a: 1n, d: -39081n }

/**
 * RFC 8032 sections 5.1.3 and 5.2.3: y is below p, and x^2 = (y^2 - 1) / (d y^2 - a) has a root. OpenSSL
 * only looks when it verifies. The key is public, so big integers are no risk here.
 */
function isEdwardsPoint({ p, a, d }: EdwardsCurve, raw: Uint8Array): boolean {
  const bytes = Buffer.from(raw).reverse()
  const signBit = (bytes[0] ?? 0) >> 7
  bytes[0] = (bytes[0] ?? 0) & 0x7f
  const y = BigInt(`0x${bytes.toString('hex')}`)
  if (y >= p) return false
  const u = (y * y - 1n + p) % p
  const v = (((d * y * y - a) % p) + p) % p
  if (u === 0n) return signBit === 0
  return powerModulo((u * v) % p, (p - 1n) / 2n, p) === 1n
}

/** Of a public number to the power of a constant. */
function powerModulo(number: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  let square = number
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus
    square = (square * square) % modulus
  }
  return result
}

function notAPoint(typeName: KeyTypeName): HsmError {
  return new HsmError('ARGUMENT_INVALID', `not a point of ${typeName}`)
}

function inconsistent(): HsmError {
  return new HsmError('ARGUMENT_INVALID', 'the private and the public half do not belong together')
}
