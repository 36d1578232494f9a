/**
 * What each role may do. Deny by default: what is not listed is refused, and no permission implies
 * another. Use of a key is in no role; it takes a grant for that key and that operation. A role is
 * held in one namespace, or in "*" for all of them; what concerns the whole installation is asserted
 * in "*".
 */

export const permissions = [
  'namespaces:read',
  'namespaces:create',
  'identities:read',
  'identities:create',
  'identities:update',
  'identities:disable',
  'tokens:read',
  'tokens:create',
  'tokens:revoke',
  'roles:read',
  'roles:set',
  'grants:read',
  'grants:create',
  'grants:remove',
  'keys:read',
  'keys:read-granted',
  'keys:create',
  'keys:import',
  'keys:update',
  'keys:rotate',
  'keys:enable',
  'keys:disable',
  'keys:schedule-destruction',
  'keys:cancel-destruction',
  'keys:destroy',
  'keys:attest',
  'aliases:set',
  'aliases:remove',
  'random:generate',
  'transport-key:read',
  'domain:rotate-kek',
  'domain:shred',
  'record:read',
  'attestation:read',
  'domain:read',
  'domain:change',
  'domain:login',
  'domain:zeroise',
  'approvals:request',
  'status:read',
] as const

export type Permission = (typeof permissions)[number]

export const roles = [
  'administrator',
  'security-officer',
  'operator',
  'auditor',
  'application',
] as const

export type Role = (typeof roles)[number]

export const permissionsByRole = {
  administrator: [
    'namespaces:read',
    'namespaces:create',
    'identities:read',
    'identities:create',
    'identities:update',
    'identities:disable',
    'tokens:read',
    'tokens:create',
    'tokens:revoke',
    'roles:read',
    'roles:set',
    'grants:read',
    'grants:create',
    'grants:remove',
    'attestation:read',
    'domain:read',
    'status:read',
  ],
  'security-officer': [
    'namespaces:read',
    'keys:read',
    'keys:import',
    'keys:enable',
    'keys:disable',
    'keys:schedule-destruction',
    'keys:cancel-destruction',
    'keys:destroy',
    'keys:attest',
    'transport-key:read',
    'attestation:read',
    'domain:read',
    'domain:rotate-kek',
    'domain:shred',
    'domain:change',
    'domain:login',
    'domain:zeroise',
    'approvals:request',
    'status:read',
  ],
  operator: [
    'namespaces:read',
    'keys:read',
    'keys:create',
    'keys:update',
    'keys:rotate',
    'keys:enable',
    'keys:disable',
    'aliases:set',
    'aliases:remove',
    'random:generate',
    'domain:read',
    'status:read',
  ],
  auditor: [
    'namespaces:read',
    'identities:read',
    'tokens:read',
    'roles:read',
    'grants:read',
    'keys:read',
    'keys:attest',
    'record:read',
    'attestation:read',
    'domain:read',
    'status:read',
  ],
  application: ['keys:read-granted', 'random:generate'],
} as const satisfies Record<Role, readonly Permission[]>

export function isRole(name: unknown): name is Role {
  return roles.some((role) => role === name)
}
