/** Routes about aliases: further names of a key, which can be pointed at another. */

import { z } from 'zod'
import { listAliases, removeAlias, setAlias } from '../../../kms/keys/aliases.ts'
import { noContent, type Route, route } from '../route.ts'
import { alias, keyName, name, namespacePath, pageOf, pageQuery } from '../schemas.ts'

const aliasPath = z.strictObject({ namespace: name, alias: name })

export const aliasRoutes: readonly Route[] = [
  route({
    name: 'setAlias',
    method: 'PUT',
    path: '/v1/namespaces/{namespace}/aliases/{alias}',
    summary: 'Make an alias, or point it at another key',
    permission: ['aliases:set'],
    parameters: aliasPath,
    body: z.strictObject({ key: keyName }),
    result: alias,
    etag: true,
    handle: ({ kms, caller, path, body, change }) =>
      setAlias(kms, caller, path.namespace, path.alias, body, change),
  }),
  route({
    name: 'removeAlias',
    method: 'DELETE',
    path: '/v1/namespaces/{namespace}/aliases/{alias}',
    summary: 'Remove an alias; the key stays',
    permission: ['aliases:remove'],
    parameters: aliasPath,
    result: noContent,
    status: 204,
    etag: true,
    handle: ({ kms, caller, path, change }) =>
      removeAlias(kms, caller, path.namespace, path.alias, change),
  }),
  route({
    name: 'listAliases',
    method: 'GET',
    path: '/v1/namespaces/{namespace}/aliases',
    summary: 'The aliases of a namespace by name',
    permission: ['keys:read'],
    parameters: namespacePath,
    query: z.strictObject(pageQuery),
    result: pageOf(alias),
    handle: ({ kms, caller, path, query }) => listAliases(kms, caller, path.namespace, query),
  }),
]
