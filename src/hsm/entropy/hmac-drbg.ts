/**
 * HMAC_DRBG of SP 800-90A revision 1 section 10.1.2. Strength 256 bits with every hash of at least 256
 * bits; the module uses SHA-512 (docs/decisions/0007). Which entropy goes in is the business of
 * `generator.ts`; this file counts requests, holds the limits of table 2, and refuses instead of giving
 * more than they allow. K and V live in memory at a fixed address (`native-random.ts`) and are erased
 * when the generator is disposed of.
 */

import assert from 'node:assert/strict'
import { HmacChain } from '../native-random.ts'

/** By OpenSSL's name: bytes of output, and the strength in bits (SP 800-57 part 1 section 5.6.1.2). */
const hashes = {
  'SHA-1': { outputBytes: 20, strengthBits: 128 },
  'SHA2-224': { outputBytes: 28, strengthBits: 192 },
  'SHA2-256': { outputBytes: 32, strengthBits: 256 },
  'SHA2-384': { outputBytes: 48, strengthBits: 256 },
  'SHA2-512': { outputBytes: 64, strengthBits: 256 },
  'SHA2-512/224': { outputBytes: 28, strengthBits: 192 },
  'SHA2-512/256': { outputBytes: 32, strengthBits: 256 },
  'SHA3-224': { outputBytes: 28, strengthBits: 192 },
  'SHA3-256': { outputBytes: 32, strengthBits: 256 },
  'SHA3-384': { outputBytes: 48, strengthBits: 256 },
  'SHA3-512': { outputBytes: 64, strengthBits: 256 },
} as const

export type DrbgHash = keyof typeof hashes

/** 2^19 bits a request (table 2). */
export const requestBytesMax = 65_536
/** The standard allows 2^48 requests; more would not be counted exactly for long. */
export const reseedIntervalMax = 2 ** 48
/** The standard allows 2^35 bits; nothing here comes near it. */
export const inputBytesMax = 65_536

export interface DrbgSeed {
  /** At least the strength in bits of entropy, and half as much again where there is no nonce. */
  readonly entropy: Uint8Array
  readonly nonce?: Uint8Array
  readonly personalisation?: Uint8Array
}

const none = new Uint8Array()

export class HmacDrbg implements Disposable {
  readonly strengthBits: number
  readonly #chain: HmacChain
  readonly #reseedInterval: number
  #requests = 0

  /** Instantiates (10.1.2.3). The caller erases the seed. */
  constructor(
    hash: DrbgHash,
    { entropy, nonce = none, personalisation = none }: DrbgSeed,
    { reseedInterval = reseedIntervalMax }: { readonly reseedInterval?: number } = {},
  ) {
    const { outputBytes, strengthBits } = hashes[hash]
    assert(reseedInterval >= 1 && reseedInterval <= reseedIntervalMax)
    assertLengths([entropy, nonce, personalisation])
    assert(entropy.length * 8 >= strengthBits, 'too little entropy')
    assert(
      (entropy.length + nonce.length) * 16 >= strengthBits * 3,
      'no nonce, and no entropy for it',
    )
    this.strengthBits = strengthBits
    this.#reseedInterval = reseedInterval
    this.#chain = new HmacChain(hash, outputBytes)
    this.#update([entropy, nonce, personalisation])
  }

  /** Requests since it was seeded, and whether the next one needs a reseeding first. */
  get requests(): number {
    return this.#requests
  }

  get needsReseed(): boolean {
    return this.#requests >= this.#reseedInterval
  }

  /** 10.1.2.4. The caller erases the entropy. */
  reseed(entropy: Uint8Array, additional: Uint8Array = none): void {
    assertLengths([entropy, additional])
    assert(entropy.length * 8 >= this.strengthBits, 'too little entropy')
    this.#update([entropy, additional])
    this.#requests = 0
  }

  /**
   * Fills the target (10.1.2.5). Prediction resistance is a reseed before this, which takes the
   * additional input then.
   * @param target at most requestBytesMax
   */
  generate(target: Uint8Array, additional: Uint8Array = none): void {
    assert(target.length <= requestBytesMax, 'more than one request may give')
    assert(!this.needsReseed, 'a reseeding is due')
    assertLengths([additional])
    if (additional.length > 0) this.#update([additional])
    const step = this.#chain.outputBytes
    for (let start = 0; start < target.length; start += step) {
      this.#chain.next(target.subarray(start, start + step))
    }
    this.#update([additional])
    this.#requests += 1
  }

  [Symbol.dispose](): void {
    this.#chain[Symbol.dispose]()
  }

  /** HMAC_DRBG_Update (10.1.2.2). */
  #update(pieces: readonly Uint8Array[]): void {
    this.#chain.update(0, pieces)
    if (pieces.some((piece) => piece.length > 0)) this.#chain.update(1, pieces)
  }
}

function assertLengths(inputs: readonly Uint8Array[]): void {
  for (const { length } of inputs) assert(length <= inputBytesMax, 'an input is too long')
}
