/** Routes about who may do what: namespaces, roles in them, and grants for keys. */

import { z } from 'zod'
import { createGrant, listGrants, removeGrant } from '../../../kms/access/grants.ts'
import { createNamespace, getNamespace, listNamespaces } from '../../../kms/access/namespaces.ts'
import { operations } from '../../../kms/access/operations.ts'
import { roles } from '../../../kms/access/permissions.ts'
import { getRoles, listRoles, setRoles } from '../../../kms/access/roles.ts'
import { noContent, type Route, route } from '../route.ts'
import {
  grant,
  grantId,
  identityId,
  keyName,
  name,
  namespace,
  namespaceOrAll,
  namespacePath,
  operation,
  pageOf,
  pageQuery,
  role,
  roleAssignment,
} from '../schemas.ts'

const rolePath = z.strictObject({ namespace: namespaceOrAll, identity: identityId })

const namespaceRoutes: readonly Route[] = [
  route({
    name: 'createNamespace',
    method: 'POST',
    path: '/v1/namespaces',
    summary: 'Make a namespace',
    permission: ['namespaces:create'],
    body: z.strictObject({ name }),
    result: namespace,
    status: 201,
    idempotent: true,
    handle: ({ kms, caller, body, creation }) => createNamespace(kms, caller, body, creation),
  }),
  route({
    name: 'listNamespaces',
    method: 'GET',
    path: '/v1/namespaces',
    summary: 'All namespaces by name',
    permission: ['namespaces:read'],
    query: z.strictObject(pageQuery),
    result: pageOf(namespace),
    handle: ({ kms, caller, query }) => listNamespaces(kms, caller, query),
  }),
  route({
    name: 'getNamespace',
    method: 'GET',
    path: '/v1/namespaces/{namespace}',
    summary: 'One namespace',
    permission: ['namespaces:read'],
    parameters: namespacePath,
    result: namespace,
    handle: ({ kms, caller, path }) => getNamespace(kms, caller, path.namespace),
  }),
]

const roleRoutes: readonly Route[] = [
  route({
    name: 'listRoles',
    method: 'GET',
    path: '/v1/namespaces/{namespace}/roles',
    summary: 'Who holds which roles in a namespace; "*" is all of them',
    permission: ['roles:read'],
    parameters: z.strictObject({ namespace: namespaceOrAll }),
    query: z.strictObject(pageQuery),
    result: pageOf(roleAssignment),
    handle: ({ kms, caller, path, query }) => listRoles(kms, caller, path.namespace, query),
  }),
  route({
    name: 'getRoles',
    method: 'GET',
    path: '/v1/namespaces/{namespace}/roles/{identity}',
    summary: 'The roles of one identity in a namespace',
    permission: ['roles:read'],
    parameters: rolePath,
    result: roleAssignment,
    etag: true,
    handle: ({ kms, caller, path }) => getRoles(kms, caller, path.namespace, path.identity),
  }),
  route({
    name: 'setRoles',
    method: 'PUT',
    path: '/v1/namespaces/{namespace}/roles/{identity}',
    summary: 'Set the roles of one identity in a namespace; an empty list takes them away',
    permission: ['roles:set'],
    parameters: rolePath,
    body: z.strictObject({ roles: z.array(role).max(roles.length) }),
    result: roleAssignment,
    etag: true,
    handle: ({ kms, caller, path, body, change }) =>
      setRoles(kms, caller, path.namespace, path.identity, body.roles, change),
  }),
]

const grantRoutes: readonly Route[] = [
  route({
    name: 'createGrant',
    method: 'POST',
    path: '/v1/namespaces/{namespace}/grants',
    summary: 'Let one identity use one key for these operations; adds to what it has',
    permission: ['grants:create'],
    parameters: namespacePath,
    body: z.strictObject({
      key: keyName,
      identity: identityId,
      operations: z.array(operation).min(1).max(operations.length),
    }),
    result: grant,
    status: 201,
    idempotent: true,
    handle: ({ kms, caller, path, body, creation }) =>
      createGrant(kms, caller, path.namespace, body, creation),
  }),
  route({
    name: 'listGrants',
    method: 'GET',
    path: '/v1/namespaces/{namespace}/grants',
    summary: 'The grants of a namespace, of one key, of one identity',
    permission: ['grants:read'],
    parameters: namespacePath,
    query: z.strictObject({
      ...pageQuery,
      key: keyName.optional(),
      identity: identityId.optional(),
    }),
    result: pageOf(grant),
    handle: ({ kms, caller, path, query }) => listGrants(kms, caller, path.namespace, query),
  }),
  route({
    name: 'removeGrant',
    method: 'DELETE',
    path: '/v1/namespaces/{namespace}/grants/{grant}',
    summary: 'Take a grant away',
    permission: ['grants:remove'],
    parameters: z.strictObject({ namespace: name, grant: grantId }),
    result: noContent,
    status: 204,
    handle: ({ kms, caller, path }) => removeGrant(kms, caller, path.namespace, path.grant),
  }),
]

export const accessRoutes: readonly Route[] = [...namespaceRoutes, ...roleRoutes, ...grantRoutes]
