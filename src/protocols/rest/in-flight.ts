/**
 * What has been let in and is not done yet: how many requests, how many bytes their bodies may have,
 * and until when each may take. One timer looks after all deadlines, because a timer for each request
 * costs more than its work.
 */

import assert from 'node:assert/strict'
import { RestError } from './errors.ts'

const sweepMs = 100

export interface InFlightLimits {
  readonly requestsMax: number
  readonly bodyBytesMax: number
}

/** One request's place. */
export interface Place {
  readonly bodyBytes: number
  /** Of the clock that the places were made with; 0 until the work begins. */
  deadlineMs: number
  readonly expire: () => void
}

export class InFlight implements Disposable {
  readonly #limits: InFlightLimits
  readonly #nowMs: () => number
  readonly #places = new Set<Place>()
  #bodyBytes = 0
  #timer: NodeJS.Timeout | undefined

  /** The clock is monotonic. */
  constructor(limits: InFlightLimits, nowMs: () => number) {
    this.#limits = limits
    this.#nowMs = nowMs
  }

  get size(): number {
    return this.#places.size
  }

  /** @throws RestError OVERLOADED */
  enter(bodyBytes: number, expire: () => void): Place {
    if (
      this.#places.size >= this.#limits.requestsMax ||
      this.#bodyBytes + bodyBytes > this.#limits.bodyBytesMax
    ) {
      throw new RestError('OVERLOADED', 'too many requests at once; try again')
    }
    const place = { bodyBytes, deadlineMs: 0, expire }
    this.#places.add(place)
    this.#bodyBytes += bodyBytes
    return place
  }

  /** The work begins and may take this long. */
  begin(place: Place, timeoutMs: number): void {
    assert(place.deadlineMs === 0)
    place.deadlineMs = this.#nowMs() + timeoutMs
    this.#timer ??= setInterval(() => this.sweep(), sweepMs).unref()
  }

  leave(place: Place): void {
    if (this.#places.delete(place)) this.#bodyBytes -= place.bodyBytes
  }

  /** Tells everything whose time is over, once; it keeps its place until its work ends. */
  sweep(): void {
    const now = this.#nowMs()
    for (const place of this.#places) {
      if (place.deadlineMs === 0 || now < place.deadlineMs) continue
      place.deadlineMs = Number.POSITIVE_INFINITY
      place.expire()
    }
    if (this.#places.size === 0) this[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
