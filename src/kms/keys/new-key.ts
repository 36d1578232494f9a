/**
 * The making of a key, however its bytes come to be: generated, imported, unwrapped, derived. An intent
 * first (it holds the idempotency key and refuses a name that is taken), then the command, then the rows
 * in one transaction with the answer. A crash in between leaves a wrapped key that nobody was told of
 * and nothing else: there is no key before its rows.
 */

import type { KeyClass } from '../../hsm/contract/algorithms.ts'
import type { NewKey } from '../../hsm/contract/commands.ts'
import { type KeyId, type KeyTemplate, kekOfWrapped, parseKeyId } from '../../hsm/contract/keys.ts'
import type { Query } from '../../storage/database.ts'
import { deleteIntent } from '../../storage/intents.ts'
import { findKeyName, insertKeyName } from '../../storage/key-names.ts'
import { insertKeyVersion, type KeyVersionsTable } from '../../storage/key-versions.ts'
import { findKey, insertKey, type KeysTable } from '../../storage/keys.ts'
import { assertNamespace } from '../access/namespaces.ts'
import { callModule } from '../commands.ts'
import { KmsError } from '../errors.ts'
import {
  answerOnce,
  decodeAnswer,
  type Reservation,
  releaseReservation,
  reserve,
} from '../idempotency.ts'
import type { Caller, Creation, Kms } from '../kms.ts'
import { securityLevel } from '../module.ts'
import { assertLabels, assertName, assertText, type Labels, newId } from '../names.ts'
import { type Intent, newIntent, writeIntent } from './intents.ts'
import { type KeyRecord, recordFrom } from './rows.ts'
import { dependsOnLevel, type KeyShape, templateFor } from './template.ts'

/** What the maker of a key says of it. Owner and purpose are mandatory. */
export interface NewKeyInput extends KeyShape {
  readonly name: string
  readonly owner: string
  readonly purpose: string
  readonly labels?: Labels | undefined
}

/** The first version of a key, for the command that makes it. */
export interface KeyToMake {
  readonly key: KeyId
  readonly version: 1
  readonly template: KeyTemplate
}

/** What the module answered for it. */
export interface MadeBytes {
  readonly made: NewKey
  readonly wrapped: Uint8Array
  readonly publicKey?: Uint8Array | undefined
}

export interface Making<T> extends Creation {
  /** Which call of the manager, and everything that its answer depends on. */
  readonly call: string
  readonly request: unknown
  /** Where it is not the manager that chooses it. */
  readonly id?: string | undefined
  /** Where it is not what generating makes. */
  readonly keyClass?: KeyClass | undefined
  /** @throws KmsError what the module refused */
  readonly make: (key: KeyToMake) => Promise<MadeBytes>
  /** What the caller is answered, and is answered again for the same idempotency key. */
  readonly answer: (record: KeyRecord) => T
}

/**
 * The caller's permission was asserted before.
 *
 * @throws KmsError ARGUMENT_INVALID, NAME_TAKEN, KEY_EXISTS, NAMESPACE_NOT_FOUND, IDEMPOTENCY_CONFLICT, and what the
 *   module refuses
 */
export async function makeKey<T>(
  kms: Kms,
  caller: Caller,
  place: { readonly namespace: string; readonly input: NewKeyInput },
  making: Making<T>,
): Promise<T> {
  const { namespace, input } = place
  const template = await templateOf(kms, caller, input, making.keyClass)
  await assertNamespace(kms, namespace)
  const key = parseKeyId(making.id ?? newId('key'))
  return kms.keyLocks.hold(key, async () => {
    const begun = await begin(kms, caller, { ...place, key }, making)
    if ('answer' in begun) return decodeAnswer<T>(begun.answer)
    const { intent } = begun
    let isMade = false
    try {
      const bytes = await making.make({ key, version: 1, template })
      isMade = true
      return await finish(kms, { ...place, intent, template, bytes }, making)
    } catch (error) {
      await giveUp(kms, intent)
      if (isMade) await unload(kms, caller, key)
      throw error
    }
  })
}

/** What the module is asked to make. @throws KmsError ARGUMENT_INVALID */
export async function templateOf(
  kms: Kms,
  caller: Caller,
  input: NewKeyInput,
  keyClass: KeyClass | undefined,
): Promise<KeyTemplate> {
  assertName(input.name, 'the name of a key')
  assertText(input.owner, 'the owner')
  assertText(input.purpose, 'the purpose')
  assertLabels(input.labels ?? {})
  const level = dependsOnLevel(input) ? await securityLevel(kms, caller) : undefined
  return templateFor(input, keyClass, level)
}

type CreateIntent = Intent<{ kind: 'create'; reservation: Reservation | undefined }>

