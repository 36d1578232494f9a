/** One ACVP test with its group. */

import { hex } from './files.ts'

export interface AcvpEntry {
  readonly id: string
  readonly group: Readonly<Record<string, unknown>>
  readonly test: Readonly<Record<string, unknown>>
}

/** The bytes of a member, none when it is missing. */
export function bytesOf(test: AcvpEntry['test'], name: string): Buffer {
  return hex(String(test[name] ?? ''))
}
