/**
 * Private scalars of elliptic curves by rejection sampling (FIPS 186-5 section A.2.2, SP 800-56A section
 * 5.6.1.2.2), on bytes: no big integers, and no branch on a candidate but whether it is taken. Candidates
 * have as many bits as the order, so that at least half of them are in range on every curve.
 */

import assert from 'node:assert/strict'
import { Secret } from '../secret.ts'

/** A candidate out of range has a chance of at most one half: so many in a row do not happen. */
const triesMax = 256

/**
 * d = c + 1 for a random c of at most order - 2: from 1 to order - 1, each as likely as the other.
 * @param order big-endian, without leading zeros
 * @param random gives that many fresh random bytes, which are overwritten here
 */
export function randomScalar(order: Uint8Array, random: (length: number) => Uint8Array): Secret {
  const spareBits = Math.clz32(order[0] ?? 0) - 24
  assert(spareBits >= 0 && spareBits < 8)
  const bound = Uint8Array.from(order)
  const lowest = bound.length - 1
  // An order is an odd prime: one less only changes its last bit.
  bound[lowest] = (bound[lowest] ?? 0) - 1
  for (let tries = 0; tries < triesMax; tries += 1) {
    const candidate = random(order.length)
    candidate[0] = (candidate[0] ?? 0) & (0xff >> spareBits)
    if (isBelow(candidate, bound)) {
      addOne(candidate)
      return new Secret(candidate)
    }
    candidate.fill(0)
  }
  return assert.fail('the generator gives no scalar in range')
}

/** In a time that depends on the length alone. */
function isBelow(value: Uint8Array, bound: Uint8Array): boolean {
  let borrow = 0
  for (let index = bound.length - 1; index >= 0; index -= 1) {
    borrow = (((value[index] ?? 0) - (bound[index] ?? 0) - borrow) >> 8) & 1
  }
  return borrow === 1
}

function addOne(value: Uint8Array): void {
  let carry = 1
  for (let index = value.length - 1; index >= 0; index -= 1) {
    const sum = (value[index] ?? 0) + carry
    value[index] = sum & 0xff
    carry = sum >> 8
  }
}
