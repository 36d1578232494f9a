/**
 * What can change in the sealed state between two snapshots: each change is one byte that says its kind,
 * and what is so from then on. `sealed-state.ts` numbers, chains and seals them.
 */

import { encodedDomainHoldsKekBefore } from './domain.ts'
import type { Floor } from './floor.ts'
import type { Ledger } from './ledger.ts'
import { Secret } from './secret.ts'

export const changeKinds = {
  /** An entry of the destruction floor. */
  floor: 1,
  /** The next version of the domain state, signed. */
  domainState: 2,
  /**
   * The domain's secrets, as Domain.encode gives them: with another KEK. When the one before goes, the
   * floor of the epoch before goes with it.
   */
  secrets: 3,
  /** That the module was tampered with, or that an officer has acknowledged it. */
  tamper: 4,
  /** A counter that has to survive a restart. */
  counter: 5,
  /** The pinned witness and the log of starts. */
  witness: 6,
} as const

export type ChangeKind = keyof typeof changeKinds

/** What changes are applied to when a sealed state is opened. */
export interface ChangeTarget {
  readonly floor: Floor
  readonly ledger: Ledger
  /** The encoded domain; whoever replaces it erases the one before. */
  secrets: Secret
}

export function stateChange(kind: ChangeKind, payload: Uint8Array): Buffer {
  const change = Buffer.allocUnsafeSlow(1 + payload.length)
  change.writeUInt8(changeKinds[kind])
  change.set(payload, 1)
  return change
}

/** @throws HsmError STATE_INVALID for what is no such change; FLOOR_FULL */
export function applyChange(target: ChangeTarget, change: Uint8Array): void {
  const payload = change.subarray(1)
  if (change[0] === changeKinds.floor) target.floor.apply(payload)
  else if (change[0] === changeKinds.secrets) {
    using _before = target.secrets
    target.secrets = Secret.copyOf(payload)
    if (!encodedDomainHoldsKekBefore(payload)) target.floor.endEpoch()
  } else target.ledger.apply(change)
}
