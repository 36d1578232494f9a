/** Routes about keys as records: their making, what is known of them, their states, their end. */

import { z } from 'zod'
import { certificateBytesMax } from '../../../hsm/contract/certificate.ts'
import { disableKey, enableKey, rotateKey } from '../../../kms/keys/changes.ts'
import { createKey, importKey } from '../../../kms/keys/create.ts'
import {
  cancelDestruction,
  destroyKey,
  destructionStatements,
  scheduleDestruction,
} from '../../../kms/keys/destruction.ts'
import {
  getDestructionCertificate,
  getKey,
  getPublicKey,
  listKeys,
  listVersions,
  updateKey,
} from '../../../kms/keys/record.ts'
import { destructionDaysMax } from '../../../kms/limits.ts'
import { approvals, statementRequest, statements } from '../approvals.ts'
import { creationTimeoutMs, sealedKeyBytesMax } from '../limits.ts'
import { publicKeyAnswer, publicKeyAnswerSchema, publicKeyFormats } from '../public-key.ts'
import { type Route, route } from '../route.ts'
import {
  bytes,
  importedKey,
  key,
  keyPath,
  keyState,
  keyTypeName,
  keyVersion,
  labels,
  name,
  namespacePath,
  newKey,
  pageOf,
  pageQuery,
  queryInteger,
  text,
} from '../schemas.ts'

const makingRoutes: readonly Route[] = [
  route({
    name: 'createKey',
    method: 'POST',
    path: '/v1/namespaces/{namespace}/keys',
    summary: 'Generate a key in the module',
    permission: ['keys:create'],
    timeoutMs: creationTimeoutMs,
    parameters: namespacePath,
    body: newKey,
    result: key,
    status: 201,
    idempotent: true,
    etag: true,
    handle: ({ kms, caller, path, body, creation }) =>
      createKey(kms, caller, path.namespace, body, creation),
  }),
  route({
    name: 'importKey',
    method: 'POST',
    path: '/v1/namespaces/{namespace}/keys/import',
    summary: 'Take in a key that was sealed to the transport key',
    permission: ['keys:import'],
    parameters: namespacePath,
    body: importedKey(bytes(sealedKeyBytesMax)),
    result: key,
    status: 201,
    idempotent: true,
    etag: true,
    handle: ({ kms, caller, path, body, creation }) =>
      importKey(kms, caller, path.namespace, body, creation),
  }),
]

const readingRoutes: readonly Route[] = [
  route({
    name: 'listKeys',
    method: 'GET',
    path: '/v1/namespaces/{namespace}/keys',
    summary: 'The keys of a namespace by name',
    permission: ['keys:read'],
    parameters: namespacePath,
    query: z.strictObject({
      ...pageQuery,
      state: keyState.optional(),
      type: keyTypeName.optional(),
      prefix: name.optional(),
    }),
    result: pageOf(key),
    handle: ({ kms, caller, path, query }) => listKeys(kms, caller, path.namespace, query),
  }),
  route({
    name: 'getKey',
    method: 'GET',
    path: '/v1/namespaces/{namespace}/keys/{key}',
    summary: 'One key by its id, name or alias',
    permission: ['keys:read', 'keys:read-granted'],
    parameters: keyPath,
    result: key,
    etag: true,
    handle: ({ kms, caller, path }) => getKey(kms, caller, path.namespace, path.key),
  }),
  route({
    name: 'listVersions',
    method: 'GET',
    path: '/v1/namespaces/{namespace}/keys/{key}/versions',
    summary: 'The versions of a key, with check values and public keys (SPKI)',
    permission: ['keys:read', 'keys:read-granted'],
    parameters: keyPath,
    result: z.strictObject({ items: z.array(keyVersion) }),
    handle: async ({ kms, caller, path }) => ({
      items: await listVersions(kms, caller, path.namespace, path.key),
    }),
  }),
  route({
    name: 'getDestruction',
    method: 'GET',
    path: '/v1/namespaces/{namespace}/keys/{key}/destruction-certificate',
    summary: 'What the module certifies of the destruction of a version: JSON with both signatures',
    permission: ['keys:read', 'keys:read-granted'],
    parameters: keyPath,
    query: z.strictObject({ version: queryInteger(1, 0xffff_ffff).optional() }),
    result: z.strictObject({ certificate: bytes(certificateBytesMax) }),
    handle: async ({ kms, caller, path, query: { version } }) => ({
      certificate: await getDestructionCertificate(kms, caller, { ...path, version }),
    }),
  }),
  route({
    name: 'getPublicKey',
    method: 'GET',
    path: '/v1/namespaces/{namespace}/keys/{key}/public-key',
    summary: 'The public key as SPKI (DER), PEM or JWK',
    permission: ['keys:read', 'keys:read-granted'],
    parameters: keyPath,
    query: z.strictObject({
      version: queryInteger(1, 0xffff_ffff).optional(),
      format: z.enum(publicKeyFormats).optional(),
    }),
    result: publicKeyAnswerSchema,
    handle: async ({ kms, caller, path, query: { version, format = 'spki' } }) =>
      publicKeyAnswer(await getPublicKey(kms, caller, path.namespace, path.key, version), format),
  }),
]

