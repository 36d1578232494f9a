/**
 * Grants: one identity may use one key for these operations. Nothing else permits the use of a key,
 * no role and no other grant. There is one grant for each key and identity; granting again adds to
 * its operations.
 */

import { parseKeyId } from '../../hsm/contract/keys.ts'
import type { Query } from '../../storage/database.ts'
import {
  deleteGrant,
  findGrant,
  findGrantOf,
  type GrantsTable,
  pageOfGrants,
  putGrant,
} from '../../storage/grants.ts'
import { KmsError } from '../errors.ts'
import { createOnce } from '../idempotency.ts'
import { keyRow } from '../keys/find.ts'
import type { Caller, Creation, Kms, Page, PageRequest } from '../kms.ts'
import { newId } from '../names.ts'
import { pageOf } from '../paging.ts'
import { assertPermission, parseOperations } from './access.ts'
import { enabledIdentityRow } from './identities.ts'
import { assertNamespace } from './namespaces.ts'
import { isOperation, type Operation, operations as operationNames } from './operations.ts'

export interface Grant {
  /** "grant_" and 32 lower-case hex digits. */
  readonly id: string
  readonly namespace: string
  /** Key id. */
  readonly key: string
  readonly identity: string
  readonly operations: readonly Operation[]
  readonly created: number
}

export interface NewGrant {
  /** Id, name or alias. */
  readonly key: string
  readonly identity: string
  readonly operations: readonly Operation[]
}

export async function createGrant(
  kms: Kms,
  caller: Caller,
  namespace: string,
  input: NewGrant,
  creation: Creation = {},
): Promise<Grant> {
  await assertPermission(kms, caller, namespace, 'grants:create')
  const { key, identity, operations } = input
  if (operations.length === 0 || !operations.every(isOperation)) {
    throw new KmsError('ARGUMENT_INVALID', `operations are: ${operationNames.join(', ')}`)
  }
  const request = { namespace, key, identity, operations }
  const asked = { ...creation, call: 'createGrant', request }
  const grant = await createOnce(kms, caller, asked, (query) =>
    addGrant(query, kms, namespace, input),
  )
  kms.caches.grants.forget(`${identity}/${grant.key}`)
  return grant
}

export interface GrantListFilter extends PageRequest {
  readonly key?: string | undefined
  readonly identity?: string | undefined
}

export async function listGrants(
  kms: Kms,
  caller: Caller,
  namespace: string,
  filter: GrantListFilter = {},
): Promise<Page<Grant>> {
  await assertPermission(kms, caller, namespace, 'grants:read')
  await assertNamespace(kms, namespace)
  const { query } = kms.db
  const keyId =
    filter.key === undefined ? undefined : (await keyRow(query, namespace, filter.key)).keyId
  const wanted = { namespace, keyId, identityId: filter.identity }
  return pageOf(
    filter,
    { list: 'grants', ...wanted },
    (place) => pageOfGrants(query, { ...wanted, ...place }),
    { name: ({ grantId }) => grantId, items: (rows) => rows.map(grantFrom) },
  )
}

/** The key cannot be used under it from now on. @throws KmsError GRANT_NOT_FOUND */
export async function removeGrant(
  kms: Kms,
  caller: Caller,
  namespace: string,
  grant: string,
): Promise<void> {
  await assertPermission(kms, caller, namespace, 'grants:remove')
  const row = await kms.db.write(async (query) => {
    const found = await findGrant(query, grant)
    if (found === undefined || found.namespace !== namespace) {
      throw new KmsError('GRANT_NOT_FOUND', `namespace ${namespace} has no grant ${grant}`)
    }
    await deleteGrant(query, grant)
    return found
  })
  kms.caches.grants.forget(`${row.identityId}/${row.keyId}`)
}

async function addGrant(
  query: Query,
  kms: Kms,
  namespace: string,
  { key, identity, operations }: NewGrant,
): Promise<Grant> {
  await enabledIdentityRow(query, identity)
  const { keyId } = await keyRow(query, namespace, key)
  const before = await findGrantOf(query, { keyId, identityId: identity })
  const held = before === undefined ? [] : parseOperations(before.operations)
  const all = operationNames.filter((name) => operations.includes(name) || held.includes(name))
  return grantFrom(
    await putGrant(query, {
      grantId: newId('grant'),
      namespace,
      keyId,
      identityId: identity,
      operations: JSON.stringify(all),
      created: kms.now(),
    }),
  )
}

function grantFrom(row: GrantsTable): Grant {
  return {
    id: row.grantId,
    namespace: row.namespace,
    key: parseKeyId(row.keyId),
    identity: row.identityId,
    operations: parseOperations(row.operations),
    created: row.created,
  }
}
