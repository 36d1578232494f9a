/** The system's `openssl speed` on one core, as operations a second. */

import { spawnSync } from 'node:child_process'
import type { Work } from './work.ts'

/** Undefined where it has no such test or its output is not understood. */
export function opensslSpeed(work: Work, seconds: number): number | undefined {
  if (!work.openssl) return undefined
  const args = ['speed', '-mr', '-seconds', String(seconds), ...work.openssl.args]
  const { stdout } = spawnSync('openssl', args, { encoding: 'utf8' })
  const fields = stdout
    .split('\n')
    .find((line) => /^\+F\d*:/.test(line))
    ?.split(':')
  if (!fields) return undefined
  if (work.openssl.bytes !== undefined) return Number(fields[3]) / work.openssl.bytes
  /** RSA, ECDSA and EdDSA: the last two are signatures and verifications a second. */
  return Number(fields.at(-2))
}
