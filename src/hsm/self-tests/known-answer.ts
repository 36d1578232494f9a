/**
 * A known answer test (FIPS 140-3 section 7.10): an operation with fixed inputs, and what a published
 * source says comes out. A row that is not met means that the module must not work.
 */

import { HsmError } from '../contract/errors.ts'

export interface KnownAnswer {
  /** Algorithm and source. */
  readonly name: string
  readonly run: () => Uint8Array | Promise<Uint8Array>
  readonly expected: Uint8Array
}

/** Runs all, one after the other; answers how many there were. @throws HsmError MODULE_FAILED */
export async function runKnownAnswers(rows: readonly KnownAnswer[]): Promise<number> {
  for (const { name, run, expected } of rows) {
    let actual: Uint8Array
    try {
      actual = await run()
    } catch (cause) {
      throw new HsmError('MODULE_FAILED', `self-test failed: ${name}`, { cause })
    }
    if (!Buffer.from(actual).equals(expected)) {
      throw new HsmError('MODULE_FAILED', `self-test failed: ${name}`)
    }
  }
  return rows.length
}

/** Bytes from hexadecimal text, which may be cut into lines. */
export function hex(...lines: readonly string[]): Buffer {
  return Buffer.from(lines.join(''), 'hex')
}
