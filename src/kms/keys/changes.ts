/** Rotating a key, and taking it out of use and back: each a change that the module seals. */

import assert from 'node:assert/strict'
import { isKeyUse } from '../../hsm/contract/algorithms.ts'
import { type KeyState, parseKeyId } from '../../hsm/contract/keys.ts'
import { deleteIntent, updateIntent } from '../../storage/intents.ts'
import { insertKeyVersion, versionsOf } from '../../storage/key-versions.ts'
import type { KeysTable } from '../../storage/keys.ts'
import { runCommand } from '../commands.ts'
import { KmsError } from '../errors.ts'
import { assertMatch } from '../etag.ts'
import { decodeAnswer, releaseReservation, reserve } from '../idempotency.ts'
import type { Caller, Change, Creation, Kms } from '../kms.ts'
import { versionsPerKeyMax } from '../limits.ts'
import { applyStates, changeRow, changingKey, recordOf } from './change.ts'
import { encodePlan, type Intent, newIntent, type StatesPlan, writeIntent } from './intents.ts'
import { forgetKey } from './known-keys.ts'
import { versionRow } from './new-key.ts'
import { algorithmsFrom, type KeyRecord, recordStateFrom, typeFrom } from './rows.ts'

/**
 * A new version, used from now on. The one before is deactivated: it decrypts, verifies and unwraps what
 * it protected and protects nothing more. One that derives or agrees stays as it is, because what was
 * made with it could not be made again.
 *
 * @throws KmsError KEY_STATE_INVALID unless the key is active and not public, LIMIT_REACHED,
 *   IDEMPOTENCY_CONFLICT, and what changingKey throws
 */
export async function rotateKey(
  kms: Kms,
  caller: Caller,
  namespace: string,
  key: string,
  { idempotencyKey, ...change }: Change & Creation = {},
): Promise<KeyRecord> {
  const permission = 'keys:rotate'
  return changingKey(kms, caller, { namespace, key, permission }, async (row) => {
    const { keyId } = row
    const asked = { idempotencyKey, call: 'rotateKey', request: { namespace, keyId } }
    const begun = await kms.db.write(async (query) => {
      const reserved = await reserve(query, kms, caller, asked)
      if ('answer' in reserved) return reserved
      // Only now: an answer that was given holds, although that very rotation changed the ETag.
      assertMatch(row, change)
      assertCanRotate(row)
      const { reservation } = reserved
      const intent = newIntent(kms, parseKeyId(keyId), { kind: 'rotate', reservation } as const)
      await writeIntent(query, kms, intent)
      await changeRow(query, kms, keyId, { lastVersion: row.lastVersion + 1 })
      return { intent }
    })
    if ('answer' in begun) return decodeAnswer<KeyRecord>(begun.answer)
    return rotate(kms, caller, row, begun.intent)
  })
}

function assertCanRotate(row: KeysTable): void {
  if (row.state !== 'active') {
    throw new KmsError('KEY_STATE_INVALID', `a key that is ${row.state} is not rotated`)
  }
  if (row.class === 'public') {
    throw new KmsError(
      'KEY_STATE_INVALID',
      'a public key is rotated by whoever has the private one',
    )
  }
  if (row.lastVersion >= versionsPerKeyMax) {
    throw new KmsError('LIMIT_REACHED', `a key has at most ${versionsPerKeyMax} versions`)
  }
}

async function rotate(
  kms: Kms,
  caller: Caller,
  row: KeysTable,
  intent: Intent<{ kind: 'rotate'; reservation: StatesPlan['reservation'] }>,
): Promise<KeyRecord> {
  const { keyId, plan } = intent
  const version = row.lastVersion + 1
  const args = { key: keyId, version, template: templateOf(row) }
  const next: StatesPlan = {
    kind: 'states',
    versions: staysActive(row) ? [] : [row.currentVersion],
    to: 'deactivated',
    row: {},
    reservation: plan.reservation,
  }
  try {
    const call = { command: 'generateKey', arguments: args, parts: {} } as const
    const { result, parts } = await runCommand<'generateKey'>(kms, caller, call)
    await kms.db.write(async (query) => {
      await insertKeyVersion(query, versionRow(keyId, { made: result, ...parts }))
      await changeRow(query, kms, keyId, { currentVersion: version })
      await updateIntent(query, { intentId: intent.id, body: encodePlan(next) })
    })
  } catch (error) {
    await kms.db.write(async (query) => {
      await releaseReservation(query, plan.reservation)
      await deleteIntent(query, intent.id)
    })
    throw error
  }
  forgetKey(kms, keyId)
  return applyStates(kms, caller, { ...intent, plan: next })
}

