/**
 * Whether the time of day goes back: it is compared with the monotonic clock, from one look to the next.
 * Corrections of a minute, as the module allows for, and two seconds an hour on top, more than a clock
 * can be slewed, are no signal, however they are spread; time that jumps forward, as after sleep, is not
 * looked at. Going back while the host was not running is not seen here; leaf times of the record never
 * go back (docs/formats/record.md).
 */

import type { Sensor } from './sensor.ts'

/** What corrections may take back. */
export const backMsMax = 60_000
const forgivenPerMs = 2_000 / (60 * 60_000)

export interface ClockOptions {
  readonly now?: () => number
  readonly monotonic?: () => number
  readonly everyMs?: number
}

export function clockSensor({
  now = Date.now,
  monotonic = () => performance.now(),
  everyMs = 1_000,
}: ClockOptions = {}): Sensor {
  let at = monotonic()
  /** How far the time of day is ahead of the monotonic clock. */
  let ahead = now() - at
  /** Taken back lately. */
  let backMs = 0
  return {
    name: 'clock',
    everyMs,
    look: async () => {
      const atNow = monotonic()
      const aheadNow = now() - atNow
      const forgivenMs = (atNow - at) * forgivenPerMs
      backMs = Math.max(0, backMs - forgivenMs) + Math.max(0, ahead - aheadNow)
      at = atNow
      ahead = aheadNow
      if (backMs <= backMsMax) return []
      const detail = `the time of day went back by ${Math.round(backMs)} ms`
      backMs = 0
      return [{ signal: 'clock-back', about: `at ${Math.round(atNow)}`, detail }]
    },
  }
}
