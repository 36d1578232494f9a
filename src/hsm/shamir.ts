/**
 * Shamir's secret sharing over GF(2^8) as draft-mcgrew-tss-03 sections 3.1 to 3.3 have it: the field of
 * AES (FIPS 197 section 4.2), one random polynomial for each octet of the secret, the secret at x = 0, the
 * index of a share as its x. Any `threshold` shares give the secret, fewer say nothing about it.
 *
 * Constant time in secrets: products are made of shifts and masks, without tables and without branches.
 * Branches and positions depend on indices and lengths alone, which are public.
 */

import assert from 'node:assert/strict'
import { HsmError } from './contract/errors.ts'
import { secretMemory } from './contract/secret-memory.ts'
import { sharesMax, thresholdMin } from './contract/share.ts'
import { Secret } from './secret.ts'

/** A share with its x, 1 to 255. */
export interface IndexedShare {
  readonly index: number
  readonly share: Secret
}

/**
 * As many shares as are asked for, in the order of their indices from 1; whoever takes them erases them.
 * @param random gives coefficients: for each octet those of x, x² and so on
 * @throws HsmError ARGUMENT_INVALID unless 2 <= threshold <= shares <= 16
 */
export function split(
  secret: Secret,
  { threshold, shares }: { readonly threshold: number; readonly shares: number },
  random: (length: number) => Uint8Array,
): Secret[] {
  if (!isSplitting(threshold, shares)) {
    const range = `${thresholdMin} <= threshold <= shares <= ${sharesMax}`
    throw new HsmError('ARGUMENT_INVALID', `a secret is split with ${range}`)
  }
  const degree = threshold - 1
  using coefficients = new Secret(random(secret.length * degree))
  assert.equal(coefficients.length, secret.length * degree)
  return secret.expose((bytes) =>
    coefficients.expose((random) =>
      Array.from({ length: shares }, (_, position) =>
        evaluated(bytes, { coefficients: random, degree, x: position + 1 }),
      ),
    ),
  )
}

export function isSplitting(threshold: number, shares: number): boolean {
  const areIntegers = Number.isInteger(threshold) && Number.isInteger(shares)
  return areIntegers && thresholdMin <= threshold && threshold <= shares && shares <= sharesMax
}

/** Horner's rule for each octet. */
function evaluated(
  secret: Uint8Array,
  polynomial: { readonly coefficients: Uint8Array; readonly degree: number; readonly x: number },
): Secret {
  const { coefficients, degree, x } = polynomial
  const values = secretMemory(secret.length)
  for (let octet = 0; octet < secret.length; octet += 1) {
    let value = 0
    for (let power = degree - 1; power >= 0; power -= 1) {
      value = multiply(value ^ (coefficients[octet * degree + power] ?? 0), x)
    }
    values[octet] = value ^ (secret[octet] ?? 0)
  }
  return new Secret(values)
}

/**
 * The secret of these shares, by Lagrange's formula at x = 0; the shares stay the caller's. Whether they
 * belong together cannot be seen here: the caller checks what comes out.
 * @throws HsmError SHARE_INVALID for fewer than the threshold, an index twice or none, unequal lengths
 */
export function combine(shares: readonly IndexedShare[], threshold: number): Secret {
  const indices = shares.map(({ index }) => index)
  if (threshold < thresholdMin || shares.length < threshold || shares.length > sharesMax) {
    throw new HsmError('SHARE_INVALID', `it takes ${threshold} shares, not ${shares.length}`)
  }
  if (indices.some((index) => !Number.isInteger(index) || index < 1 || index > 255)) {
    throw new HsmError('SHARE_INVALID', 'a share has an index from 1 to 255')
  }
  if (new Set(indices).size < indices.length) {
    throw new HsmError('SHARE_INVALID', 'one share is there twice')
  }
  const length = shares[0]?.share.length ?? 0
  if (length === 0 || shares.some(({ share }) => share.length !== length)) {
    throw new HsmError('SHARE_INVALID', 'shares of one secret have one length')
  }
  const secret = secretMemory(length)
  for (const { index, share } of shares) {
    const weight = lagrangeWeight(index, indices)
    share.expose((bytes) => {
      for (let octet = 0; octet < length; octet += 1) {
        secret[octet] = (secret[octet] ?? 0) ^ multiply(bytes[octet] ?? 0, weight)
      }
    })
  }
  return new Secret(secret)
}

/** The product of x / (x - index) over the other indices x; subtraction is exclusive or. */
function lagrangeWeight(index: number, indices: readonly number[]): number {
  let weight = 1
  for (const other of indices) {
    if (other !== index) weight = multiply(weight, multiply(other, inverse(other ^ index)))
  }
  return weight
}

/** Carry-less product modulo x^8 + x^4 + x^3 + x + 1, the same steps for all octets. */
function multiply(a: number, b: number): number {
  let product = 0
  let shifted = a
  for (let bit = 0; bit < 8; bit += 1) {
    // The bit, moved to the sign and back, is a mask of all bits or of none.
    product ^= shifted & ((b << (31 - bit)) >> 31)
    shifted = (shifted << 1) ^ (0x11b & ((shifted << 24) >> 31))
  }
  return product
}

/** a^254, because a^255 = 1 for all but 0. */
function inverse(a: number): number {
  let power = a
  for (let step = 0; step < 6; step += 1) power = multiply(multiply(power, power), a)
  return multiply(power, power)
}
