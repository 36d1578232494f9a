/** Uses of keys that another thread is at work on: a destruction waits until they are done. */
export class BegunUses {
  readonly #works = new Set<Promise<unknown>>()

  add(work: Promise<unknown>): void {
    this.#works.add(work)
    const ended = () => this.#works.delete(work)
    work.then(ended, ended)
  }

  /** Resolves when every use that has begun by now has ended, well or not. */
  async ended(): Promise<void> {
    await Promise.allSettled([...this.#works])
  }
}
