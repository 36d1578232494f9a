/** Roles: one row for each identity and namespace ("*" for all of them), with the list of its roles. */

import type { Query } from './database.ts'

export interface RolesTable {
  namespace: string
  identityId: string
  /** JSON, in the order of the table of roles. */
  roles: string
  revision: number
}

const columns = ['namespace', 'identityId', 'roles', 'revision'] as const

export async function findRoles(
  query: Query,
  { namespace, identityId }: { namespace: string; identityId: string },
): Promise<RolesTable | undefined> {
  return query
    .selectFrom('roles')
    .select(columns)
    .where('namespace', '=', namespace)
    .where('identityId', '=', identityId)
    .executeTakeFirst()
}

export async function rolesOf(query: Query, identityId: string): Promise<RolesTable[]> {
  return query
    .selectFrom('roles')
    .select(columns)
    .where('identityId', '=', identityId)
    .orderBy('namespace')
    .execute()
}

export async function pageOfRoles(
  query: Query,
  { namespace, after, limit }: { namespace: string; after: string; limit: number },
): Promise<RolesTable[]> {
  return query
    .selectFrom('roles')
    .select(columns)
    .where('namespace', '=', namespace)
    .where('identityId', '>', after)
    .orderBy('identityId')
    .limit(limit)
    .execute()
}

/** The row stays when the list is empty, so that its revision never goes back. */
export async function putRoles(query: Query, row: RolesTable): Promise<void> {
  await query
    .insertInto('roles')
    .values(row)
    .onConflict((conflict) =>
      conflict
        .columns(['namespace', 'identityId'])
        .doUpdateSet({ roles: row.roles, revision: row.revision }),
    )
    .execute()
}

export async function deleteRolesOf(query: Query, identityId: string): Promise<void> {
  await query.deleteFrom('roles').where('identityId', '=', identityId).execute()
}
