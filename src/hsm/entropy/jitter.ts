/**
 * Timing jitter of the processor as a noise source: how long the same small piece of work takes, read
 * from the clock before and after. The work is 16 dependent steps through 1 MiB of memory and one
 * SHA3-256, so that cache, memory, scheduling and the hash's own code all have a part in it. A sample is
 * the time in steps of the clock (its tick removed, because low bits that are always the same would be
 * counted as noise), of which the lowest 8 bits. SP 800-90B's raw noise interface is `read`: nothing is
 * done to the samples between here and the health tests.
 *
 * Claimed: 1 bit a sample; assessed at three and more (docs/entropy.md). A busy machine gives more, an
 * emulated or virtual clock can give nothing, which is what the timing tests are for: a clock that does
 * not move, that goes back, or whose first or second differences stand still.
 */

import { hash } from 'node:crypto'
import type { SourceFailure } from '../contract/entropy.ts'
import { secretMemory } from '../contract/secret-memory.ts'
import type { NoiseSource } from './noise-source.ts'

/** Nanoseconds, never decreasing: process.hrtime.bigint. A test gives a clock of its own. */
export type NanosecondClock = () => bigint

const memoryBytes = 1024 * 1024
const memorySteps = 16
const calibrationReadings = 512
/** A clock this coarse would show nothing of a piece of work that takes one to two microseconds. */
const tickNsMax = 1_000

interface JitterOptions {
  readonly clock?: NanosecondClock
  /** Stuck samples in a row that are a failure: the cut-off of the repetition count for one bit. */
  readonly stuckMax?: number
}

export class Jitter implements NoiseSource {
  readonly name = 'jitter'
  readonly isPhysical = false
  readonly entropyBits = 1
  readonly #clock: NanosecondClock
  readonly #stuckMax: number
  readonly #memory = new Uint8Array(memoryBytes)
  readonly #seed = secretMemory(32)
  #place = 1
  #tickNs = 0
  #lastTicks = 0
  #lastDifference = 0
  #stuckRun = 0
  #standing = 0

  constructor({ clock = process.hrtime.bigint, stuckMax = 31 }: JitterOptions = {}) {
    this.#clock = clock
    this.#stuckMax = stuckMax
  }

  /** Step of the clock in nanoseconds, as it was found; 0 before the first reading. */
  get tickNs(): number {
    return this.#tickNs
  }

  restart(): void {
    this.#tickNs = 0
    this.#stuckRun = 0
    this.#standing = 0
  }

  read(samples: Uint8Array): SourceFailure | undefined {
    if (this.#tickNs === 0) this.#tickNs = this.#findTick()
    for (let index = 0; index < samples.length; index += 1) {
      const elapsedNs = this.#measure()
      const failure = this.#testTiming(elapsedNs)
      if (failure) return failure
      samples[index] = this.#lastTicks & 0xff
    }
    return undefined
  }

  #measure(): number {
    const clock = this.#clock
    const before = clock()
    this.#work()
    return Number(clock() - before)
  }

  /** Each step reads and changes the place that the last one led to (16 bits of it are the index). */
  #work(): void {
    const memory = this.#memory
    let place = this.#place
    for (let step = 0; step < memorySteps; step += 1) {
      const index = (place >>> 12) & (memoryBytes - 1)
      const value = (memory[index] ?? 0) + 1
      memory[index] = value
      place = (Math.imul(place, 1_664_525) + 1_013_904_223 + value) | 0
    }
    this.#place = place
    this.#seed.writeInt32LE(place, 0)
    hash('sha3-256', this.#seed, 'buffer')
  }

  /** Ticks, their difference and the difference of that: a sample is stuck where one of them is zero. */
  #testTiming(elapsedNs: number): SourceFailure | undefined {
    if (elapsedNs < 0) return 'clock-back'
    const ticks = Math.round(elapsedNs / this.#tickNs)
    const difference = ticks - this.#lastTicks
    const isStuck = ticks === 0 || difference === 0 || difference === this.#lastDifference
    this.#lastTicks = ticks
    this.#lastDifference = difference
    this.#standing = ticks === 0 ? this.#standing + 1 : 0
    if (this.#standing >= this.#stuckMax) return 'clock-stopped'
    this.#stuckRun = isStuck ? this.#stuckRun + 1 : 0
    return this.#stuckRun >= this.#stuckMax ? 'stuck' : undefined
  }

  #findTick(): number {
    const clock = this.#clock
    const deltas: number[] = []
    for (let reading = 0; reading < calibrationReadings; reading += 1) {
      const before = clock()
      deltas.push(Number(clock() - before))
      deltas.push(this.#measure())
    }
    return findTick(deltas)
  }
}

/** Deltas longer than this say more of the scheduler than of the clock. */
const calibrationNsMax = 5_000
/** Nanoseconds by which the conversion from a counter to nanoseconds puts a delta off. */
const roundingNs = 1
/** Up to here the rounding alone would make everything a multiple. */
const tickNsMin = 5

/**
 * The step in which a clock moves, in nanoseconds: the largest of which nearly all deltas are multiples.
 * Looked for among the short deltas, in thirds of a nanosecond, then made exact with the long ones: what
 * counts 99.84 million a second has a tick of 10.016. 1 if there is none, as where the clock is finer
 * than a nanosecond.
 */
export function findTick(deltas: readonly number[]): number {
  const usable = deltas.filter((delta) => delta > 0 && delta <= calibrationNsMax)
  const sorted = usable.toSorted((one, other) => one - other)
  // Those of two readings in a row, a few ticks each.
  const short = sorted.slice(0, sorted.length >> 1)
  for (let thirds = 3 * tickNsMax; thirds >= 3 * tickNsMin; thirds -= 1) {
    const rough = thirds / 3
    if (!fits(rough, short)) continue
    const tick = refine(rough, sorted)
    if (fits(tick, sorted)) return tick
  }
  return 1
}

/** One in a hundred may be odd. */
function fits(tick: number, deltas: readonly number[]): boolean {
  const exceptionsMax = Math.floor(deltas.length / 100)
  let exceptions = 0
  for (const delta of deltas) {
    const off = Math.abs(delta - tick * Math.round(delta / tick))
    if (off <= roundingNs && delta >= tick - roundingNs) continue
    exceptions += 1
    if (exceptions > exceptionsMax) return false
  }
  return deltas.length > 0
}

/** Least squares over more and more of the deltas, so that their multiples never become doubtful. */
function refine(rough: number, sorted: readonly number[]): number {
  let tick = rough
  let products = 0
  let squares = 0
  for (const delta of sorted) {
    const multiple = Math.round(delta / tick)
    products += multiple * delta
    squares += multiple * multiple
    if (squares > 0) tick = products / squares
  }
  return tick
}
