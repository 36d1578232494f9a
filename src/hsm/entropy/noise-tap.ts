/**
 * The raw noise interface for assessment (SP 800-90B section 3.1.3 and requirement 8 of 3.2.2). It works
 * on sources of its own, never on those of the generator, so that nothing that was seen outside can have
 * seeded anything; and the command that reaches it runs only while there is no domain, and so no key.
 * Readings of one source follow each other; it begins anew with the process.
 */

import {
  conditionedBlockBytes,
  type NoiseForm,
  type NoiseReport,
  type NoiseSourceName,
  type SourceFailure,
} from '../contract/entropy.ts'
import { HsmError } from '../contract/errors.ts'
import { condition } from './conditioning.ts'
import { cutoffsFor, HealthTests, windowSamples } from './health-tests.ts'
import { Jitter } from './jitter.ts'
import { type NoiseSource, operatingSystem, processorGenerator } from './noise-source.ts'

export interface Tapped {
  /** Empty when the source itself failed on the way. */
  readonly samples: Buffer
  readonly report: NoiseReport
}

const makers: Readonly<Record<NoiseSourceName, () => NoiseSource | undefined>> = {
  'operating-system': operatingSystem,
  jitter: () => new Jitter(),
  processor: processorGenerator,
}

const taps = new Map<NoiseSourceName, Tap>()

/**
 * The next samples, past the health tests; a count of conditioned bytes comes in whole blocks, each from
 * a window of its own.
 * @throws HsmError ARGUMENT_INVALID for a source that this machine has not
 */
export function tapNoise(name: NoiseSourceName, form: NoiseForm, count: number): Tapped {
  const tap = taps.get(name) ?? openTap(name)
  taps.set(name, tap)
  const samples = form === 'raw' ? tap.raw(count) : tap.conditioned(count)
  return { samples, report: tap.report }
}

function openTap(name: NoiseSourceName): Tap {
  const source = makers[name]()
  if (!source) throw new HsmError('ARGUMENT_INVALID', 'this machine has no such noise source')
  return new Tap(source)
}

/** A source of its own, with tests that only watch. */
class Tap {
  readonly #source: NoiseSource
  readonly #tests: HealthTests
  #failure: SourceFailure | '' = ''

  constructor(source: NoiseSource) {
    this.#source = source
    this.#tests = new HealthTests(cutoffsFor(source.entropyBits))
  }

  get report(): NoiseReport {
    const { longestRun, highestProportion, highestLag, cutoffs } = this.#tests
    return {
      failure: this.#failure,
      entropyBits: this.#source.entropyBits,
      repetitionCutoff: cutoffs.repetition,
      proportionCutoff: cutoffs.proportion,
      ...{ longestRun, highestProportion, highestLag },
      tickNs: this.#source instanceof Jitter ? this.#source.tickNs : 0,
    }
  }

  raw(count: number): Buffer {
    const samples = Buffer.alloc(count)
    if (!this.#read(samples)) return Buffer.alloc(0)
    this.#failure ||= this.#tests.check(samples) ?? ''
    return samples
  }

  conditioned(count: number): Buffer {
    const blocks = Buffer.alloc(count - (count % conditionedBlockBytes))
    const window = Buffer.alloc(windowSamples)
    for (let start = 0; start < blocks.length; start += conditionedBlockBytes) {
      if (!this.#read(window)) return Buffer.alloc(0)
      condition(window).copy(blocks, start)
    }
    return blocks
  }

  #read(samples: Buffer): boolean {
    const failure = this.#source.read(samples)
    if (failure) this.#failure = failure
    return failure === undefined
  }
}
