/** Names of keys: a key's own name and its aliases share one name space in a namespace. */

import type { Query } from './database.ts'

export interface KeyNamesTable {
  namespace: string
  name: string
  keyId: string
  kind: 'name' | 'alias'
  revision: number
}

const columns = ['namespace', 'name', 'keyId', 'kind', 'revision'] as const

/** False when the name is taken. */
export async function insertKeyName(query: Query, row: KeyNamesTable): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await query
    .insertInto('keyNames')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirstOrThrow()
  return numInsertedOrUpdatedRows === 1n
}

export async function findKeyName(
  query: Query,
  { namespace, name }: { namespace: string; name: string },
): Promise<KeyNamesTable | undefined> {
  return query
    .selectFrom('keyNames')
    .select(columns)
    .where('namespace', '=', namespace)
    .where('name', '=', name)
    .executeTakeFirst()
}

/** Of all these keys, in the order of the names. */
export async function aliasesOf(
  query: Query,
  keyIds: readonly string[],
): Promise<Pick<KeyNamesTable, 'keyId' | 'name'>[]> {
  if (keyIds.length === 0) return []
  return query
    .selectFrom('keyNames')
    .select(['keyId', 'name'])
    .where('keyId', 'in', keyIds)
    .where('kind', '=', 'alias')
    .orderBy('name')
    .execute()
}

export async function pageOfAliases(
  query: Query,
  { namespace, after, limit }: { namespace: string; after: string; limit: number },
): Promise<KeyNamesTable[]> {
  return query
    .selectFrom('keyNames')
    .select(columns)
    .where('namespace', '=', namespace)
    .where('kind', '=', 'alias')
    .where('name', '>', after)
    .orderBy('name')
    .limit(limit)
    .execute()
}

export async function pointAlias(
  query: Query,
  { namespace, name, keyId, revision }: Omit<KeyNamesTable, 'kind'>,
): Promise<void> {
  await query
    .updateTable('keyNames')
    .set({ keyId, revision })
    .where('namespace', '=', namespace)
    .where('name', '=', name)
    .where('kind', '=', 'alias')
    .execute()
}

export async function deleteAlias(
  query: Query,
  { namespace, name }: { namespace: string; name: string },
): Promise<void> {
  await query
    .deleteFrom('keyNames')
    .where('namespace', '=', namespace)
    .where('name', '=', name)
    .where('kind', '=', 'alias')
    .execute()
}
