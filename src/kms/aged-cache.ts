/**
 * A cache with two bounds: how much it holds, and how old anything may be that it answers. The age is
 * absolute: being asked for keeps nothing alive. What is forgotten while it is being loaded is not
 * remembered when the load ends, so that a change made here shows at once.
 */

import assert from 'node:assert/strict'

interface Entry<V> {
  readonly value: V
  readonly until: number
}

export class AgedCache<V> {
  readonly #entries = new Map<string, Entry<V>>()
  readonly #limits: { readonly entriesMax: number; readonly ageMs: number }
  readonly #now: () => number
  /** Grows whenever something is forgotten. */
  #generation = 0

  constructor(limits: { entriesMax: number; ageMs: number }, now: () => number) {
    assert(limits.entriesMax > 0)
    assert(limits.ageMs > 0)
    this.#limits = limits
    this.#now = now
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key)
    return entry !== undefined && this.#now() < entry.until ? entry.value : undefined
  }

  /** Loads what is missing or too old. Absent things (undefined) are not remembered. */
  async load<R extends V | undefined>(key: string, load: () => Promise<R>): Promise<R> {
    const generation = this.#generation
    const until = this.#now() + this.#limits.ageMs
    const value = await load()
    if (value !== undefined && generation === this.#generation) this.#put(key, { value, until })
    return value
  }

  forget(key: string): void {
    this.#generation += 1
    this.#entries.delete(key)
  }

  forgetAll(): void {
    this.#generation += 1
    this.#entries.clear()
  }

  /** What was loaded longest ago makes room. */
  #put(key: string, entry: Entry<V>): void {
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    if (this.#entries.size > this.#limits.entriesMax) {
      const [oldest] = this.#entries.keys()
      assert(oldest !== undefined)
      this.#entries.delete(oldest)
    }
  }
}
