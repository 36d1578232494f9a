/** Routes about who there is: identities and their API tokens. */

import { z } from 'zod'
import {
  createIdentity,
  disableIdentity,
  getIdentity,
  identityKinds,
  listIdentities,
  renameIdentity,
} from '../../../kms/access/identities.ts'
import { createToken, listTokens, revokeToken } from '../../../kms/access/tokens.ts'
import { tokenDaysMax } from '../../../kms/limits.ts'
import { noContent, type Route, route } from '../route.ts'
import {
  identity,
  identityId,
  identityPath,
  name,
  newToken,
  pageOf,
  pageQuery,
  token,
  tokenId,
} from '../schemas.ts'

export const identityRoutes: readonly Route[] = [
  route({
    name: 'createIdentity',
    method: 'POST',
    path: '/v1/identities',
    summary: 'Make a person or an application known',
    permission: ['identities:create'],
    body: z.strictObject({ name, kind: z.enum(identityKinds) }),
    result: identity,
    status: 201,
    idempotent: true,
    handle: ({ kms, caller, body, creation }) => createIdentity(kms, caller, body, creation),
  }),
  route({
    name: 'listIdentities',
    method: 'GET',
    path: '/v1/identities',
    summary: 'All identities by name, disabled ones included',
    permission: ['identities:read'],
    query: z.strictObject(pageQuery),
    result: pageOf(identity),
    handle: ({ kms, caller, query }) => listIdentities(kms, caller, query),
  }),
  route({
    name: 'getIdentity',
    method: 'GET',
    path: '/v1/identities/{identity}',
    summary: 'One identity',
    permission: ['identities:read'],
    parameters: identityPath,
    result: identity,
    etag: true,
    handle: ({ kms, caller, path }) => getIdentity(kms, caller, path.identity),
  }),
  route({
    name: 'renameIdentity',
    method: 'PATCH',
    path: '/v1/identities/{identity}',
    summary: 'Give an identity another name; If-Match is required',
    permission: ['identities:update'],
    parameters: identityPath,
    body: z.strictObject({ name }),
    result: identity,
    etag: true,
    handle: ({ kms, caller, path, body, change }) =>
      renameIdentity(kms, caller, path.identity, body, change),
  }),
  route({
    name: 'disableIdentity',
    method: 'DELETE',
    path: '/v1/identities/{identity}',
    summary: 'Disable an identity for good: its tokens are refused, its roles and grants are gone',
    permission: ['identities:disable'],
    parameters: identityPath,
    result: identity,
    etag: true,
    handle: ({ kms, caller, path, change }) => disableIdentity(kms, caller, path.identity, change),
  }),
  route({
    name: 'createToken',
    method: 'POST',
    path: '/v1/identities/{identity}/tokens',
    summary: 'Make an API token; it is shown in this answer and never again',
    permission: ['tokens:create'],
    parameters: identityPath,
    body: z.strictObject({ name, days: z.int().min(1).max(tokenDaysMax).optional() }),
    result: newToken,
    status: 201,
    idempotent: true,
    handle: ({ kms, caller, path, body, creation }) =>
      createToken(kms, caller, path.identity, body, creation),
  }),
  route({
    name: 'listTokens',
    method: 'GET',
    path: '/v1/identities/{identity}/tokens',
    summary: 'What is known of the tokens of an identity, the oldest first',
    permission: ['tokens:read'],
    parameters: identityPath,
    result: z.strictObject({ items: z.array(token) }),
    handle: async ({ kms, caller, path }) => ({
      items: await listTokens(kms, caller, path.identity),
    }),
  }),
  route({
    name: 'revokeToken',
    method: 'DELETE',
    path: '/v1/identities/{identity}/tokens/{token}',
    summary: 'Revoke a token for good',
    permission: ['tokens:revoke'],
    parameters: z.strictObject({ identity: identityId, token: tokenId }),
    result: noContent,
    status: 204,
    handle: ({ kms, caller, path }) => revokeToken(kms, caller, path.identity, path.token),
  }),
]
