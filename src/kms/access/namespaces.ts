/**
 * Namespaces: tenants, each with its own keys, roles and grants. A namespace is never renamed or
 * removed, because the record names it.
 */

import { findNamespace, insertNamespace, pageOfNamespaces } from '../../storage/namespaces.ts'
import { KmsError } from '../errors.ts'
import { createOnce } from '../idempotency.ts'
import type { Caller, Creation, Kms, Page, PageRequest } from '../kms.ts'
import { assertName } from '../names.ts'
import { pageOf } from '../paging.ts'
import { assertPermission, everywhere } from './access.ts'

export interface Namespace {
  readonly name: string
  readonly created: number
}

export async function createNamespace(
  kms: Kms,
  caller: Caller,
  input: { readonly name: string },
  creation: Creation = {},
): Promise<Namespace> {
  await assertPermission(kms, caller, everywhere, 'namespaces:create')
  const { name } = input
  assertName(name, 'a namespace')
  const asked = { ...creation, call: 'createNamespace', request: { name } }
  return createOnce(kms, caller, asked, async (query) => {
    const namespace = { name, created: kms.now() }
    if (!(await insertNamespace(query, namespace))) {
      throw new KmsError('NAME_TAKEN', `there is a namespace ${name}`)
    }
    return namespace
  })
}

export async function listNamespaces(
  kms: Kms,
  caller: Caller,
  request: PageRequest = {},
): Promise<Page<Namespace>> {
  await assertPermission(kms, caller, everywhere, 'namespaces:read')
  return pageOf(request, { list: 'namespaces' }, (place) => pageOfNamespaces(kms.db.query, place), {
    name: ({ name }) => name,
    items: (rows) => rows,
  })
}

export async function getNamespace(kms: Kms, caller: Caller, name: string): Promise<Namespace> {
  await assertPermission(kms, caller, name, 'namespaces:read')
  const found = await findNamespace(kms.db.query, name)
  if (found === undefined) throw namespaceNotFound(name)
  return found
}

/** @throws KmsError NAMESPACE_NOT_FOUND; "*" is there when it may be */
export async function assertNamespace(kms: Kms, name: string): Promise<void> {
  if ((await findNamespace(kms.db.query, name)) === undefined) throw namespaceNotFound(name)
}

export function namespaceNotFound(name: string): KmsError {
  return new KmsError('NAMESPACE_NOT_FOUND', `there is no namespace ${name}`)
}
