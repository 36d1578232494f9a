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
  change: { revision: number; state: string; wrapped: Uint8Array },
): Promise<void> {
  await query
    .updateTable('keyVersions')
    .set(change)
    .where('keyId', '=', keyId)
    .where('version', '=', version)
    .where('wrapped', 'is not', null)
    .execute()
}

/** All versions of a key: the wrapped bytes go, what is known of them stays. */
export async function eraseVersions(
  query: Query,
  keyId: string,
  states: readonly { readonly from: string; readonly to: string }[],
): Promise<void> {
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
