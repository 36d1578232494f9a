/**
 * One change of a key at a time, and what a crash left of an earlier one finished first. A change of
 * state goes: intent, the module makes new revisions, they are stored with the key's row, the floor is
 * raised to them, the intent goes. The floor comes last, because a wrapped key below it is lost, and a
 * wrapped key above it is not.
 */

import assert from 'node:assert/strict'
import type { Call, Outcome } from '../../hsm/contract/commands.ts'
import { type KeyId, kekOfWrapped, parseKeyId } from '../../hsm/contract/keys.ts'
import type { Query } from '../../storage/database.ts'
import { deleteIntent, intentsOf } from '../../storage/intents.ts'
import { type KeyVersionsTable, putRevision, versionsOf } from '../../storage/key-versions.ts'
import { findKey, type KeysTable, updateKeyRow } from '../../storage/keys.ts'
import { assertPermission } from '../access/access.ts'
import type { Permission } from '../access/permissions.ts'
import { answerOf, callModule, systemCaller } from '../commands.ts'
import { KmsError, type KmsErrorCode } from '../errors.ts'
import { assertMatch } from '../etag.ts'
import { answerOnce, releaseReservation } from '../idempotency.ts'
import type { Caller, Change, Kms } from '../kms.ts'
import { finishDestruction } from './destroy-bytes.ts'
import { keyRow } from './find.ts'
import { type Intent, intentFrom, type StatesPlan } from './intents.ts'
import { forgetKey } from './known-keys.ts'
import { isDestroyed, type KeyRecord, recordStateFrom, recordsFrom } from './rows.ts'

/** Versions in one frame: each brings its wrapped key, of 16 KiB at most, twice. */
const versionsPerFrame = 64

export interface Changing extends Change {
  readonly namespace: string
  /** Id, name or alias. */
  readonly key: string
  readonly permission: Permission
}

/**
 * Runs the work on the key's row while nobody else changes the key.
 *
 * @throws KmsError ACCESS_DENIED, KEY_NOT_FOUND, PRECONDITION_FAILED, KEY_DESTROYED
 */
export async function changingKey<T>(
  kms: Kms,
  caller: Caller,
  { namespace, key, permission, ...change }: Changing,
  work: (row: KeysTable) => Promise<T>,
): Promise<T> {
  await assertPermission(kms, caller, namespace, permission)
  const { keyId } = await keyRow(kms.db.query, namespace, key)
  return kms.keyLocks.hold(keyId, async () => {
    await finishLeft(kms, parseKeyId(keyId))
    const row = await keyRow(kms.db.query, namespace, keyId)
    assertMatch(row, change)
    if (isDestroyed(recordStateFrom(row.state))) {
      throw new KmsError('KEY_DESTROYED', `the key ${row.name} was destroyed`)
    }
    return work(row)
  })
}

/** What a crash, or a module that went away, left of earlier changes. The key's lock is held. */
export async function finishLeft(kms: Kms, keyId: KeyId): Promise<void> {
  for (const row of await intentsOf(kms.db.query, keyId)) await finishIntent(kms, intentFrom(row))
}

/** Forward where something may have happened, back where nothing is visible yet. */
async function finishIntent(kms: Kms, { id, keyId, plan }: Intent): Promise<void> {
  const caller = systemCaller(id)
  switch (plan.kind) {
    case 'create':
    case 'rotate':
      await kms.db.write(async (query) => {
        await releaseReservation(query, plan.reservation)
        await deleteIntent(query, id)
      })
      return
    case 'states':
      await applyStates(kms, caller, { id, keyId, plan })
      return
    case 'destroy':
      await finishDestruction(kms, caller, { id, keyId }).catch((error: unknown) => {
        // The intent is gone then: whoever wants it destroyed has to have it approved.
        if (!(error instanceof KmsError) || error.code !== 'APPROVALS_MISSING') throw error
        kms.log({ level: 'warn', message: 'a destruction waits for approvals', key: keyId })
      })
  }
}

/** The record as it is now, for the answer to a change. */
export async function recordOf(query: Query, keyId: string): Promise<KeyRecord> {
  const row = await findKey(query, keyId)
  assert(row !== undefined)
  const [record] = await recordsFrom(query, [row])
  assert(record !== undefined)
  return record
}

/**
 * Moves the versions and the key's row to where the plan says, from wherever a crash left them. What the
 * module refuses at the first step is undone, and the intent goes.
 */
export async function applyStates(
  kms: Kms,
  caller: Caller,
  intent: Intent<StatesPlan>,
): Promise<KeyRecord> {
  const { id, keyId, plan } = intent
  const before = await plannedVersions(kms, intent)
  if (before.length === 0 && plan.versions.length > 0) {
    // They were destroyed with all others, after a policy became weaker.
    await undo(kms, caller, intent)
    return recordOf(kms.db.query, keyId)
  }
  const moving = before.filter(({ state }) => state !== plan.to)
  const revisions = await newRevisions(kms, caller, intent, moving)
  await kms.db.write(async (query) => {
    for (const { version, ...revision } of revisions) {
      const kek = kekOfWrapped(revision.wrapped)
      await putRevision(query, { keyId, version }, { ...revision, state: plan.to, kek })
    }
    if (revisions.length > 0 || Object.keys(plan.row).length > 0) {
      await changeRow(query, kms, keyId, plan.row)
    }
  })
  forgetKey(kms, keyId, plan.versions)
  await raiseFloors(kms, caller, intent)
  return kms.db.write(async (query) => {
    const record = await recordOf(query, keyId)
    await answerOnce(query, plan.reservation, record)
    await deleteIntent(query, id)
    return record
  })
}

