/**
 * Calls that came while the module was being started: they wait, a bounded number of them for a bounded
 * time, rather than fail. One timer for all of them.
 */

import type { Call, Claim, Outcome } from '../hsm/contract/commands.ts'
import { requestsInFlightMax } from '../hsm/contract/limits.ts'
import type { LeafSpan } from './door-client.ts'
import { HostError } from './errors.ts'

type Send = (claim: Claim, calls: readonly Call[], leaves?: LeafSpan[]) => Promise<Outcome[]>

interface WaitingCall {
  readonly claim: Claim
  readonly calls: readonly Call[]
  readonly leaves: LeafSpan[] | undefined
  readonly untilMs: number
  readonly resolve: (outcomes: Promise<Outcome[]>) => void
  readonly reject: (error: unknown) => void
}

export const waitMsMax = 5_000
const checkMs = 250

export class WaitingCalls {
  #waiting: WaitingCall[] = []
  #timer: NodeJS.Timeout | undefined

  get size(): number {
    return this.#waiting.length
  }

  /** Settles as the call does once it is sent. @throws HostError OVERLOADED, MODULE_UNAVAILABLE */
  add(claim: Claim, calls: readonly Call[], leaves?: LeafSpan[]): Promise<Outcome[]> {
    if (this.#waiting.length >= requestsInFlightMax) {
      return Promise.reject(new HostError('OVERLOADED', 'too many requests wait for the module.'))
    }
    this.#timer ??= setInterval(() => this.#refuseOld(performance.now()), checkMs)
    return new Promise((resolve, reject) => {
      const untilMs = performance.now() + waitMsMax
      this.#waiting.push({ claim, calls, leaves, untilMs, resolve, reject })
    })
  }

  /** Sends all of them, in the order in which they came. */
  release(send: Send): void {
    for (const { claim, calls, leaves, resolve } of this.#takeAll()) {
      resolve(send(claim, calls, leaves))
    }
  }

  refuse(error: HostError): void {
    for (const { reject } of this.#takeAll()) reject(error)
  }

  #takeAll(): WaitingCall[] {
    clearInterval(this.#timer)
    this.#timer = undefined
    const waiting = this.#waiting
    this.#waiting = []
    return waiting
  }

  #refuseOld(nowMs: number): void {
    const old = this.#waiting.filter(({ untilMs }) => untilMs <= nowMs)
    this.#waiting = this.#waiting.slice(old.length)
    if (this.#waiting.length === 0) this.refuse(stillStarting())
    for (const { reject } of old) reject(stillStarting())
  }
}

function stillStarting(): HostError {
  return new HostError(
    'MODULE_UNAVAILABLE',
    'the module is being started. Nothing was sent; try again in a moment.',
  )
}
