/**
 * What every sensor of the host is: something that is looked at again and again, and says what is wrong
 * now. What was wrong at the last look already is not told again until it was right in between.
 */

import type { TamperSignal } from '../../hsm/contract/tamper.ts'

/** One thing that is wrong. */
export interface Finding {
  readonly signal: TamperSignal
  /** What it is about, the same at each look: "chip/in0", "module". */
  readonly about: string
  /** One sentence of at most 120 printable characters, no secret. */
  readonly detail: string
}

export interface SensorEvent {
  readonly signal: TamperSignal
  readonly detail: string
  /** Milliseconds since 1970. */
  readonly time: number
}

export interface Sensor {
  readonly name: string
  /** Between the end of one look and the next. */
  readonly everyMs: number
  /** Everything that is wrong now. What it cannot see it leaves out, or throws. */
  look(): Promise<readonly Finding[]>
}

export const detailLengthMax = 120

/** Whatever a file said, what goes on is one line of printable characters. */
export function plainDetail(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, detailLengthMax)
}
