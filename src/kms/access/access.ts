/**
 * The decisions: may this identity do this here? Roles and grants come from caches with an absolute
 * age; every call of the manager asks one question of this file before it does anything. What is
 * refused sounds the same whether the thing asked for exists or not.
 */

import assert from 'node:assert/strict'
import type { KeyId } from '../../hsm/contract/keys.ts'
import { findGrantOf } from '../../storage/grants.ts'
import { rolesOf } from '../../storage/roles.ts'
import { KmsError } from '../errors.ts'
import type { Caller, Kms } from '../kms.ts'
import { isOperation, type Operation } from './operations.ts'
import { isRole, type Permission, permissionsByRole } from './permissions.ts'

/** Roles in this namespace hold in every namespace. */
export const everywhere = '*'

/** The manager's own keys live here. Nobody changes or uses them through a call. */
export const systemNamespace = 'system'

const readingPermissions: readonly Permission[] = ['keys:read', 'grants:read', 'roles:read']

/** What the roles of an identity permit, by namespace. */
export type Access = ReadonlyMap<string, ReadonlySet<Permission>>

/** @throws KmsError ACCESS_DENIED */
export async function assertPermission(
  kms: Kms,
  caller: Caller,
  namespace: string,
  permission: Permission,
): Promise<void> {
  if (!(await isPermitted(kms, caller, namespace, permission))) {
    throw accessDenied(`${permission} in namespace ${namespace}`)
  }
}

export async function isPermitted(
  kms: Kms,
  caller: Caller,
  namespace: string,
  permission: Permission,
): Promise<boolean> {
  if (namespace === systemNamespace && !readingPermissions.includes(permission)) return false
  const access = await accessOf(kms, caller)
  return (
    (access.get(namespace)?.has(permission) ?? false) ||
    (access.get(everywhere)?.has(permission) ?? false)
  )
}

/** For what belongs to no namespace: held in any of them. @throws KmsError ACCESS_DENIED */
export async function assertPermissionSomewhere(
  kms: Kms,
  caller: Caller,
  permission: Permission,
): Promise<void> {
  if (!(await isPermittedSomewhere(kms, caller, permission))) throw accessDenied(permission)
}

export async function isPermittedSomewhere(
  kms: Kms,
  caller: Caller,
  permission: Permission,
): Promise<boolean> {
  const access = await accessOf(kms, caller)
  return access.values().some((permitted) => permitted.has(permission))
}

async function accessOf(kms: Kms, { identity: { id } }: Caller): Promise<Access> {
  return kms.caches.access.get(id) ?? kms.caches.access.load(id, () => loadAccess(kms, id))
}

async function loadAccess(kms: Kms, identityId: string): Promise<Access> {
  const access = new Map<string, ReadonlySet<Permission>>()
  for (const row of await rolesOf(kms.db.query, identityId)) {
    const held: unknown = JSON.parse(row.roles)
    assert(Array.isArray(held))
    access.set(row.namespace, new Set(held.filter(isRole).flatMap((r) => permissionsByRole[r])))
  }
  return access
}

/** The operations for which the identity has a grant; synchronous when the cache knows. */
export function grantedOperations(
  kms: Kms,
  identityId: string,
  keyId: KeyId,
): ReadonlySet<Operation> | Promise<ReadonlySet<Operation>> {
  const name = `${identityId}/${keyId}`
  return (
    kms.caches.grants.get(name) ??
    kms.caches.grants.load(name, async () => {
      const row = await findGrantOf(kms.db.query, { keyId, identityId })
      return new Set(row === undefined ? [] : parseOperations(row.operations))
    })
  )
}

export function parseOperations(text: string): Operation[] {
  const list: unknown = JSON.parse(text)
  assert(Array.isArray(list))
  return list.filter(isOperation)
}

/** An identity that was changed: what the caches said of it holds no longer. */
export function forgetIdentity(kms: Kms, identityId: string): void {
  kms.caches.tokens.forgetAll()
  kms.caches.access.forget(identityId)
  kms.caches.grants.forgetAll()
}

export function accessDenied(what: string): KmsError {
  return new KmsError('ACCESS_DENIED', `not permitted: ${what}`)
}
