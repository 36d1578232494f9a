/**
 * Key bytes in memory. A Secret prints as "[secret]" wherever it is logged or serialised, is erased
 * when its scope ends, and gives its bytes only to a function that is named at the call site, so that
 * a search for ".expose(" lists every place in the module that touches raw key material. Copies that
 * the engine or OpenSSL made are out of its reach.
 */

import { inspect } from 'node:util'
import { secretCopy } from './contract/secret-memory.ts'

export class Secret implements Disposable {
  readonly #bytes: Uint8Array
  #erased = false

  /** Takes ownership: the caller must not keep a reference to the bytes. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** A copy of the given bytes in memory outside the shared pool; the caller erases its own. */
  static copyOf(bytes: Uint8Array): Secret {
    return new Secret(secretCopy(bytes))
  }

  get length(): number {
    return this.#bytes.length
  }

  /** @throws TypeError after the secret was erased */
  expose<T>(use: (bytes: Uint8Array) => T): T {
    if (this.#erased) throw new TypeError('secret used after it was erased')
    return use(this.#bytes)
  }

  [Symbol.dispose](): void {
    this.#bytes.fill(0)
    this.#erased = true
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}
