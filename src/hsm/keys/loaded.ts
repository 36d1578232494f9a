/**
 * The keys that are loaded: bounded, the one that was used longest ago makes room. A key is parsed once
 * and used by its id and version from then on. This is a cache and nothing more: whatever is not here
 * comes back with its wrapped key, and whatever the floor refuses does not serve although it is here.
 */

import { HsmError } from '../contract/errors.ts'
import type { KeyAttributes } from '../contract/keys.ts'
import { loadedKeysMax } from '../contract/limits.ts'
import type { KeyReference } from '../parse.ts'
import type { KeyMaterial } from './material.ts'

export interface LoadedKey {
  readonly attributes: KeyAttributes
  readonly material: KeyMaterial
}

export class LoadedKeys implements Disposable {
  readonly #max: number
  /** In the order of their last use, the latest last. */
  readonly #keys = new Map<string, LoadedKey>()

  constructor(max = loadedKeysMax) {
    this.#max = max
  }

  get size(): number {
    return this.#keys.size
  }

  has(reference: KeyReference): boolean {
    return this.#keys.has(nameOf(reference))
  }

  /** @throws HsmError KEY_NOT_LOADED */
  get(reference: KeyReference): LoadedKey {
    const name = nameOf(reference)
    const loaded = this.#keys.get(name)
    if (!loaded) throw new HsmError('KEY_NOT_LOADED', 'the key is not loaded: send its wrapped key')
    this.#keys.delete(name)
    this.#keys.set(name, loaded)
    return loaded
  }

  /** Of later versions of the same key; looking is no use of them. */
  *laterThan({ key, version }: KeyReference): Generator<KeyAttributes> {
    for (const { attributes } of this.#keys.values()) {
      if (attributes.key === key && attributes.version > version) yield attributes
    }
  }

  /** Takes ownership of the material. A key of the same id and version is replaced. */
  put(loaded: LoadedKey): void {
    const name = nameOf(loaded.attributes)
    const before = this.#keys.get(name)
    if (before && before.material !== loaded.material) before.material[Symbol.dispose]()
    this.#keys.delete(name)
    this.#keys.set(name, loaded)
    if (this.#keys.size > this.#max) this.#dropOldest(1)
  }

  /** Erases the key if it is loaded. */
  drop(reference: KeyReference): void {
    const name = nameOf(reference)
    this.#keys.get(name)?.material[Symbol.dispose]()
    this.#keys.delete(name)
  }

  /** Gives up an eighth of all keys: OpenSSL's secure heap is full before the count is. */
  makeRoom(): void {
    this.#dropOldest(Math.ceil(this.#keys.size / 8))
  }

  [Symbol.dispose](): void {
    this.#dropOldest(this.#keys.size)
  }

  #dropOldest(count: number): void {
    let left = count
    for (const [name, { material }] of this.#keys) {
      if (left === 0) return
      left -= 1
      this.#keys.delete(name)
      material[Symbol.dispose]()
    }
  }
}

function nameOf({ key, version }: KeyReference): string {
  return `${key}/${version}`
}
