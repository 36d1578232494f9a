/** One at a time, in the order in which they came, and not more waiting than there is patience for. */

import { HsmError } from './contract/errors.ts'

export class Turns {
  readonly #waitingMax: number
  readonly #what: string
  #waiting = 0
  #last: Promise<unknown> = Promise.resolve()
  #isFree = true

  /** @param what for the refusal: "more than 8 <what> are waiting" */
  constructor(waitingMax: number, what: string) {
    this.#waitingMax = waitingMax
    this.#what = what
  }

  /** @throws HsmError MODULE_BUSY when too many wait */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#isFree && this.#waiting >= this.#waitingMax) {
      throw new HsmError('MODULE_BUSY', `more than ${this.#waitingMax} ${this.#what} are waiting`)
    }
    const before = this.#isFree ? undefined : this.#last
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#last = promise
    this.#isFree = false
    if (before) {
      this.#waiting += 1
      await before
      this.#waiting -= 1
    }
    try {
      return await work()
    } finally {
      if (this.#last === promise) this.#isFree = true
      resolve()
    }
  }
}
