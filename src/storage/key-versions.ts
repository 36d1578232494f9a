/** Versions of keys, with their wrapped bytes until they are destroyed. */

import type { Query } from './database.ts'

export interface KeyVersionsTable {
  keyId: string
  version: number
  /** Of the wrapped key: the module refuses older ones than it has made. */
  revision: number
  state: string
  provenance: string
  created: number
  /** JSON. */
  checkValue: string
  publicKey: Uint8Array | null
  wrapped: Uint8Array | null
  /** Generation of the KEK that the wrapped key is under. */
  kek: number
  /** Of its destruction, by the module. */
  certificate: Uint8Array | null
  /** Version of the domain state that destroyed it with all others. */
  destroyedBy: number | null
}

const columns = [
  'keyId',
  'version',
  'revision',
  'state',
  'provenance',
  'created',
  'checkValue',
  'publicKey',
  'wrapped',
  'kek',
  'certificate',
  'destroyedBy',
] as const

interface VersionKey {
  readonly keyId: string
  readonly version: number
}

export async function insertKeyVersion(query: Query, row: KeyVersionsTable): Promise<void> {
  await query.insertInto('keyVersions').values(row).execute()
}

export async function findKeyVersion(
  query: Query,
  { keyId, version }: VersionKey,
): Promise<KeyVersionsTable | undefined> {
  return query
    .selectFrom('keyVersions')
    .select(columns)
    .where('keyId', '=', keyId)
    .where('version', '=', version)
    .executeTakeFirst()
}

/** In the order of their numbers. */
export async function versionsOf(query: Query, keyId: string): Promise<KeyVersionsTable[]> {
  return query
    .selectFrom('keyVersions')
    .select(columns)
    .where('keyId', '=', keyId)
    .orderBy('version')
    .execute()
}

/** How many versions each of these keys has. */
export async function countVersions(
  query: Query,
  keyIds: readonly string[],
): Promise<{ keyId: string; versions: number }[]> {
  if (keyIds.length === 0) return []
  const rows = await query
    .selectFrom('keyVersions')
    .select(['keyId', ({ fn }) => fn.countAll<number | string | bigint>().as('versions')])
    .where('keyId', 'in', keyIds)
    .groupBy('keyId')
    .execute()
  return rows.map(({ keyId, versions }) => ({ keyId, versions: Number(versions) }))
}

/** A new revision of one version. */
export async function putRevision(
  query: Query,
  { keyId, version }: VersionKey,
  change: { revision: number; state: string; wrapped: Uint8Array; kek: number },
): Promise<void> {
  await query
    .updateTable('keyVersions')
    .set(change)
    .where('keyId', '=', keyId)
    .where('version', '=', version)
    .where('wrapped', 'is not', null)
    .execute()
}

/** The first that there is stays: it says more than one that is asked for again. */
export async function putCertificate(
  query: Query,
  { keyId, version }: VersionKey,
  certificate: Uint8Array,
): Promise<void> {
  await query
    .updateTable('keyVersions')
    .set({ certificate })
    .where('keyId', '=', keyId)
    .where('version', '=', version)
    .where('certificate', 'is', null)
    .execute()
}

/** How many wrapped keys are under an older KEK than this one. */
export async function countUnderOlderKek(query: Query, kek: number): Promise<number> {
  const { versions } = await query
    .selectFrom('keyVersions')
    .select(({ fn }) => fn.countAll<number | string | bigint>().as('versions'))
    .where('kek', '<', kek)
    .where('wrapped', 'is not', null)
    .executeTakeFirstOrThrow()
  return Number(versions)
}

/** How many keys have a wrapped version. */
export async function countWrappedKeys(query: Query): Promise<number> {
  const { keys } = await query
    .selectFrom('keyVersions')
    .select(({ fn }) => fn.count<number | string | bigint>('keyId').distinct().as('keys'))
    .where('wrapped', 'is not', null)
    .executeTakeFirstOrThrow()
  return Number(keys)
}

/** Keys that have a wrapped version under an older KEK than this one, some of them. */
export async function keysUnderOlderKek(
  query: Query,
  { kek, limit }: { readonly kek: number; readonly limit: number },
): Promise<string[]> {
  const rows = await query
    .selectFrom('keyVersions')
    .select('keyId')
    .distinct()
    .where('kek', '<', kek)
    .where('wrapped', 'is not', null)
    .limit(limit)
    .execute()
  return rows.map(({ keyId }) => keyId)
}

/** The oldest KEK, behind `after`, that still has a wrapped key under it. */
export async function oldestKek(
  query: Query,
  { after, before }: { readonly after: number; readonly before: number },
): Promise<number | undefined> {
  const row = await query
    .selectFrom('keyVersions')
    .select('kek')
    .where('kek', '>', after)
    .where('kek', '<', before)
    .where('wrapped', 'is not', null)
    .orderBy('kek')
    .limit(1)
    .executeTakeFirst()
  return row?.kek
}

export interface WrappedVersion extends VersionKey {
  readonly revision: number
  readonly wrapped: Uint8Array
}

/** Wrapped keys under one KEK, in the order of key and version, from behind `after`. */
export async function versionsUnderKek(
  query: Query,
  { kek, after, limit }: { kek: number; after: VersionKey; limit: number },
): Promise<WrappedVersion[]> {
  const rows = await query
    .selectFrom('keyVersions')
    .select(['keyId', 'version', 'revision', 'wrapped'])
    .where('kek', '=', kek)
    .where('wrapped', 'is not', null)
    .where(({ eb, refTuple, tuple }) =>
      eb(refTuple('keyId', 'version'), '>', tuple(after.keyId, after.version)),
    )
    .orderBy('keyId')
    .orderBy('version')
    .limit(limit)
    .execute()
  return rows.flatMap(({ wrapped, ...row }) => (wrapped === null ? [] : [{ ...row, wrapped }]))
}

/** The same revision under another KEK; false when the version was changed or destroyed since. */
export async function putRewrapped(
  query: Query,
  { keyId, version, revision, kek: before }: VersionKey & { revision: number; kek: number },
  change: { readonly wrapped: Uint8Array; readonly kek: number },
): Promise<boolean> {
  const { numUpdatedRows } = await query
    .updateTable('keyVersions')
    .set(change)
    .where('keyId', '=', keyId)
    .where('version', '=', version)
    .where('revision', '=', revision)
    .where('kek', '=', before)
    .where('wrapped', 'is not', null)
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

/** States in which a version can be, and the one at its end. */
export type EndStates = readonly { readonly from: string; readonly to: string }[]

/** All versions of a key: the wrapped bytes go, what is known of them stays. */
export async function eraseVersions(query: Query, keyId: string, states: EndStates): Promise<void> {
  for (const { from, to } of states) {
    await query
      .updateTable('keyVersions')
      .set({ state: to, wrapped: null })
      .where('keyId', '=', keyId)
      .where('state', '=', from)
      .where('wrapped', 'is not', null)
      .execute()
  }
}

/** The same of these keys' versions under an older KEK, destroyed by a version of the domain state. */
export async function eraseUnderOlderKek(
  query: Query,
  keyIds: readonly string[],
  by: { readonly kek: number; readonly destroyedBy: number | null; readonly states: EndStates },
): Promise<void> {
  const { kek, destroyedBy, states } = by
  for (const { from, to } of states) {
    await query
      .updateTable('keyVersions')
      .set({ state: to, wrapped: null, destroyedBy })
      .where('keyId', 'in', keyIds)
      .where('kek', '<', kek)
      .where('state', '=', from)
      .where('wrapped', 'is not', null)
      .execute()
  }
}
