/**
 * Work that goes on when the call that began it was answered. Whoever begins it has written down what is
 * to be done, so that it is done after a crash too; here it is only kept from outliving the manager.
 */

import { messageOf } from '../host/errors.ts'
import type { LogEntry } from './kms.ts'

export class Background implements AsyncDisposable {
  readonly #log: (entry: LogEntry) => void
  readonly #running = new Set<Promise<void>>()
  readonly #stopping = new AbortController()

  constructor(log: (entry: LogEntry) => void) {
    this.#log = log
  }

  /** Aborted when the manager stops: work ends at its next step. */
  get signal(): AbortSignal {
    return this.#stopping.signal
  }

  /** What fails goes into the log: a job tries it again. */
  run(name: string, work: () => Promise<unknown>): void {
    if (this.signal.aborted) return
    const running = work()
      .then(() => undefined)
      .catch((error: unknown) =>
        this.#log({ level: 'error', message: `${name}: ${messageOf(error)}`, error }),
      )
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  /** Resolves when nothing is running. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await this.idle()
  }
}
