/**
 * The continuous health tests of SP 800-90B section 4.4 on the raw samples of one noise source:
 * repetition count (4.4.1) and adaptive proportion (4.4.2); and a third of our own, which the standard
 * invites (4.5), because neither notices a source that repeats a short pattern: for each distance from 1
 * to 16, how often a sample in a window equals the one that far before it.
 *
 * The cut-offs are computed from the entropy that is claimed for a sample and from the rate of false
 * alarms, 2^-30 for each sample (repetition) and each window (proportion and, for each distance, lag).
 * A failure is an answer, not an error: what follows from it is decided in `monitored-source.ts`.
 */

import assert from 'node:assert/strict'

/** Exponent of the rate of false alarms; the standard has 2^-20 to 2^-40. */
export const falseAlarmBits = 30
/** W for samples of more than one bit (4.4.2). */
export const windowSamples = 512
/** Longest period of a pattern that the third test finds. */
export const lagMax = 16

export interface Cutoffs {
  /** So many equal samples in a row are a failure. */
  readonly repetition: number
  /** So many samples of a window that equal its first one are a failure. */
  readonly proportion: number
}

/** @param entropyBits claimed for one sample, more than 0 and at most 8 */
export function cutoffsFor(entropyBits: number, alarmBits = falseAlarmBits): Cutoffs {
  assert(entropyBits > 0 && entropyBits <= 8)
  assert(alarmBits >= 20 && alarmBits <= 40)
  return {
    repetition: 1 + Math.ceil(alarmBits / entropyBits),
    proportion: 1 + criticalCount(windowSamples, 2 ** -entropyBits, 2 ** -alarmBits),
  }
}

/**
 * The standard's CRITBINOM: the smallest count that so many trials exceed with a probability of at most
 * alpha. Summed from the far end of the distribution, where the terms are small.
 */
export function criticalCount(trials: number, probability: number, alpha: number): number {
  let logTerm = trials * Math.log(probability)
  let tail = 0
  for (let count = trials; count > 0; count -= 1) {
    tail += Math.exp(logTerm)
    if (tail > alpha) return count
    // From the term of this count to that of the one below it.
    logTerm += Math.log(count / (trials - count + 1)) + Math.log((1 - probability) / probability)
  }
  return 0
}

export type HealthFailure = 'repetition' | 'proportion' | 'lag'

export class HealthTests {
  readonly cutoffs: Cutoffs
  /** The longest run and the highest counts so far: how near it came. */
  longestRun = 0
  highestProportion = 0
  highestLag = 0
  #last = -1
  #run = 0
  #first = -1
  #equalFirst = 0
  #position = 0
  readonly #before = new Int16Array(lagMax).fill(-1)
  readonly #lags = new Int32Array(lagMax)

  constructor(cutoffs: Cutoffs) {
    this.cutoffs = cutoffs
  }

  /** True if no window is under way: every sample so far belongs to one that is over. */
  get isAtWindowEnd(): boolean {
    return this.#position === 0
  }

  /** Goes on where the last call ended, and stops at the first failure. */
  check(samples: Uint8Array): HealthFailure | undefined {
    for (const sample of samples) {
      const failure = this.#push(sample)
      if (failure) return failure
    }
    return undefined
  }

  #push(sample: number): HealthFailure | undefined {
    this.#run = sample === this.#last ? this.#run + 1 : 1
    this.#last = sample
    if (this.#run > this.longestRun) this.longestRun = this.#run
    if (this.#run >= this.cutoffs.repetition) return 'repetition'
    if (this.#position === 0) {
      this.#first = sample
      this.#equalFirst = 0
      this.#lags.fill(0)
    }
    if (sample === this.#first) this.#equalFirst += 1
    const isLag = this.#countLags(sample)
    this.#position = (this.#position + 1) % windowSamples
    if (this.#equalFirst > this.highestProportion) this.highestProportion = this.#equalFirst
    if (this.#equalFirst >= this.cutoffs.proportion) return 'proportion'
    return isLag ? 'lag' : undefined
  }

  /** The last samples stand in a ring; the window's length is a multiple of the ring's. */
  #countLags(sample: number): boolean {
    const start = this.#position
    let highest = 0
    for (let lag = 1; lag <= lagMax; lag += 1) {
      if (this.#before[(start - lag) & (lagMax - 1)] !== sample) continue
      const count = (this.#lags[lag - 1] ?? 0) + 1
      this.#lags[lag - 1] = count
      if (count > highest) highest = count
    }
    this.#before[start & (lagMax - 1)] = sample
    if (highest > this.highestLag) this.highestLag = highest
    return highest >= this.cutoffs.proportion
  }
}
