/**
 * Generator output made ahead, because 4 KiB in one request cost little more than 32 bytes do. What is
 * taken is overwritten behind it; what is not yet taken is as secret as the generator's state, and is
 * erased with it. Secrets and nonces have a pool each.
 */

import { secretMemory } from '../contract/secret-memory.ts'
import type { Generator } from './generator.ts'

export const poolBytes = 4_096

export class Pool implements Disposable {
  readonly #bytes = secretMemory(poolBytes)
  #used = poolBytes

  /** @param target at most poolBytes @throws HsmError MODULE_FAILED */
  take(generator: Generator, target: Uint8Array): void {
    if (this.#used + target.length > poolBytes) {
      this[Symbol.dispose]()
      generator.generate(this.#bytes)
      this.#used = 0
    }
    const start = this.#used
    this.#used += target.length
    target.set(this.#bytes.subarray(start, this.#used))
    this.#bytes.fill(0, start, this.#used)
  }

  [Symbol.dispose](): void {
    this.#bytes.fill(0)
    this.#used = poolBytes
  }
}