async function begin<T>(
  kms: Kms,
  caller: Caller,
  { namespace, input, key }: { namespace: string; input: NewKeyInput; key: KeyId },
  { idempotencyKey, call, request, id }: Making<T>,
): Promise<{ readonly answer: string } | { readonly intent: CreateIntent }> {
  return kms.db.write(async (query) => {
    const reserved = await reserve(query, kms, caller, { idempotencyKey, call, request })
    if ('answer' in reserved) return reserved
    const { name } = input
    if (await findKeyName(query, { namespace, name })) throw nameTaken(namespace, name)
    if (id !== undefined && (await findKey(query, id))) {
      throw new KmsError('KEY_EXISTS', 'there is a key of this id; seal it again with another')
    }
    const { reservation } = reserved
    const intent: CreateIntent = newIntent(kms, key, { kind: 'create', reservation })
    await writeIntent(query, kms, intent)
    return { intent }
  })
}

interface Finish {
  readonly namespace: string
  readonly input: NewKeyInput
  readonly intent: CreateIntent
  readonly template: KeyTemplate
  readonly bytes: MadeBytes
}

async function finish<T>(kms: Kms, finished: Finish, making: Making<T>): Promise<T> {
  const { intent, bytes } = finished
  const row = rowOf(kms, finished)
  return kms.db.write(async (query) => {
    await insertKey(query, row)
    await insertName(query, row)
    await insertKeyVersion(query, versionRow(intent.keyId, bytes))
    const answer = making.answer(recordFrom(row, { versions: 1, aliases: [] }))
    await answerOnce(query, intent.plan.reservation, answer)
    await deleteIntent(query, intent.id)
    return answer
  })
}

function rowOf(kms: Kms, { namespace, input, template, bytes }: Finish): KeysTable {
  const { attributes } = bytes.made
  const now = kms.now()
  return {
    keyId: attributes.key,
    namespace,
    name: input.name,
    owner: input.owner,
    purpose: input.purpose,
    labels: JSON.stringify(input.labels ?? {}),
    type: attributes.type,
    class: attributes.class,
    algorithms: JSON.stringify(attributes.algorithms),
    uses: JSON.stringify(attributes.uses),
    state: attributes.state,
    exportable: Number(attributes.exportable),
    externalIv: Number(attributes.externalIv),
    plaintextRelease: Number(attributes.plaintextRelease),
    approvals: attributes.approvals,
    canary: Number(attributes.canary),
    usesMax: attributes.usesMax,
    lengthBytes: template.lengthBytes,
    currentVersion: 1,
    lastVersion: 1,
    revision: 1,
    created: now,
    updated: now,
    notBefore: attributes.notBefore,
    notAfter: attributes.notAfter,
    destructionDue: null,
  }
}

/** What the module says of a version that it made, as a row. */
export function versionRow(
  keyId: KeyId,
  { made: { attributes, checkValue }, wrapped, publicKey }: MadeBytes,
): KeyVersionsTable {
  const { version, revision, state, provenance, created } = attributes
  return {
    ...{ keyId, version, revision, state, provenance, created, wrapped },
    kek: kekOfWrapped(wrapped),
    ...{ certificate: null, destroyedBy: null },
    checkValue: JSON.stringify(checkValue),
    publicKey: publicKey ?? null,
  }
}

async function insertName(query: Query, { namespace, name, keyId }: KeysTable): Promise<void> {
  const row = { namespace, name, keyId, kind: 'name' as const, revision: 1 }
  if (!(await insertKeyName(query, row))) throw nameTaken(namespace, name)
}

/** The intent goes, and with it the hold on the idempotency key. What does not go now, the job undoes. */
async function giveUp(kms: Kms, { id, plan }: CreateIntent): Promise<void> {
  try {
    await kms.db.write(async (query) => {
      await releaseReservation(query, plan.reservation)
      await deleteIntent(query, id)
    })
  } catch (error) {
    kms.log({ level: 'warn', message: 'a creation is left to be undone', intent: id, error })
  }
}

/** The module has it loaded and nobody will ever use it. */
async function unload(kms: Kms, caller: Caller, key: KeyId): Promise<void> {
  const args = { key, version: 1 }
  try {
    await callModule(kms, caller, [{ command: 'unloadKey', arguments: args, parts: {} }])
  } catch (error) {
    // It makes room like any key that was used long ago.
    kms.log({ level: 'warn', message: 'a key that nobody has is still loaded', key, error })
  }
}

export function nameTaken(namespace: string, name: string): KmsError {
  return new KmsError('NAME_TAKEN', `namespace ${namespace} has a key or an alias ${name}`)
}
