/** Routes for certificate requests (PKCS #10, RFC 2986) of keys that sign. */

import { z } from 'zod'
import {
  certificateRequestStatement,
  requestCertificate,
} from '../../../kms/certificate-requests.ts'
import { approvals, statementRequest, statements } from '../approvals.ts'
import { type Route, route } from '../route.ts'
import { algorithmName, keyId, keyPath, version } from '../schemas.ts'

const namesMax = 100
/** RFC 1035 section 2.3.4. */
const nameCharactersMax = 255
const name = z.string().min(1).max(nameCharactersMax)

const certificateRequestBody = z
  .strictObject({
    subject: z
      .string()
      .max(1_024)
      .optional()
      .describe('RFC 4514, the most specific name first: CN=pay.example,O=Bank,C=DE'),
    names: z.array(name).max(namesMax).optional().describe('DNS names'),
    addresses: z.array(name).max(namesMax).optional().describe('IP addresses'),
    algorithm: algorithmName.optional(),
    version: version.optional(),
    approvals: approvals.optional(),
  })
  .meta({ id: 'CertificateRequestRequest' })

const common = { method: 'POST', permission: { use: 'sign' }, parameters: keyPath } as const
const path = '/v1/namespaces/{namespace}/keys/{key}/certificate-request'

export const certificateRequestRoutes: readonly Route[] = [
  route({
    ...common,
    name: 'requestCertificate',
    path,
    summary: 'A certificate request for the key, signed with it: PKCS #10, PEM',
    body: certificateRequestBody,
    result: z
      .strictObject({ request: z.string(), key: keyId, version, algorithm: algorithmName })
      .meta({ id: 'CertificateRequestResult' }),
    handle: ({ kms, caller, path: target, body }) => requestCertificate(kms, caller, target, body),
  }),
  route({
    ...common,
    name: 'requestStatement',
    path: `${path}/statement`,
    summary: 'A certificate request for the key: what people sign so that it is permitted',
    body: z.strictObject({ request: certificateRequestBody, ...statementRequest }),
    result: statements,
    handle: async ({ kms, caller, path: target, body: { request: input, ...who } }) => ({
      statements: await certificateRequestStatement(kms, caller, target, { ...who, input }),
    }),
  }),
]
