/** Namespaces: the tenants. */

import type { Query } from './database.ts'

export interface NamespacesTable {
  name: string
  created: number
}

/** False when there is one with this name. */
export async function insertNamespace(query: Query, row: NamespacesTable): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await query
    .insertInto('namespaces')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirstOrThrow()
  return numInsertedOrUpdatedRows === 1n
}

export async function findNamespace(
  query: Query,
  name: string,
): Promise<NamespacesTable | undefined> {
  return query
    .selectFrom('namespaces')
    .select(['name', 'created'])
    .where('name', '=', name)
    .executeTakeFirst()
}

/** In the order of their names, from behind `after`. */
export async function pageOfNamespaces(
  query: Query,
  { after, limit }: { after: string; limit: number },
): Promise<NamespacesTable[]> {
  return query
    .selectFrom('namespaces')
    .select(['name', 'created'])
    .where('name', '>', after)
    .orderBy('name')
    .limit(limit)
    .execute()
}
