/**
 * One change of a key at a time: whoever changes a key waits for the one before. An intent is written and
 * finished under its key's lock, so one that is found under the lock belongs to nobody any more. Use of
 * keys waits for nobody.
 */

export class KeyLocks {
  /** The last in line, by key. */
  readonly #lines = new Map<string, Promise<void>>()

  /** Whether somebody works on the key now. */
  isHeld(keyId: string): boolean {
    return this.#lines.has(keyId)
  }

  /** Resolves when everybody but the holder of this name is done who holds or waits for one now. */
  async settled(except: string): Promise<void> {
    const others = [...this.#lines].filter(([name]) => name !== except)
    await Promise.all(others.map(([, line]) => line))
  }

  /** As hold, of several at once. Whoever holds one of them must not wait for another. */
  async holdAll<T>(keyIds: readonly string[], work: () => Promise<T>): Promise<T> {
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const held = keyIds.map(
      (keyId) =>
        new Promise<void>((resolve) => {
          void this.hold(keyId, () => {
            resolve()
            return released
          })
        }),
    )
    await Promise.all(held)
    try {
      return await work()
    } finally {
      release()
    }
  }

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