/** What the key was made with; the module checks it again. */
function templateOf(row: KeysTable) {
  const uses: unknown = JSON.parse(row.uses)
  assert(Array.isArray(uses))
  return {
    type: typeFrom(row.type),
    algorithms: algorithmsFrom(row.algorithms),
    uses: uses.filter(isKeyUse),
    exportable: row.exportable === 1,
    externalIv: row.externalIv === 1,
    plaintextRelease: row.plaintextRelease === 1,
    approvals: row.approvals,
    canary: row.canary === 1,
    usesMax: row.usesMax,
    notBefore: row.notBefore,
    notAfter: row.notAfter,
    lengthBytes: row.lengthBytes,
  }
}

function staysActive(row: KeysTable): boolean {
  const { uses } = templateOf(row)
  return uses.includes('derive') || uses.includes('agree')
}

/** A suspended key is active again. @throws KmsError KEY_STATE_INVALID, and what changingKey throws */
export async function enableKey(
  kms: Kms,
  caller: Caller,
  namespace: string,
  key: string,
  change: Change = {},
): Promise<KeyRecord> {
  const permission = 'keys:enable'
  return changingKey(kms, caller, { namespace, key, permission, ...change }, (row) => {
    if (row.destructionDue !== null) {
      throw new KmsError('KEY_STATE_INVALID', 'the destruction is scheduled: cancel it first')
    }
    return moveVersions(kms, caller, row, { from: 'suspended', to: 'active', row: {} })
  })
}

/** It verifies and does nothing else. @throws KmsError KEY_STATE_INVALID, and what changingKey throws */
export async function disableKey(
  kms: Kms,
  caller: Caller,
  namespace: string,
  key: string,
  change: Change = {},
): Promise<KeyRecord> {
  const permission = 'keys:disable'
  return changingKey(kms, caller, { namespace, key, permission, ...change }, (row) =>
    suspendKey(kms, caller, row, {}),
  )
}

/** With a change of the row beside it. The key's lock is held. */
export async function suspendKey(
  kms: Kms,
  caller: Caller,
  row: KeysTable,
  rowChange: Pick<StatesPlan['row'], 'destructionDue'>,
): Promise<KeyRecord> {
  return moveVersions(kms, caller, row, { from: 'active', to: 'suspended', row: rowChange })
}

interface Move {
  readonly from: KeyState
  readonly to: KeyState
  readonly row: Pick<StatesPlan['row'], 'destructionDue'>
}

/** Versions in other states stay in them; a key that is there already is not changed in vain. */
async function moveVersions(
  kms: Kms,
  caller: Caller,
  row: KeysTable,
  { from, to, row: rowChange }: Move,
): Promise<KeyRecord> {
  const state = recordStateFrom(row.state)
  if (state !== from && state !== to) {
    throw new KmsError('KEY_STATE_INVALID', `a key that is ${state} does not become ${to}`)
  }
  const isThere = state === to && Object.keys(rowChange).length === 0
  const versions = (await versionsOf(kms.db.query, row.keyId))
    .filter((version) => version.state === from)
    .map(({ version }) => version)
  if (isThere && versions.length === 0) return recordOf(kms.db.query, row.keyId)
  const plan = { kind: 'states', versions, to, row: { ...rowChange, state: to } } as const
  const intent: Intent<StatesPlan> = newIntent(kms, parseKeyId(row.keyId), plan)
  await kms.db.write((query) => writeIntent(query, kms, intent))
  return applyStates(kms, caller, intent)
}
