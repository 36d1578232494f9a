/**
 * Keys with a limit on the number of their uses. Such a key has one home member, which counts; every other
 * refuses it. Uses are reserved in blocks, and a block is in the sealed state before the first use out of
 * it is answered. What is left of a block when the module ends counts as used: so there are never more
 * uses than the limit, whenever it ends, and at most a block fewer for each time.
 */

import { HsmError } from './contract/errors.ts'
import type { KeyAttributes } from './contract/keys.ts'
import { usesCounter } from './ledger.ts'
import type { Module } from './module.ts'

/** Uses that are reserved at once. */
export const usesPerBlock = 64

export class UseCounts {
  readonly #module: Module
  /** How many of the reserved uses this process has let happen, or found gone. */
  readonly #used = new Map<string, number>()

  constructor(module: Module) {
    this.#module = module
  }

  /** Takes one use, also of what comes to nothing. @throws HsmError USES_EXHAUSTED, KEY_USE_NOT_PERMITTED, LEDGER_FULL */
  take({ key, version, usesMax, home }: KeyAttributes): void {
    const { domain, ledger } = this.#module.open
    if (home !== domain.moduleId.toString('hex')) {
      throw new HsmError('KEY_USE_NOT_PERMITTED', 'the uses of the key are counted elsewhere')
    }
    const name = counterOf({ key, version })
    const reserved = ledger.counter(name)?.reserved ?? 0
    const used = this.#used.get(name) ?? reserved
    if (used >= usesMax) throw new HsmError('USES_EXHAUSTED', `the key was used ${usesMax} times`)
    if (used === reserved) {
      const next = Math.min(reserved + usesPerBlock, usesMax)
      // With the answer that goes out next: nothing out of this block is answered before.
      this.#module.changesWaiting.push(ledger.putCounter(name, { reserved: next }))
    }
    this.#used.set(name, used + 1)
  }

  /** For all of them; the ledger forgets its own with the domain state that destroyed them. */
  forgetAll(): void {
    this.#used.clear()
  }

  /** For a key that is destroyed. @returns the change to be sealed, if there is one */
  forget(reference: Pick<KeyAttributes, 'key' | 'version'>): readonly Uint8Array[] {
    const name = counterOf(reference)
    const { ledger } = this.#module.open
    this.#used.delete(name)
    return ledger.counter(name) ? [ledger.putCounter(name, undefined)] : []
  }
}

function counterOf({ key, version }: Pick<KeyAttributes, 'key' | 'version'>): string {
  return `${usesCounter}${key}/${version}`
}