const changingRoutes: readonly Route[] = [
  route({
    name: 'updateKey',
    method: 'PATCH',
    path: '/v1/namespaces/{namespace}/keys/{key}',
    summary: 'Change owner, purpose or labels; If-Match is required',
    permission: ['keys:update'],
    parameters: keyPath,
    body: z.strictObject({
      owner: text.optional(),
      purpose: text.optional(),
      labels: labels.optional(),
    }),
    result: key,
    etag: true,
    handle: ({ kms, caller, path, body, change }) =>
      updateKey(kms, caller, path.namespace, path.key, body, change),
  }),
  route({
    name: 'rotateKey',
    method: 'POST',
    path: '/v1/namespaces/{namespace}/keys/{key}/rotate',
    summary: 'Generate a new version, which is used from now on',
    permission: ['keys:rotate'],
    timeoutMs: creationTimeoutMs,
    parameters: keyPath,
    result: key,
    idempotent: true,
    etag: true,
    handle: ({ kms, caller, path, change, creation }) =>
      rotateKey(kms, caller, path.namespace, path.key, { ...change, ...creation }),
  }),
  route({
    name: 'enableKey',
    method: 'POST',
    path: '/v1/namespaces/{namespace}/keys/{key}/enable',
    summary: 'Let a disabled key be used again',
    permission: ['keys:enable'],
    parameters: keyPath,
    result: key,
    etag: true,
    handle: ({ kms, caller, path, change }) =>
      enableKey(kms, caller, path.namespace, path.key, change),
  }),
  route({
    name: 'disableKey',
    method: 'POST',
    path: '/v1/namespaces/{namespace}/keys/{key}/disable',
    summary: 'Let a key be used for nothing but verifying until it is enabled',
    permission: ['keys:disable'],
    parameters: keyPath,
    result: key,
    etag: true,
    handle: ({ kms, caller, path, change }) =>
      disableKey(kms, caller, path.namespace, path.key, change),
  }),
]

const endingRoutes: readonly Route[] = [
  route({
    name: 'scheduleDestruction',
    method: 'POST',
    path: '/v1/namespaces/{namespace}/keys/{key}/schedule-destruction',
    summary: 'Disable a key now and destroy it after a waiting period',
    permission: ['keys:schedule-destruction'],
    parameters: keyPath,
    body: z.strictObject({ days: z.int().min(0).max(destructionDaysMax).optional() }),
    result: key,
    etag: true,
    handle: ({ kms, caller, path, body, change }) =>
      scheduleDestruction(kms, caller, path.namespace, path.key, body, change),
  }),
  route({
    name: 'cancelDestruction',
    method: 'POST',
    path: '/v1/namespaces/{namespace}/keys/{key}/cancel-destruction',
    summary: 'Take a scheduled destruction back; the key stays disabled',
    permission: ['keys:cancel-destruction'],
    parameters: keyPath,
    result: key,
    etag: true,
    handle: ({ kms, caller, path, change }) =>
      cancelDestruction(kms, caller, path.namespace, path.key, change),
  }),
  route({
    name: 'destroyKey',
    method: 'POST',
    path: '/v1/namespaces/{namespace}/keys/{key}/destroy',
    summary: 'Destroy a key at once and for good; confirm is its exact name',
    permission: ['keys:destroy'],
    timeoutMs: creationTimeoutMs,
    parameters: keyPath,
    body: z.strictObject({
      confirm: z.string().max(128),
      approvals: z.array(approvals).max(64).optional(),
    }),
    result: key,
    etag: true,
    handle: ({ kms, caller, path, body, change }) =>
      destroyKey(kms, caller, path.namespace, path.key, body, change),
  }),
  route({
    name: 'destroyStatement',
    method: 'POST',
    path: '/v1/namespaces/{namespace}/keys/{key}/destroy/statement',
    summary: 'What people sign so that the key is destroyed: a text for each version',
    permission: ['keys:destroy'],
    parameters: keyPath,
    body: z.strictObject(statementRequest),
    result: statements,
    handle: async ({ kms, caller, path, body }) => ({
      statements: await destructionStatements(kms, caller, { ...path, ...body }),
    }),
  }),
]

export const keyRoutes: readonly Route[] = [
  ...makingRoutes,
  ...readingRoutes,
  ...changingRoutes,
  ...endingRoutes,
]
