/**
 * Failed authentications by address: each counts one, time forgives, and beyond a limit the answer is
 * to wait. Who holds a valid token is never asked to wait: an address is often shared (every program
 * on this machine is 127.0.0.1), so a limit that kept valid tokens out would be a switch for anybody
 * to turn the service off. Guessing 256 bits needs no limit; noise and log lines do.
 */

import { failedAddressesMax, failedLoginsForgivenPerSecond, failedLoginsMax } from './limits.ts'

interface Failures {
  readonly level: number
  readonly atMs: number
}

const levelMax = 4 * failedLoginsMax

export class FailedLogins {
  /** In the order of the last failure. */
  readonly #addresses = new Map<string, Failures>()
  readonly #nowMs: () => number

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  get size(): number {
    return this.#addresses.size
  }

  /** Counts one, and answers how many seconds to wait; 0 while the limit is not reached. */
  add(address: string): number {
    const atMs = this.#nowMs()
    const before = this.#addresses.get(address)
    const forgiven = before ? ((atMs - before.atMs) / 1_000) * failedLoginsForgivenPerSecond : 0
    const level = Math.min(levelMax, Math.max(0, (before?.level ?? 0) - forgiven) + 1)
    this.#addresses.delete(address)
    this.#addresses.set(address, { level, atMs })
    if (this.#addresses.size > failedAddressesMax) {
      const [oldest] = this.#addresses.keys()
      if (oldest !== undefined) this.#addresses.delete(oldest)
    }
    // Whoever waits that long has room for one more.
    const room = failedLoginsMax - 1
    return level > failedLoginsMax ? Math.ceil((level - room) / failedLoginsForgivenPerSecond) : 0
  }
}
