/** The installation never loses its last administrator: nobody could make another. */

import type { Query } from '../../storage/database.ts'
import { pageOfRoles, type RolesTable } from '../../storage/roles.ts'
import { KmsError } from '../errors.ts'
import { everywhere } from './access.ts'
import type { Role } from './permissions.ts'

const rowsPerQuery = 100
const administrator: Role = 'administrator'

/** @throws KmsError ARGUMENT_INVALID when nobody but this identity administers the installation */
export async function assertOtherAdministrator(query: Query, identityId: string): Promise<void> {
  let after = ''
  for (;;) {
    const rows = await pageOfRoles(query, { namespace: everywhere, after, limit: rowsPerQuery })
    if (rows.some((row) => row.identityId !== identityId && isAdministrator(row))) return
    const last = rows.at(-1)
    if (rows.length < rowsPerQuery || last === undefined) break
    after = last.identityId
  }
  throw new KmsError('ARGUMENT_INVALID', 'this is the last administrator of the installation')
}

export function isAdministrator(row: RolesTable | undefined): boolean {
  const list: unknown = JSON.parse(row?.roles ?? '[]')
  return Array.isArray(list) && list.includes(administrator)
}
