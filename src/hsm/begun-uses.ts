/**
 * Uses of keys that another thread is at work on. The destruction of a key waits until they are done;
 * that of all keys refuses what comes of them, which could be another key.
 */

import type { Done } from './commands/row.ts'
import { HsmError } from './contract/errors.ts'

export class BegunUses {
  readonly #works = new Set<Promise<unknown>>()
  /** How often all keys were destroyed. */
  #refusals = 0

  /** The same work. @throws HsmError KEY_DESTROYED when all keys were destroyed meanwhile */
  add(work: Promise<Done>): Promise<Done> {
    const refusals = this.#refusals
    const watched = work.then((done) => {
      if (this.#refusals === refusals) return done
      done.key?.loaded.material[Symbol.dispose]()
      if (done.erase) for (const part of Object.values(done.parts)) part.fill(0)
      throw new HsmError('KEY_DESTROYED', 'the key was destroyed')
    })
    this.#works.add(watched)
    const ended = () => this.#works.delete(watched)
    watched.then(ended, ended)
    return watched
  }

  /** Resolves when every use that has begun by now has ended, well or not. */
  async ended(): Promise<void> {
    await Promise.allSettled([...this.#works])
  }

  /** The same, and what comes of them is refused. */
  refuse(): Promise<void> {
    this.#refusals += 1
    return this.ended()
  }
}
