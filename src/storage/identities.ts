/** Identities: people and applications, and the manager itself. */

import type { Query } from './database.ts'

export interface IdentitiesTable {
  identityId: string
  kind: string
  name: string
  state: string
  revision: number
  created: number
  updated: number
}

const columns = ['identityId', 'kind', 'name', 'state', 'revision', 'created', 'updated'] as const

/** False when the name is taken. */
export async function insertIdentity(query: Query, row: IdentitiesTable): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await query
    .insertInto('identities')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirstOrThrow()
  return numInsertedOrUpdatedRows === 1n
}

export async function findIdentity(
  query: Query,
  identityId: string,
): Promise<IdentitiesTable | undefined> {
  return query
    .selectFrom('identities')
    .select(columns)
    .where('identityId', '=', identityId)
    .executeTakeFirst()
}

export async function isIdentityNameTaken(query: Query, name: string): Promise<boolean> {
  const row = await query
    .selectFrom('identities')
    .select('identityId')
    .where('name', '=', name)
    .executeTakeFirst()
  return row !== undefined
}

/** In the order of their names, from behind `after`. */
export async function pageOfIdentities(
  query: Query,
  { after, limit }: { after: string; limit: number },
): Promise<IdentitiesTable[]> {
  return query
    .selectFrom('identities')
    .select(columns)
    .where('name', '>', after)
    .orderBy('name')
    .limit(limit)
    .execute()
}

/** False when the row is no longer at this revision. */
export async function updateIdentity(
  query: Query,
  { identityId, revision }: { identityId: string; revision: number },
  change: Partial<Pick<IdentitiesTable, 'name' | 'state'>> & { updated: number },
): Promise<boolean> {
  const { numUpdatedRows } = await query
    .updateTable('identities')
    .set({ ...change, revision: revision + 1 })
    .where('identityId', '=', identityId)
    .where('revision', '=', revision)
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}
