/**
 * Role assignments: which roles an identity holds in a namespace, or in "*", which is every namespace.
 * Nobody can take the last administrator of "*" away, or the installation would be without one.
 */

import assert from 'node:assert/strict'
import type { Query } from '../../storage/database.ts'
import { findRoles, pageOfRoles, putRoles, type RolesTable, rolesOf } from '../../storage/roles.ts'
import { KmsError } from '../errors.ts'
import { assertMatch, etagOf } from '../etag.ts'
import type { Caller, Change, Kms, Page, PageRequest } from '../kms.ts'
import { pageOf } from '../paging.ts'
import { assertPermission, everywhere, forgetIdentity } from './access.ts'
import { enabledIdentityRow, type Identity } from './identities.ts'
import { assertOtherAdministrator, isAdministrator } from './last-administrator.ts'
import { assertNamespace } from './namespaces.ts'
import { isRole, type Role, roles as roleNames } from './permissions.ts'

export interface RoleAssignment {
  readonly namespace: string
  readonly identity: string
  readonly roles: readonly Role[]
  readonly etag: string
}

/** An empty list takes all roles away. The namespace may be "*". */
export async function setRoles(
  kms: Kms,
  caller: Caller,
  namespace: string,
  identity: string,
  roles: readonly Role[],
  change: Change = {},
): Promise<RoleAssignment> {
  await assertPermission(kms, caller, namespace, 'roles:set')
  if (namespace !== everywhere) await assertNamespace(kms, namespace)
  if (!roles.every(isRole)) {
    throw new KmsError('ARGUMENT_INVALID', `roles are: ${roleNames.join(', ')}`)
  }
  const assignment = await kms.db.write(async (query) => {
    await enabledIdentityRow(query, identity)
    const row = await rolesRow(query, namespace, identity)
    assertMatch(row, change)
    const next = rowWith(row, roles)
    if (namespace === everywhere && isAdministrator(row) && !isAdministrator(next)) {
      await assertOtherAdministrator(query, identity)
    }
    await putRoles(query, next)
    return assignmentFrom(next)
  })
  forgetIdentity(kms, identity)
  return assignment
}

/** Without a question; bootstrap is the only caller. */
export async function addRoles(
  query: Query,
  { identity, roles }: { identity: string; roles: readonly Role[] },
): Promise<void> {
  await putRoles(query, rowWith(await rolesRow(query, everywhere, identity), roles))
}

export async function getRoles(
  kms: Kms,
  caller: Caller,
  namespace: string,
  identity: string,
): Promise<RoleAssignment> {
  await assertPermission(kms, caller, namespace, 'roles:read')
  return assignmentFrom(await rolesRow(kms.db.query, namespace, identity))
}

export async function listRoles(
  kms: Kms,
  caller: Caller,
  namespace: string,
  request: PageRequest = {},
): Promise<Page<RoleAssignment>> {
  await assertPermission(kms, caller, namespace, 'roles:read')
  if (namespace !== everywhere) await assertNamespace(kms, namespace)
  return pageOf(
    request,
    { list: 'roles', namespace },
    (place) => pageOfRoles(kms.db.query, { namespace, ...place }),
    { name: ({ identityId }) => identityId, items: (rows) => rows.map(assignmentFrom) },
  )
}

/** Anybody may ask about themselves. */
export async function whoAmI(
  kms: Kms,
  caller: Caller,
): Promise<{ readonly identity: Identity; readonly roles: readonly RoleAssignment[] }> {
  const rows = await rolesOf(kms.db.query, caller.identity.id)
  return { identity: caller.identity, roles: rows.map(assignmentFrom) }
}

/** Revision 0 stands for an assignment that was never made. */
async function rolesRow(query: Query, namespace: string, identityId: string): Promise<RolesTable> {
  const row = await findRoles(query, { namespace, identityId })
  return row ?? { namespace, identityId, roles: '[]', revision: 0 }
}

function rowWith(row: RolesTable, roles: readonly Role[]): RolesTable {
  const sorted = roleNames.filter((role) => roles.includes(role))
  return { ...row, roles: JSON.stringify(sorted), revision: row.revision + 1 }
}

function rolesFrom(text: string): Role[] {
  const list: unknown = JSON.parse(text)
  assert(Array.isArray(list))
  return list.filter(isRole)
}

function assignmentFrom(row: RolesTable): RoleAssignment {
  return {
    namespace: row.namespace,
    identity: row.identityId,
    roles: rolesFrom(row.roles),
    etag: etagOf(row),
  }
}
