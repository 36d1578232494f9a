/** Grants: which identity may use which key for what. One row for each key and identity. */

import type { Query } from './database.ts'

export interface GrantsTable {
  grantId: string
  namespace: string
  keyId: string
  identityId: string
  /** JSON, in the order of the table of operations. */
  operations: string
  created: number
}

const columns = ['grantId', 'namespace', 'keyId', 'identityId', 'operations', 'created'] as const

/** Adds the row, or replaces the operations of the one that is there; answers the row that stands. */
export async function putGrant(query: Query, row: GrantsTable): Promise<GrantsTable> {
  return query
    .insertInto('grants')
    .values(row)
    .onConflict((conflict) =>
      conflict.columns(['keyId', 'identityId']).doUpdateSet({ operations: row.operations }),
    )
    .returning(columns)
    .executeTakeFirstOrThrow()
}

export async function findGrant(query: Query, grantId: string): Promise<GrantsTable | undefined> {
  return query
    .selectFrom('grants')
    .select(columns)
    .where('grantId', '=', grantId)
    .executeTakeFirst()
}

export async function findGrantOf(
  query: Query,
  { keyId, identityId }: { keyId: string; identityId: string },
): Promise<GrantsTable | undefined> {
  return query
    .selectFrom('grants')
    .select(columns)
    .where('keyId', '=', keyId)
    .where('identityId', '=', identityId)
    .executeTakeFirst()
}

export interface GrantFilter {
  readonly namespace: string
  readonly after: string
  readonly limit: number
  readonly keyId?: string | undefined
  readonly identityId?: string | undefined
}

/** In the order of their ids, from behind `after`. */
export async function pageOfGrants(query: Query, filter: GrantFilter): Promise<GrantsTable[]> {
  let select = query
    .selectFrom('grants')
    .select(columns)
    .where('namespace', '=', filter.namespace)
    .where('grantId', '>', filter.after)
  if (filter.keyId !== undefined) select = select.where('keyId', '=', filter.keyId)
  if (filter.identityId !== undefined) select = select.where('identityId', '=', filter.identityId)
  return select.orderBy('grantId').limit(filter.limit).execute()
}

export async function deleteGrant(query: Query, grantId: string): Promise<void> {
  await query.deleteFrom('grants').where('grantId', '=', grantId).execute()
}

export async function deleteGrantsOf(query: Query, identityId: string): Promise<void> {
  await query.deleteFrom('grants').where('identityId', '=', identityId).execute()
}
