/**
 * Identities: people and applications. An identity is disabled for good, never removed, because the
 * record names it; its name stays taken for the same reason.
 */

import assert from 'node:assert/strict'
import type { Query } from '../../storage/database.ts'
import { deleteGrantsOf } from '../../storage/grants.ts'
import {
  findIdentity,
  type IdentitiesTable,
  insertIdentity,
  isIdentityNameTaken,
  pageOfIdentities,
  updateIdentity,
} from '../../storage/identities.ts'
import { deleteRolesOf, findRoles } from '../../storage/roles.ts'
import { revokeTokensOf } from '../../storage/tokens.ts'
import { KmsError } from '../errors.ts'
import { assertMatch, assertMatchGiven, etagOf } from '../etag.ts'
import { createOnce } from '../idempotency.ts'
import type { Caller, Change, Creation, Kms, Page, PageRequest } from '../kms.ts'
import { assertName, newId } from '../names.ts'
import { pageOf } from '../paging.ts'
import { assertPermission, everywhere, forgetIdentity } from './access.ts'
import { assertOtherAdministrator, isAdministrator } from './last-administrator.ts'

export const identityKinds = ['person', 'application'] as const

export type IdentityKind = (typeof identityKinds)[number]

export interface Identity {
  /** "id_" and 32 lower-case hex digits. */
  readonly id: string
  /** "system" is the manager itself; it is in no list and has no token. */
  readonly kind: IdentityKind | 'system'
  readonly name: string
  readonly state: 'enabled' | 'disabled'
  readonly created: number
  readonly updated: number
  readonly etag: string
}

export async function createIdentity(
  kms: Kms,
  caller: Caller,
  input: { readonly name: string; readonly kind: IdentityKind },
  creation: Creation = {},
): Promise<Identity> {
  await assertPermission(kms, caller, everywhere, 'identities:create')
  const { name, kind } = input
  const asked = { ...creation, call: 'createIdentity', request: { name, kind } }
  return createOnce(kms, caller, asked, (query) => addIdentity(query, kms, { name, kind }))
}

/** Without a question; bootstrap is the only other caller. @throws KmsError NAME_TAKEN */
export async function addIdentity(
  query: Query,
  kms: Kms,
  { name, kind }: { name: string; kind: IdentityKind },
): Promise<Identity> {
  assertName(name, 'the name of an identity')
  if (!identityKinds.includes(kind)) {
    throw new KmsError('ARGUMENT_INVALID', `an identity is one of: ${identityKinds.join(', ')}`)
  }
  const now = kms.now()
  const row = {
    identityId: newId('id'),
    kind,
    name,
    state: 'enabled',
    revision: 1,
    created: now,
    updated: now,
  }
  if (!(await insertIdentity(query, row))) throw nameTaken(name)
  return identityFrom(row)
}

export async function listIdentities(
  kms: Kms,
  caller: Caller,
  request: PageRequest = {},
): Promise<Page<Identity>> {
  await assertPermission(kms, caller, everywhere, 'identities:read')
  return pageOf(request, { list: 'identities' }, (place) => pageOfIdentities(kms.db.query, place), {
    name: ({ name }) => name,
    items: (rows) => rows.map(identityFrom),
  })
}

export async function getIdentity(kms: Kms, caller: Caller, id: string): Promise<Identity> {
  await assertPermission(kms, caller, everywhere, 'identities:read')
  return identityFrom(await identityRow(kms.db.query, id))
}

/** @throws KmsError PRECONDITION_REQUIRED without ifMatch */
export async function renameIdentity(
  kms: Kms,
  caller: Caller,
  id: string,
  input: { readonly name: string },
  change: Change,
): Promise<Identity> {
  await assertPermission(kms, caller, everywhere, 'identities:update')
  assertMatchGiven(change)
  const { name } = input
  assertName(name, 'the name of an identity')
  const renamed = await kms.db.write(async (query) => {
    const row = await enabledIdentityRow(query, id)
    assertMatch(row, change)
    if (name !== row.name && (await isIdentityNameTaken(query, name))) throw nameTaken(name)
    return changeRow(query, row, { name, updated: kms.now() })
  })
  forgetIdentity(kms, id)
  return renamed
}

/** For good: its tokens are refused from now on, its roles and grants are gone. */
export async function disableIdentity(
  kms: Kms,
  caller: Caller,
  id: string,
  change: Change = {},
): Promise<Identity> {
  await assertPermission(kms, caller, everywhere, 'identities:disable')
  const disabled = await kms.db.write(async (query) => {
    const row = await identityRow(query, id)
    assertMatch(row, change)
    if (row.state === 'disabled') return identityFrom(row)
    const roles = await findRoles(query, { namespace: everywhere, identityId: id })
    if (isAdministrator(roles)) await assertOtherAdministrator(query, id)
    const now = kms.now()
    await revokeTokensOf(query, { identityId: id, now })
    await deleteRolesOf(query, id)
    await deleteGrantsOf(query, id)
    return changeRow(query, row, { state: 'disabled', updated: now })
  })
  forgetIdentity(kms, id)
  return disabled
}

/** @throws KmsError IDENTITY_NOT_FOUND */
export async function identityRow(query: Query, id: string): Promise<IdentitiesTable> {
  const row = await findIdentity(query, id)
  if (row === undefined) throw new KmsError('IDENTITY_NOT_FOUND', `there is no identity ${id}`)
  return row
}

/** @throws KmsError IDENTITY_NOT_FOUND, IDENTITY_DISABLED */
export async function enabledIdentityRow(query: Query, id: string): Promise<IdentitiesTable> {
  const row = await identityRow(query, id)
  if (row.state !== 'enabled') {
    throw new KmsError('IDENTITY_DISABLED', `identity ${id} is disabled for good`)
  }
  return row
}

export function identityFrom(row: IdentitiesTable): Identity {
  const kind = identityKinds.find((known) => known === row.kind)
  assert(kind !== undefined)
  return {
    id: row.identityId,
    kind,
    name: row.name,
    state: row.state === 'enabled' ? 'enabled' : 'disabled',
    created: row.created,
    updated: row.updated,
    etag: etagOf(row),
  }
}

async function changeRow(
  query: Query,
  row: IdentitiesTable,
  change: Parameters<typeof updateIdentity>[2],
): Promise<Identity> {
  assert(await updateIdentity(query, row, change))
  return identityFrom({ ...row, ...change, revision: row.revision + 1 })
}

function nameTaken(name: string): KmsError {
  return new KmsError('NAME_TAKEN', `there is an identity ${name}`)
}
