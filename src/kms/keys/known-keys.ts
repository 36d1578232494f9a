/**
 * Keys as the hot path knows them: what it takes to choose version and algorithm, from caches with an
 * absolute age. A change made by this process shows at once; the module enforces every change anyway.
 */

import { type AlgorithmName, algorithms } from '../../hsm/contract/algorithms.ts'
import { type KeyId, parseKeyId } from '../../hsm/contract/keys.ts'
import { findKeyName } from '../../storage/key-names.ts'
import { findKeyVersion, versionsOf } from '../../storage/key-versions.ts'
import { findKey } from '../../storage/keys.ts'
import { type Operation, operations } from '../access/operations.ts'
import type { Kms } from '../kms.ts'
import { algorithmsFrom, type RecordState, recordStateFrom } from './rows.ts'

export interface KnownKey {
  readonly id: KeyId
  readonly namespace: string
  readonly state: RecordState
  readonly currentVersion: number
  readonly versions: ReadonlyMap<number, RecordState>
  /** The first permitted algorithm for each operation that any of them can do. */
  readonly algorithmFor: ReadonlyMap<Operation, AlgorithmName>
  /** All that are permitted. */
  readonly algorithms: ReadonlySet<AlgorithmName>
}

/** By id, name or alias; synchronous when the caches know it. */
export function knownKey(
  kms: Kms,
  namespace: string,
  key: string,
): KnownKey | undefined | Promise<KnownKey | undefined> {
  if (key.startsWith('key_')) return knownKeyById(kms, namespace, key)
  const keyId = kms.caches.keyNames.get(`${namespace}/${key}`)
  return keyId === undefined ? loadByName(kms, namespace, key) : knownKeyById(kms, namespace, keyId)
}

/** The wrapped bytes, for a module that has not loaded the version. */
export async function wrappedKey(
  kms: Kms,
  { id, version }: { id: KeyId; version: number },
): Promise<Uint8Array | undefined> {
  const name = `${id}/${version}`
  return (
    kms.caches.wrapped.get(name) ??
    kms.caches.wrapped.load(name, async () => {
      const row = await findKeyVersion(kms.db.query, { keyId: id, version })
      return row?.wrapped ?? undefined
    })
  )
}

/** After every change of a key by this process. */
export function forgetKey(kms: Kms, keyId: KeyId, versions: Iterable<number> = []): void {
  kms.caches.keys.forget(keyId)
  for (const version of versions) kms.caches.wrapped.forget(`${keyId}/${version}`)
}

function knownKeyById(
  kms: Kms,
  namespace: string,
  id: string,
): KnownKey | undefined | Promise<KnownKey | undefined> {
  const known = kms.caches.keys.get(id)
  if (known !== undefined) return known.namespace === namespace ? known : undefined
  return loadById(kms, namespace, id)
}

async function loadByName(
  kms: Kms,
  namespace: string,
  name: string,
): Promise<KnownKey | undefined> {
  const keyId = await kms.caches.keyNames.load(`${namespace}/${name}`, async () => {
    const row = await findKeyName(kms.db.query, { namespace, name })
    return row === undefined ? undefined : parseKeyId(row.keyId)
  })
  return keyId === undefined ? undefined : knownKeyById(kms, namespace, keyId)
}

async function loadById(kms: Kms, namespace: string, id: string): Promise<KnownKey | undefined> {
  const known = await kms.caches.keys.load(id, () => load(kms, id))
  return known?.namespace === namespace ? known : undefined
}

async function load(kms: Kms, id: string): Promise<KnownKey | undefined> {
  const row = await findKey(kms.db.query, id)
  if (row === undefined) return undefined
  const versions = await versionsOf(kms.db.query, id)
  const permitted = algorithmsFrom(row.algorithms)
  const algorithmFor = new Map<Operation, AlgorithmName>()
  for (const operation of operations) {
    const first = permitted.find((name) =>
      algorithms[name].uses.some((use: string) => use === operation),
    )
    if (first !== undefined) algorithmFor.set(operation, first)
  }
  return {
    id: parseKeyId(row.keyId),
    namespace: row.namespace,
    state: recordStateFrom(row.state),
    currentVersion: row.currentVersion,
    versions: new Map(versions.map(({ version, state }) => [version, recordStateFrom(state)])),
    algorithmFor,
    algorithms: new Set(permitted),
  }
}
