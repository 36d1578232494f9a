/** The operations that a grant can name: what a key may be used for, in the module's words. */

import type { KeyUse } from '../../hsm/contract/algorithms.ts'

export const operations = [
  'sign',
  'verify',
  'encrypt',
  'decrypt',
  'mac',
  'verifyMac',
  'wrap',
  'unwrap',
  'encapsulate',
  'decapsulate',
  'derive',
  'agree',
] as const satisfies readonly KeyUse[]

export type Operation = (typeof operations)[number]

export function isOperation(name: unknown): name is Operation {
  return operations.some((operation) => operation === name)
}
