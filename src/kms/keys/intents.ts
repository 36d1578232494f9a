/**
 * Intents: what a change of several steps was going to do, written before its first step and gone with
 * its last. Whoever holds the key's lock and finds one finishes or undoes it: the start of the manager,
 * the next change of the same key, the job that looks each minute.
 *
 *   create: nothing is visible before its end; undone by forgetting it
 *   rotate: the new version is not recorded yet; undone by forgetting it
 *   states: versions move to another state; finished forward
 *   destroy: every version goes below the floor; finished forward
 */

import { randomBytes } from 'node:crypto'
import type { KeyId, KeyState } from '../../hsm/contract/keys.ts'
import type { Query } from '../../storage/database.ts'
import { type IntentsTable, insertIntent } from '../../storage/intents.ts'
import type { Reservation } from '../idempotency.ts'
import type { Kms } from '../kms.ts'

/** To which state each of these versions goes, and what the key's row says then. */
export interface StatesPlan {
  readonly kind: 'states'
  readonly versions: readonly number[]
  readonly to: KeyState
  readonly row: {
    readonly state?: KeyState
    readonly destructionDue?: number | null
  }
  readonly reservation?: Reservation | undefined
}

export type Plan =
  | { readonly kind: 'create'; readonly reservation?: Reservation | undefined }
  | { readonly kind: 'rotate'; readonly reservation?: Reservation | undefined }
  | StatesPlan
  | { readonly kind: 'destroy' }

export interface Intent<P extends Plan = Plan> {
  readonly id: string
  readonly keyId: KeyId
  readonly plan: P
}

/** Ids sort by time, so that intents are finished in the order in which they were begun. */
export function newIntent<P extends Plan>(kms: Kms, keyId: KeyId, plan: P): Intent<P> {
  const time = kms.now().toString(16).padStart(12, '0')
  return { id: `intent_${time}${randomBytes(10).toString('hex')}`, keyId, plan }
}

export async function writeIntent(query: Query, kms: Kms, intent: Intent): Promise<void> {
  const { id, keyId, plan } = intent
  await insertIntent(query, {
    intentId: id,
    keyId,
    body: encodePlan(plan),
    created: kms.now(),
  })
}

export function encodePlan(plan: Plan): string {
  return JSON.stringify(plan)
}

/** Only encodePlan makes these texts. */
export function intentFrom({ intentId, keyId, body }: IntentsTable): Intent {
  return { id: intentId, keyId: keyId as KeyId, plan: JSON.parse(body) as Plan }
}
