/**
 * How often a module that ended is started again by itself: five times within a minute. A module that
 * ends more often than that has a cause that starting it again does not cure.
 */

const endsMax = 5
const windowMs = 60_000

export class RestartLimit {
  /** When the last ends were, the latest last. */
  #endsMs: number[] = []

  ended(): void {
    this.#endsMs = [...this.#endsMs, performance.now()].slice(-endsMax - 1)
  }

  get isReached(): boolean {
    const [oldestMs = 0] = this.#endsMs
    return this.#endsMs.length > endsMax && performance.now() - oldestMs < windowMs
  }

  forget(): void {
    this.#endsMs = []
  }
}
