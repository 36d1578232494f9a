/**
 * Destruction: scheduled after a waiting period in which the key is disabled and the decision can be
 * taken back, or at once. Nothing brings a destroyed key back: its row stays and says so.
 */

import type { Approvals } from '../../hsm/contract/approval.ts'
import { parseKeyId } from '../../hsm/contract/keys.ts'
import { assertPermission } from '../access/access.ts'
import { type StatementRequest, statementsFor } from '../approvals.ts'
import { systemCaller } from '../commands.ts'
import { KmsError } from '../errors.ts'
import type { Caller, Change, Kms } from '../kms.ts'
import { destructionDaysDefault, destructionDaysMax } from '../limits.ts'
import { changeRow, changingKey, finishLeft, recordOf } from './change.ts'
import { suspendKey } from './changes.ts'
import { destructionCalls, finishDestruction } from './destroy-bytes.ts'
import { keyRow } from './find.ts'
import { newIntent, writeIntent } from './intents.ts'
import { forgetKey } from './known-keys.ts'
import { isDestroyed, type KeyRecord, recordStateFrom } from './rows.ts'

const dayMs = 24 * 60 * 60 * 1_000

/**
 * The key is disabled at once and destroyed after so many days, 7 unless given.
 *
 * @throws KmsError ARGUMENT_INVALID, and what changingKey throws
 */
export async function scheduleDestruction(
  kms: Kms,
  caller: Caller,
  namespace: string,
  key: string,
  input: { readonly days?: number | undefined },
  change: Change = {},
): Promise<KeyRecord> {
  const { days = destructionDaysDefault } = input
  if (!Number.isSafeInteger(days) || days < kms.destructionDaysMin || days > destructionDaysMax) {
    const range = `${kms.destructionDaysMin} to ${destructionDaysMax}`
    throw new KmsError('ARGUMENT_INVALID', `the waiting period is ${range} days`)
  }
  const permission = 'keys:schedule-destruction'
  return changingKey(kms, caller, { namespace, key, permission, ...change }, (row) =>
    suspendKey(kms, caller, row, { destructionDue: kms.now() + days * dayMs }),
  )
}

/** The key stays disabled. @throws KmsError KEY_STATE_INVALID, and what changingKey throws */
export async function cancelDestruction(
  kms: Kms,
  caller: Caller,
  namespace: string,
  key: string,
  change: Change = {},
): Promise<KeyRecord> {
  const permission = 'keys:cancel-destruction'
  return changingKey(kms, caller, { namespace, key, permission, ...change }, async (row) => {
    if (row.destructionDue === null) {
      throw new KmsError('KEY_STATE_INVALID', `the destruction of ${row.name} is not scheduled`)
    }
    const record = await kms.db.write(async (query) => {
      await changeRow(query, kms, row.keyId, { destructionDue: null })
      return recordOf(query, row.keyId)
    })
    forgetKey(kms, record.id)
    return record
  })
}

interface DestructionInput {
  readonly confirm: string
  /** One set for each version, in their order. */
  readonly approvals?: readonly Approvals[] | undefined
}

/** Of versions in one request for approvals: each has a challenge of its own. */
const statementsMax = 64

/**
 * What people sign so that the key is destroyed: a text for each version, in their order.
 *
 * @throws KmsError ACCESS_DENIED, KEY_NOT_FOUND, KEY_DESTROYED, LIMIT_REACHED
 */
export async function destructionStatements(
  kms: Kms,
  caller: Caller,
  { namespace, key, ...request }: StatementRequest & { namespace: string; key: string },
): Promise<string[]> {
  await assertPermission(kms, caller, namespace, 'keys:destroy')
  const { keyId, name, state } = await keyRow(kms.db.query, namespace, key)
  if (isDestroyed(recordStateFrom(state))) {
    throw new KmsError('KEY_DESTROYED', `the key ${name} was destroyed`)
  }
  const calls = await destructionCalls(kms, parseKeyId(keyId))
  if (calls.length > statementsMax) {
    throw new KmsError('LIMIT_REACHED', `a key of more than ${statementsMax} versions`)
  }
  return statementsFor(kms, caller, calls, request)
}

/**
 * At once and for good.
 *
 * @throws KmsError CONFIRMATION_INVALID unless confirm is the key's exact name, and what changingKey throws
 */
export async function destroyKey(
  kms: Kms,
  caller: Caller,
  namespace: string,
  key: string,
  { confirm, approvals }: DestructionInput,
  change: Change = {},
): Promise<KeyRecord> {
  const permission = 'keys:destroy'
  return changingKey(kms, caller, { namespace, key, permission, ...change }, async (row) => {
    if (confirm !== row.name) {
      throw new KmsError('CONFIRMATION_INVALID', 'confirm must be the name of the key')
    }
    return destroy(kms, caller, row.keyId, approvals)
  })
}

/** For the job. False when it is no longer due. */
export async function destroyIfDue(kms: Kms, id: string): Promise<boolean> {
  const keyId = parseKeyId(id)
  return kms.keyLocks.hold(keyId, async () => {
    await finishLeft(kms, keyId)
    const { destructionDue } = await recordOf(kms.db.query, keyId)
    if (destructionDue === undefined || destructionDue > kms.now()) return false
    await destroy(kms, systemCaller(`destruction of ${keyId}`), keyId)
    return true
  })
}

async function destroy(
  kms: Kms,
  caller: Caller,
  id: string,
  approvals?: readonly Approvals[],
): Promise<KeyRecord> {
  const intent = newIntent(kms, parseKeyId(id), { kind: 'destroy' } as const)
  await kms.db.write((query) => writeIntent(query, kms, intent))
  await finishDestruction(kms, caller, intent, approvals)
  return recordOf(kms.db.query, id)
}
