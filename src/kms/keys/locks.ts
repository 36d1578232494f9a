/**
 * One change of a key at a time: whoever changes a key waits for the one before. Use of keys waits
 * for nobody.
 */

export class KeyLocks {
  /** The last in line, by key. */
  readonly #lines = new Map<string, Promise<void>>()

  async hold<T>(keyId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#lines.get(keyId)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#lines.set(keyId, promise)
    await before
    try {
      return await work()
    } finally {
      if (this.#lines.get(keyId) === promise) this.#lines.delete(keyId)
      resolve()
    }
  }
}
