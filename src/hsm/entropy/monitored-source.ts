/**
 * A noise source under its health tests (SP 800-90B section 4.3). Nothing comes out of it before the
 * start-up test, 2,048 samples that are thrown away; after that a block comes from exactly one window of
 * samples, so that no sample is used before the window that it belongs to has passed.
 *
 * A failure is told at once. Then the source starts again from nothing and has to pass its start-up
 * test: once or twice that may be a false alarm, which is expected about once in 2^30 windows; the third
 * failure, or one in the start-up test itself, is permanent until somebody asks for the tests.
 */

import { hash } from 'node:crypto'
import type { SourceFailure, SourceStatus } from '../contract/entropy.ts'
import { condition } from './conditioning.ts'
import { type Cutoffs, cutoffsFor, HealthTests, windowSamples } from './health-tests.ts'
import type { NoiseSource } from './noise-source.ts'

/** The standard asks for 1,024; the first half is of code that is not yet compiled. */
export const startUpSamples = 2_048
export const failuresMax = 3

export interface FailureReport {
  readonly source: string
  readonly failure: SourceFailure
  /** True if it gives nothing any more. */
  readonly isPermanent: boolean
}

export class MonitoredSource {
  readonly #source: NoiseSource
  readonly #report: (failure: FailureReport) => void
  readonly #cutoffs: Cutoffs
  readonly #window = Buffer.allocUnsafeSlow(windowSamples)
  #tests: HealthTests
  #state: SourceStatus['state'] = 'untested'
  #samples = 0
  #blocks = 0
  #failures = 0
  #lastFailure: SourceFailure | '' = ''
  #lastTrace: Buffer | undefined

  constructor(source: NoiseSource, report: (failure: FailureReport) => void) {
    this.#source = source
    this.#report = report
    this.#cutoffs = cutoffsFor(source.entropyBits)
    this.#tests = new HealthTests(this.#cutoffs)
  }

  get state(): SourceStatus['state'] {
    return this.#state
  }

  get isPhysical(): boolean {
    return this.#source.isPhysical
  }

  get status(): SourceStatus {
    return {
      name: this.#source.name,
      physical: this.#source.isPhysical,
      state: this.#state,
      entropyBits: this.#source.entropyBits,
      repetitionCutoff: this.#cutoffs.repetition,
      proportionCutoff: this.#cutoffs.proportion,
      samples: this.#samples,
      blocks: this.#blocks,
      failures: this.#failures,
      lastFailure: this.#lastFailure,
      longestRun: this.#tests.longestRun,
      highestProportion: this.#tests.highestProportion,
      highestLag: this.#tests.highestLag,
    }
  }

  /** From nothing, and forgetting earlier failures: at the start, and whenever it is asked for. */
  startUp(): boolean {
    this.#failures = 0
    this.#lastFailure = ''
    const failure = this.#passStartUp()
    if (failure) this.#fail(failure, true)
    return failure === undefined
  }

  /** 384 bits of full entropy, which the caller erases. Undefined if the source has failed for good. */
  block(): Buffer | undefined {
    while (this.#state === 'healthy') {
      const taken = this.#takeBlock()
      if (typeof taken !== 'string') {
        this.#blocks += 1
        return taken
      }
      const isLast = this.#failures + 1 >= failuresMax
      this.#fail(taken, isLast)
      if (isLast) return undefined
      const again = this.#passStartUp()
      if (again) this.#fail(again, true)
    }
    return undefined
  }

  #passStartUp(): SourceFailure | undefined {
    this.#source.restart()
    this.#tests = new HealthTests(this.#cutoffs)
    for (let count = 0; count < startUpSamples; count += windowSamples) {
      const block = this.#takeBlock()
      if (typeof block === 'string') return block
      block.fill(0)
    }
    this.#state = 'healthy'
    return undefined
  }

  /** One window, read, tested and conditioned. */
  #takeBlock(): Buffer | SourceFailure {
    this.#samples += windowSamples
    const failure = this.#source.read(this.#window) ?? this.#tests.check(this.#window)
    if (failure) return failure
    const block = condition(this.#window)
    this.#window.fill(0)
    // The digest of a block is kept for this, not the block: it must not be worth anything.
    const trace = hash('sha384', block, 'buffer')
    const isReplay = this.#lastTrace?.equals(trace) ?? false
    this.#lastTrace = trace
    if (!isReplay) return block
    block.fill(0)
    return 'replay'
  }

  #fail(failure: SourceFailure, isPermanent: boolean): void {
    this.#window.fill(0)
    this.#failures += 1
    this.#lastFailure = failure
    if (isPermanent) this.#state = 'failed'
    this.#report({ source: this.#source.name, failure, isPermanent })
  }
}
