/**
 * Routes to what the module states and signs: about itself, a key, its domain. The body of each answer
 * is the file, byte for byte: it can be kept as it comes and be checked offline.
 */

import { z } from 'zod'
import { nonceBytesMax, nonceBytesMin } from '../../../hsm/contract/attestation.ts'
import { canonicalJson } from '../../../hsm/contract/canonical-json.ts'
import { attestKey, attestModule, domainStatement } from '../../../kms/attestation.ts'
import { type Route, route } from '../route.ts'
import { keyPath, queryInteger } from '../schemas.ts'

const nonce = z.string().regex(new RegExp(`^(?:[0-9a-f]{2}){${nonceBytesMin},${nonceBytesMax}}$`))

const signedStatement = z
  .strictObject({
    signatures: z.strictObject({ ed25519: z.string(), mlDsa65: z.string() }),
    statement: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'SignedStatement' })

type SignedStatement = z.output<typeof signedStatement>

function decoded(file: Uint8Array): SignedStatement {
  return JSON.parse(Buffer.from(file).toString('utf8')) as SignedStatement
}

/** The one encoding that there is of it, as the module made it. */
const encode = (result: unknown) => `${canonicalJson(result)}\n`

export const attestationRoutes: readonly Route[] = [
  route({
    name: 'attestModule',
    method: 'GET',
    path: '/v1/attestation',
    summary: 'What the module says of itself and signs, over a nonce of 16 to 64 bytes in hex',
    permission: ['attestation:read'],
    query: z.strictObject({ nonce }),
    result: signedStatement,
    encode,
    handle: async ({ kms, caller, query }) => decoded(await attestModule(kms, caller, query.nonce)),
  }),
  route({
    name: 'attestKey',
    method: 'GET',
    path: '/v1/namespaces/{namespace}/keys/{key}/attestation',
    summary: 'What the module says of a key and signs: attributes, provenance, check value',
    permission: ['keys:attest'],
    parameters: keyPath,
    query: z.strictObject({ nonce, version: queryInteger(1, 0xffff_ffff).optional() }),
    result: signedStatement,
    encode,
    handle: async ({ kms, caller, path, query }) =>
      decoded(await attestKey(kms, caller, { ...path, ...query })),
  }),
  route({
    name: 'getDomainStatement',
    method: 'GET',
    path: '/v1/domain',
    summary: 'Members and people of the security domain, signed by a member: what verifiers pin',
    permission: ['domain:read'],
    result: signedStatement,
    encode,
    handle: async ({ kms, caller }) => decoded(await domainStatement(kms, caller)),
  }),
]