/** The next revision of a row, which only the holder of the key's lock changes. */
export async function changeRow(
  query: Query,
  kms: Kms,
  keyId: string,
  change: Partial<Pick<KeysTable, 'state' | 'currentVersion' | 'lastVersion' | 'destructionDue'>>,
): Promise<void> {
  const row = await findKey(query, keyId)
  assert(row !== undefined)
  assert(await updateKeyRow(query, row, { ...change, updated: kms.now() }))
}

async function plannedVersions(
  kms: Kms,
  { keyId, plan }: Intent<StatesPlan>,
): Promise<(KeyVersionsTable & { wrapped: Uint8Array })[]> {
  const rows = await versionsOf(kms.db.query, keyId)
  return rows.flatMap(({ wrapped, ...row }) =>
    wrapped !== null && plan.versions.includes(row.version) ? [{ ...row, wrapped }] : [],
  )
}

interface Revision {
  readonly version: number
  readonly revision: number
  readonly wrapped: Uint8Array
}

/**
 * A new revision of each. The module forgets first what it may have loaded: a revision that was made
 * before a crash and never stored would make it refuse the stored one.
 */
async function newRevisions(
  kms: Kms,
  caller: Caller,
  { id, keyId, plan }: Intent<StatesPlan>,
  versions: readonly (KeyVersionsTable & { wrapped: Uint8Array })[],
): Promise<Revision[]> {
  const revisions: Revision[] = []
  try {
    const successor = plan.to === 'deactivated' ? await loadSuccessor(kms, keyId, plan) : []
    for (const some of chunks(versions)) {
      const calls = some.flatMap(({ version, wrapped }): Call[] => [
        { command: 'unloadKey', arguments: { key: keyId, version }, parts: {} },
        {
          command: 'changeKey',
          arguments: { key: keyId, version, change: { state: plan.to } },
          parts: { wrapped },
        },
      ])
      const answers = await callModule(kms, caller, [...successor, ...calls])
      const outcomes = answers.slice(successor.length)
      for (const [index, { version }] of some.entries()) {
        const answer = answerOf<'changeKey'>(at(outcomes, 2 * index + 1))
        const { revision } = answer.result.attributes
        revisions.push({ version, revision, wrapped: answer.parts.wrapped })
      }
    }
  } catch (error) {
    if (error instanceof KmsError && isDecision(error)) await undo(kms, caller, { id, keyId, plan })
    throw error
  }
  return revisions
}

/** In the same frame: by it the module sees that a version which is deactivated has been rotated. */
async function loadSuccessor(kms: Kms, key: KeyId, { versions }: StatesPlan): Promise<Call[]> {
  const later = (await versionsOf(kms.db.query, key)).filter(
    ({ version, state }) => state === 'active' && version > Math.max(...versions),
  )
  return later.slice(-1).flatMap(({ version, wrapped }): Call[] => {
    if (wrapped === null) return []
    return [{ command: 'loadKey', arguments: { key, version }, parts: { wrapped } }]
  })
}

/** Nothing was stored: the module goes back to the stored revisions, and the intent goes. */
async function undo(kms: Kms, caller: Caller, intent: Intent<StatesPlan>): Promise<void> {
  const { id, keyId, plan } = intent
  for (const some of chunks(plan.versions)) {
    const calls = some.map(
      (version): Call => ({
        command: 'unloadKey',
        arguments: { key: keyId, version },
        parts: {},
      }),
    )
    await callModule(kms, caller, calls)
  }
  await kms.db.write(async (query) => {
    await releaseReservation(query, plan.reservation)
    await deleteIntent(query, id)
  })
}

/** To the stored revisions, never beyond; asked again, it changes nothing. */
async function raiseFloors(kms: Kms, caller: Caller, intent: Intent<StatesPlan>): Promise<void> {
  for (const some of chunks(await plannedVersions(kms, intent))) {
    const calls = some.map(
      ({ version, wrapped }): Call => ({
        command: 'raiseFloor',
        arguments: { key: intent.keyId, version },
        parts: { wrapped },
      }),
    )
    for (const outcome of await callModule(kms, caller, calls)) answerOf<'raiseFloor'>(outcome)
  }
}

const decisions: readonly KmsErrorCode[] = [
  'APPROVALS_MISSING',
  'KEY_DESTROYED',
  'KEY_STATE_INVALID',
  'WRAPPED_KEY_INVALID',
  'WRAPPED_KEY_OUTDATED',
]

/** The module said no, and will say so again; anything else may be otherwise the next time. */
function isDecision({ code }: KmsError): boolean {
  return decisions.includes(code)
}

function* chunks<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += versionsPerFrame) {
    yield items.slice(from, from + versionsPerFrame)
  }
}

function at(outcomes: readonly Outcome[], index: number): Outcome {
  const outcome = outcomes[index]
  assert(outcome !== undefined)
  return outcome
}
