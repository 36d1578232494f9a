/**
 * Where calls to the module meet the host's state: they go through the door while the module is
 * operational and its answers can be made durable, wait while it is started, and are refused otherwise.
 * The one place that says in which state the host is.
 */

import type { Call, Claim, Outcome } from '../hsm/contract/commands.ts'
import type { DoorClient, LeafSpan } from './door-client.ts'
import { HostError } from './errors.ts'
import type { HostState } from './options.ts'
import { sendCalls } from './send-calls.ts'
import { WaitingCalls } from './waiting-calls.ts'

export class Gate {
  readonly #waiting = new WaitingCalls()
  readonly #storageFailure: () => HostError | undefined
  /** The way to an operational module while answers can be made durable; undefined otherwise. */
  #door: DoorClient | undefined
  #state: HostState = 'starting'
  #reason = ''
  #nextLock = Promise.withResolvers<void>()

  /** `storageFailure` says why nothing can be made durable, if that is so. */
  constructor(storageFailure: () => HostError | undefined) {
    this.#storageFailure = storageFailure
  }

  get door(): DoorClient | undefined {
    return this.#door
  }

  /** @throws HostError when there is none */
  get openDoor(): DoorClient {
    if (this.#door) return this.#door
    throw this.unavailable()
  }

  get state(): HostState {
    return this.#state
  }

  /** Why, when the state is storage-failed or unavailable; empty otherwise. */
  get reason(): string {
    return this.#reason
  }

  /** Calls that wait for the module to be started. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** @throws HostError */
  call(claim: Claim, calls: readonly Call[], leaves?: LeafSpan[]): Promise<Outcome[]> {
    const door = this.#door
    if (door !== undefined) return sendCalls(door, claim, calls, leaves)
    if (this.#isSoon) return this.#waiting.add(claim, calls, leaves)
    return Promise.reject(this.unavailable())
  }

  /** Operational: what waited goes first. */
  open(door: DoorClient): void {
    this.#state = 'operational'
    this.#reason = ''
    this.#door = door
    this.#waiting.release((claim, calls, leaves) => sendCalls(door, claim, calls, leaves))
  }

  /** Nothing is sent from here on. What waits is refused unless the module is on its way. */
  close(state: Exclude<HostState, 'operational'>, reason = ''): void {
    this.#door = undefined
    this.#state = state
    this.#reason = reason
    if (!this.#isSoon && state !== 'storage-failed') this.#waiting.refuse(this.unavailable())
    if (state !== 'locked') return
    this.#nextLock.resolve()
    this.#nextLock = Promise.withResolvers()
  }

  /** Resolves when the module is locked the next time. */
  whenLocked(): Promise<void> {
    return this.#nextLock.promise
  }

  /** Calls wait from here on, if the module was operational. */
  leave(): void {
    this.#door = undefined
    if (this.#state === 'operational') this.#state = 'restarting'
  }

  /** Why nothing is sent. */
  unavailable(): HostError {
    const failure = this.#storageFailure()
    if (this.#state === 'storage-failed' && failure) return failure
    if (this.#state === 'locked') {
      return new HostError('MODULE_LOCKED', 'the module is locked. Unlock it with its secret.')
    }
    const why = this.#reason === '' ? '' : ` (${this.#reason})`
    return new HostError('MODULE_UNAVAILABLE', `the module is ${this.#state}${why}.`)
  }

  get #isSoon(): boolean {
    return this.#state === 'starting' || this.#state === 'restarting'
  }
}
