/**
 * Keys between the database and the manager: typed records from rows, read as strictly as anything
 * from outside, because a database can be edited.
 */

import assert from 'node:assert/strict'
import {
  type AlgorithmName,
  isAlgorithmName,
  isKeyTypeName,
  isKeyUse,
  type KeyClass,
  type KeyTypeName,
  type KeyUse,
  keyClasses,
} from '../../hsm/contract/algorithms.ts'
import type { NewKey } from '../../hsm/contract/commands.ts'
import {
  type KeyId,
  type KeyState,
  keyStates,
  type Provenance,
  parseKeyId,
  provenances,
} from '../../hsm/contract/keys.ts'
import type { Query } from '../../storage/database.ts'
import { aliasesOf } from '../../storage/key-names.ts'
import { countVersions, type KeyVersionsTable } from '../../storage/key-versions.ts'
import type { KeysTable } from '../../storage/keys.ts'
import { etagOf } from '../etag.ts'
import type { Labels } from '../names.ts'

/** The states of the module, and the two in which there are no bytes (SP 800-57 part 1 section 7). */
export const recordStates = [...keyStates, 'destroyed', 'destroyed-compromised'] as const

export type RecordState = KeyState | 'destroyed' | 'destroyed-compromised'

export interface KeyRecord {
  readonly id: KeyId
  readonly name: string
  readonly namespace: string
  readonly owner: string
  readonly purpose: string
  readonly labels: Labels
  readonly type: KeyTypeName
  readonly class: KeyClass
  readonly algorithms: readonly AlgorithmName[]
  readonly uses: readonly KeyUse[]
  readonly state: RecordState
  readonly exportable: boolean
  readonly externalIv: boolean
  readonly plaintextRelease: boolean
  readonly approvals: number
  readonly canary: boolean
  /** How often each version may be used; 0 for no limit. */
  readonly usesMax: number
  readonly currentVersion: number
  /** How many there are, destroyed ones included. */
  readonly versions: number
  readonly created: number
  readonly updated: number
  /** Milliseconds since 1970; 0 for none. */
  readonly notBefore: number
  readonly notAfter: number
  /** When a scheduled destruction will happen. */
  readonly destructionDue?: number
  readonly aliases: readonly string[]
  readonly etag: string
}

export interface KeyVersion {
  readonly version: number
  readonly revision: number
  readonly state: RecordState
  readonly provenance: Provenance
  readonly created: number
  readonly checkValue: NewKey['checkValue']
  /** SPKI, DER; absent for secret keys. */
  readonly publicKey?: Uint8Array
  /** Version of the domain state that weakened a policy, and so destroyed every key. */
  readonly destroyedBy?: number
}

/** Versions and keys that are compromised say so for ever (SP 800-57 part 1 section 7). */
export const statesAtTheEnd = keyStates.map((from) => ({
  from,
  to: from === 'compromised' ? 'destroyed-compromised' : 'destroyed',
}))

export function isDestroyed(state: RecordState): boolean {
  return state === 'destroyed' || state === 'destroyed-compromised'
}

/** Two further queries, however many rows. */
export async function recordsFrom(query: Query, rows: readonly KeysTable[]): Promise<KeyRecord[]> {
  const keyIds = rows.map(({ keyId }) => keyId)
  const aliases = Map.groupBy(await aliasesOf(query, keyIds), ({ keyId }) => keyId)
  const counts = new Map(
    (await countVersions(query, keyIds)).map(({ keyId, versions }) => [keyId, versions]),
  )
  return rows.map((row) =>
    recordFrom(row, {
      versions: counts.get(row.keyId) ?? 0,
      aliases: aliases.get(row.keyId)?.map(({ name }) => name) ?? [],
    }),
  )
}

export function recordFrom(
  row: KeysTable,
  { versions, aliases }: { versions: number; aliases: readonly string[] },
): KeyRecord {
  return {
    id: parseKeyId(row.keyId),
    name: row.name,
    namespace: row.namespace,
    owner: row.owner,
    purpose: row.purpose,
    labels: labelsFrom(row.labels),
    type: typeFrom(row.type),
    class: oneOf(keyClasses, row.class),
    algorithms: algorithmsFrom(row.algorithms),
    uses: listFrom(row.uses, isKeyUse),
    state: recordStateFrom(row.state),
    exportable: row.exportable === 1,
    externalIv: row.externalIv === 1,
    plaintextRelease: row.plaintextRelease === 1,
    approvals: row.approvals,
    canary: row.canary === 1,
    usesMax: row.usesMax,
    currentVersion: row.currentVersion,
    versions,
    created: row.created,
    updated: row.updated,
    notBefore: row.notBefore,
    notAfter: row.notAfter,
    ...(row.destructionDue === null ? {} : { destructionDue: row.destructionDue }),
    aliases,
    etag: etagOf(row),
  }
}

export function versionFrom(row: KeyVersionsTable): KeyVersion {
  return {
    version: row.version,
    revision: row.revision,
    state: recordStateFrom(row.state),
    provenance: oneOf(provenances, row.provenance),
    created: row.created,
    checkValue: checkValueFrom(row.checkValue),
    ...(row.publicKey === null ? {} : { publicKey: row.publicKey }),
    ...(row.destroyedBy === null ? {} : { destroyedBy: row.destroyedBy }),
  }
}

export function recordStateFrom(text: string): RecordState {
  return oneOf<RecordState>(recordStates, text)
}

export function algorithmsFrom(text: string): AlgorithmName[] {
  return listFrom(text, isAlgorithmName)
}

export function typeFrom(text: string): KeyTypeName {
  assert(isKeyTypeName(text), 'a row of keys holds an unknown type')
  return text
}

function labelsFrom(text: string): Labels {
  const value: unknown = JSON.parse(text)
  assert(typeof value === 'object' && value !== null)
  return Object.fromEntries(Object.entries(value).map(([name, label]) => [name, String(label)]))
}

function checkValueFrom(text: string): NewKey['checkValue'] {
  const value: unknown = JSON.parse(text)
  assert(typeof value === 'object' && value !== null)
  return value
}

function listFrom<T>(text: string, is: (item: unknown) => item is T): T[] {
  const value: unknown = JSON.parse(text)
  assert(Array.isArray(value))
  assert(value.every(is), 'a row of keys holds an unknown name')
  return value
}

function oneOf<T extends string>(names: readonly T[], text: string): T {
  const found = names.find((name) => name === text)
  assert(found !== undefined, 'a row of keys holds an unknown name')
  return found
}
