/**
 * The module's generator: an RBG2(NP) in the terms of SP 800-90C. HMAC_DRBG-SHA-512 is seeded with one
 * block of full entropy from every source that is healthy, 384 bits each, so that any one of them alone
 * is enough; it is reseeded likewise after 1,024 requests or a minute, and before a request that asks for
 * prediction resistance. What it gives is combined by exclusive or with bytes of OpenSSL's generator, so
 * that the result is never weaker than either; and with each seeding OpenSSL's generator is stirred.
 *
 * Bytes from the host are mixed into a reseeding, as additional input, and never counted. When no source
 * is left at a reseeding, nothing is given any more.
 */

import assert from 'node:assert/strict'
import type { GeneratorStatus } from '../contract/entropy.ts'
import { HsmError } from '../contract/errors.ts'
import { secretMemory } from '../contract/secret-memory.ts'
import { HmacDrbg, requestBytesMax } from './hmac-drbg.ts'
import type { MonitoredSource } from './monitored-source.ts'

/** The standard allows 2^48. */
export const requestsPerSeedMax = 1_024
export const seedAgeMsMax = 60_000
/** What OpenSSL's generator is given at each of our seedings, in bytes. */
const stirBytes = 64

export interface GeneratorOptions {
  readonly sources: readonly MonitoredSource[]
  /** Milliseconds that never go back. */
  readonly clock: () => number
  /** Distinguishes this instance from every other (SP 800-90A section 8.7.1); no secret. */
  readonly personalisation: Uint8Array
  /** Fills with bytes of the generator that ours is combined with. */
  readonly other: (target: Uint8Array) => void
  /** Gives bytes of ours to that generator; they are erased behind it. */
  readonly stir: (bytes: Uint8Array) => void
  /** Told once, when the last source is gone. */
  readonly exhausted: () => void
}

const none = new Uint8Array()

export class Generator implements Disposable {
  readonly #options: GeneratorOptions
  #drbg: HmacDrbg | undefined
  #isExhausted = false
  #seededAtMs = 0
  #seedings = 0
  #hostBytes = 0

  /** Runs the start-up test of each source, and gives nothing before one has passed. */
  constructor(options: GeneratorOptions) {
    this.#options = options
    for (const source of options.sources) source.startUp()
  }

  get status(): GeneratorStatus {
    return {
      mechanism: 'HMAC_DRBG-SHA-512',
      requests: this.#drbg?.requests ?? 0,
      seedings: this.#seedings,
      seedAgeMs: this.#seedings === 0 ? 0 : Math.floor(this.#options.clock() - this.#seededAtMs),
      hostBytes: this.#hostBytes,
    }
  }

  /**
   * Fills the target, of any length.
   * @throws HsmError MODULE_FAILED when no source of entropy is left
   */
  generate(target: Uint8Array, { predictionResistance = false } = {}): void {
    for (let start = 0; start < target.length; start += requestBytesMax) {
      this.#request(target.subarray(start, start + requestBytesMax), predictionResistance)
    }
  }

  /** From all healthy sources. @throws HsmError MODULE_FAILED when none is left */
  reseed(additional: Uint8Array = none): void {
    const seed = this.#collectSeed()
    try {
      if (this.#drbg) this.#drbg.reseed(seed, additional)
      else this.#drbg = this.#instantiate(seed, additional)
    } finally {
      seed.fill(0)
    }
    this.#seededAtMs = this.#options.clock()
    this.#seedings += 1
    this.#stir(this.#drbg)
  }

  /** Bytes of whose worth nothing is known. @throws HsmError MODULE_FAILED */
  mix(bytes: Uint8Array): void {
    this.reseed(bytes)
    this.#hostBytes += bytes.length
  }

  [Symbol.dispose](): void {
    this.#drbg?.[Symbol.dispose]()
    this.#drbg = undefined
    this.#isExhausted = true
  }

  #request(target: Uint8Array, predictionResistance: boolean): void {
    const isOld = this.#options.clock() - this.#seededAtMs > seedAgeMsMax
    if (!this.#drbg || this.#drbg.needsReseed || isOld || predictionResistance) this.reseed()
    const drbg = this.#drbg
    assert(drbg)
    const other = secretMemory(target.length)
    drbg.generate(target)
    this.#options.other(other)
    combine(target, other)
    other.fill(0)
  }

  #instantiate(entropy: Uint8Array, additional: Uint8Array): HmacDrbg {
    const personalisation = Buffer.concat([this.#options.personalisation, additional])
    const reseedInterval = requestsPerSeedMax
    return new HmacDrbg('SHA2-512', { entropy, personalisation }, { reseedInterval })
  }

  /** One block of each healthy source behind the other, in the order of the sources. */
  #collectSeed(): Buffer {
    const blocks = this.#isExhausted ? [] : this.#options.sources.map((source) => source.block())
    const given = blocks.filter((block) => block !== undefined)
    if (given.length === 0) throw this.#exhaust()
    const seed = secretMemory(given.reduce((length, block) => length + block.length, 0))
    let offset = 0
    for (const block of given) {
      offset += block.copy(seed, offset)
      block.fill(0)
    }
    return seed
  }

  #exhaust(): HsmError {
    if (!this.#isExhausted) {
      this[Symbol.dispose]()
      this.#options.exhausted()
    }
    return new HsmError('MODULE_FAILED', 'no source of entropy is left')
  }

  #stir(drbg: HmacDrbg): void {
    const bytes = secretMemory(stirBytes)
    drbg.generate(bytes)
    this.#options.stir(bytes)
    bytes.fill(0)
  }
}

/** Exclusive or into the target. */
function combine(target: Uint8Array, other: Uint8Array): void {
  for (let index = 0; index < target.length; index += 1) {
    target[index] = (target[index] ?? 0) ^ (other[index] ?? 0)
  }
}
