/** Noise sources for tests: a good one from a seed, and every way in which one can be bad. */

import { hash } from 'node:crypto'
import type { SourceFailure } from '../contract/entropy.ts'
import type { NoiseSource } from './noise-source.ts'

/** Bytes that look random and are the same each time: SHA-256 of seed and counter. */
export function* byteStream(seed: string): Generator<number, never> {
  for (let counter = 0; ; counter += 1) yield* hash('sha256', `${seed} ${counter}`, 'buffer')
}

interface Given {
  readonly name?: string
  readonly entropyBits?: number
  readonly isPhysical?: boolean
  /** What comes out after so many good samples. Answers the next sample, or why there is none. */
  readonly goodSamples?: number
  readonly fault?: (good: number, index: number) => number | SourceFailure
  /** Whether starting again makes it good again. */
  readonly heals?: boolean
}

/** Good for a while, and then what the test wants. */
export function source(given: Given = {}): NoiseSource & { readonly reads: () => number } {
  const { goodSamples = Number.POSITIVE_INFINITY, fault = (good) => good, heals = false } = given
  const name = given.name ?? 'injected'
  const stream = byteStream(name)
  let count = 0
  return {
    name,
    isPhysical: given.isPhysical ?? false,
    entropyBits: given.entropyBits ?? 4,
    reads: () => count,
    restart: () => {
      if (heals) count = Number.NEGATIVE_INFINITY
    },
    read: (samples) => {
      for (let index = 0; index < samples.length; index += 1) {
        const good = stream.next().value
        const sample = count < goodSamples ? good : fault(good, count - goodSamples)
        if (typeof sample === 'string') return sample
        samples[index] = sample
        count += 1
      }
      return undefined
    },
  }
}
