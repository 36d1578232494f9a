/**
 * From samples to full entropy: SHA-384, a vetted conditioning component (SP 800-90B section 3.1.5.1.1),
 * over one whole window of samples of one source. `outputEntropyBits` is the standard's own arithmetic;
 * SP 800-90C asks for 64 bits more going in than come out for the output to count as full entropy.
 */

import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { secretMemory } from '../contract/secret-memory.ts'
import { windowSamples } from './health-tests.ts'

export const conditionedBytes = 48
/** What a window has to carry for its digest to have full entropy: 384 bits and 64 more. */
export const windowEntropyBitsMin = conditionedBytes * 8 + 64
/** What SHA-512's chaining value holds, of which SHA-384 is the beginning. */
const narrowestBits = 512

/** Full entropy, if the samples carry windowEntropyBitsMin; in memory of its own. */
export function condition(samples: Uint8Array): Buffer {
  assert.equal(samples.length, windowSamples)
  const digest = hash('sha384', samples, 'buffer')
  const own = secretMemory(conditionedBytes)
  assert.equal(digest.copy(own), conditionedBytes)
  digest.fill(0)
  return own
}

/**
 * h_out of a vetted component (SP 800-90B section 3.1.5.1.2), in bits.
 * @param inputBits n_in
 * @param entropyBits h_in
 */
export function outputEntropyBits(
  inputBits: number,
  entropyBits: number,
  outputBits = conditionedBytes * 8,
): number {
  const width = Math.min(outputBits, narrowestBits)
  const most = 2 ** -entropyBits
  // P_low is (1 - P_high) / (2^n_in - 1); only its product with 2^(n_in - n) stays in range.
  const lowTimesRest = (1 - most) * 2 ** -width
  const psi = lowTimesRest + most
  // U P_low with U = 2^(n_in-n) + sqrt(2 n 2^(n_in-n) ln 2), where P_low is 2^-n_in but for a trifle.
  const spread = Math.sqrt(2 * width * Math.LN2) * 2 ** (-(inputBits - width) / 2)
  const omega = lowTimesRest * (1 + spread)
  return Math.min(outputBits, -Math.log2(Math.max(psi, omega)))
}
