/**
 * How fast people who have not logged in may ask: each request costs, by address and in total, and time gives
 * back. So nobody fills what a module that is not open can remember, nor keeps others from asking for good.
 */

const perAddress = { most: 120, perSecond: 1 }
const inTotal = { most: 480, perSecond: 4 }
const addressesMax = 4_096

interface Spent {
  readonly cost: number
  readonly atMs: number
}

export class Pace {
  readonly #nowMs: () => number
  /** In the order of the last request. */
  readonly #addresses = new Map<string, Spent>()
  #total: Spent = { cost: 0, atMs: 0 }

  /** @param nowMs of a clock that nobody turns back */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Counts a request; answers how many seconds to wait instead, and 0 for none. */
  waitSeconds(address: string, cost: number): number {
    const atMs = this.#nowMs()
    const before = this.#addresses.get(address)
    const own = (before ? leftOf(before, atMs, perAddress.perSecond) : 0) + cost
    const all = leftOf(this.#total, atMs, inTotal.perSecond) + cost
    const waits = [
      (own - perAddress.most) / perAddress.perSecond,
      (all - inTotal.most) / inTotal.perSecond,
    ]
    const waitSeconds = Math.ceil(Math.max(0, ...waits))
    if (waitSeconds > 0) return waitSeconds
    this.#total = { cost: all, atMs }
    this.#addresses.delete(address)
    this.#addresses.set(address, { cost: own, atMs })
    const [oldest] = this.#addresses.keys()
    if (this.#addresses.size > addressesMax && oldest !== undefined) this.#addresses.delete(oldest)
    return 0
  }
}

function leftOf({ cost, atMs }: Spent, nowMs: number, perSecond: number): number {
  return Math.max(0, cost - ((nowMs - atMs) / 1_000) * perSecond)
}
