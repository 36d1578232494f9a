/** Routes about the installation itself: health, the document, status, the module's record. */

import { z } from 'zod'
import { moduleStates } from '../../../hsm/contract/commands.ts'
import { sourceFailures } from '../../../hsm/contract/entropy.ts'
import { noteBytesMax } from '../../../hsm/contract/signed-note.ts'
import { assertPermission, everywhere } from '../../../kms/access/access.ts'
import { whoAmI } from '../../../kms/access/roles.ts'
import { claimOf } from '../../../kms/commands.ts'
import {
  entropyStatus,
  moduleStatus,
  sealedCommands,
  selfTest,
  transportKey,
} from '../../../kms/module.ts'
import { challenge } from '../approvals.ts'
import { RestError } from '../errors.ts'
import { asText, type Route, route } from '../route.ts'
import { bytes, identity, queryInteger, roleAssignment, time } from '../schemas.ts'

const recordPageMax = 1_000
/** Of a leaf, or the transport key. */
const recordEntryBytesMax = 4 * 1024
const head = z.string().max(noteBytesMax)

const recordPage = z.strictObject({
  from: queryInteger(0, Number.MAX_SAFE_INTEGER).optional(),
  limit: queryInteger(1, recordPageMax).optional(),
})
const next = z.int().min(0).optional()

const moduleStatusAnswer = z
  .strictObject({
    state: z.enum(moduleStates),
    reason: z.string(),
    moduleId: z.string(),
    domainId: z.string(),
    identityKey: z.string(),
    development: z.boolean(),
    level: z.int(),
    epoch: z.int(),
    kek: z.int(),
    rewrapping: z.boolean(),
    loadedKeys: z.int(),
    floorEntries: z.int(),
    recordSize: z.int(),
    wall: z.string(),
    selfTests: z.strictObject({
      passed: z.int(),
      failed: z.int(),
      pending: z.int(),
      lastRun: z.int(),
    }),
    residentBytes: z.int(),
    cpuMicros: z.int(),
    freshness: z.enum(['none', 'unconfirmed', 'tpm counter', 'witness']),
    version: z.string(),
    node: z.string(),
  })
  .meta({ id: 'ModuleStatus' })

const witnessAnswer = z
  .strictObject({
    name: z.string(),
    url: z.string(),
    size: z.int(),
    time: z.int(),
    error: z.strictObject({ code: z.string(), message: z.string() }).optional(),
  })
  .meta({ id: 'WitnessStatus' })

const count = z.int().min(0)

const entropyAnswer = z
  .strictObject({
    generator: z.strictObject({
      mechanism: z.literal('HMAC_DRBG-SHA-512'),
      requests: count,
      seedings: count,
      seedAgeMs: count,
      hostBytes: count,
    }),
    sources: z.array(
      z.strictObject({
        name: z.string(),
        physical: z.boolean(),
        state: z.enum(['untested', 'healthy', 'failed']),
        entropyBits: z.number(),
        repetitionCutoff: count,
        proportionCutoff: count,
        samples: count,
        blocks: count,
        failures: count,
        lastFailure: z.enum(['', ...sourceFailures]),
        longestRun: count,
        highestProportion: count,
        highestLag: count,
      }),
    ),
  })
  .meta({ id: 'EntropyStatus' })

export const systemRoutes: readonly Route[] = [
  route({
    name: 'getHealth',
    method: 'GET',
    path: '/v1/health',
    summary: 'Whether the process lives',
    permission: 'none',
    result: z.strictObject({ status: z.literal('ok') }),
    handle: async () => ({ status: 'ok' as const }),
  }),
  route({
    name: 'getReadiness',
    method: 'GET',
    path: '/v1/ready',
    summary: 'Whether module, database and disk can do their work; NOT_READY names what cannot',
    permission: 'none',
    result: z.strictObject({ status: z.literal('ready') }),
    handle: async ({ rest }) => {
      const parts = Object.entries(await rest.readiness())
      const missing = parts.filter(([, ready]) => !ready).map(([part]) => part)
      if (missing.length > 0) throw new RestError('NOT_READY', `not ready: ${missing.join(', ')}`)
      return { status: 'ready' as const }
    },
  }),
  route({
    name: 'getOpenApi',
    method: 'GET',
    path: '/v1/openapi.json',
    summary: 'This document: the API as OpenAPI 3.1',
    permission: 'none',
    result: z.record(z.string(), z.unknown()),
    handle: async ({ rest }) => rest.openApi,
  }),
  route({
    name: 'whoAmI',
    method: 'GET',
    path: '/v1/whoami',
    summary: 'The identity of the token, and its roles',
    permission: 'token',
    result: z.strictObject({ identity, roles: z.array(roleAssignment) }),
    handle: ({ kms, caller }) => whoAmI(kms, caller),
  }),
  route({
    name: 'getStatus',
    method: 'GET',
    path: '/v1/status',
    summary: 'The module, its record, and the versions',
    permission: ['status:read'],
    result: z.strictObject({
      version: z.string(),
      development: z.boolean(),
      time,
      module: moduleStatusAnswer,
      witnesses: z.array(witnessAnswer),
    }),
    handle: async ({ kms, rest, caller }) => ({
      version: rest.version,
      development: rest.development,
      time: kms.now(),
      module: await moduleStatus(kms, caller),
      witnesses: [...rest.witnesses()],
    }),
  }),
  route({
    name: 'getEntropyStatus',
    method: 'GET',
    path: '/v1/entropy',
    summary: "The module's noise sources under their health tests, and its generator",
    permission: ['status:read'],
    result: entropyAnswer,
    handle: async ({ kms, caller }) => {
      const { generator, sources } = await entropyStatus(kms, caller)
      return { generator, sources: [...sources] }
    },
  }),
  route({
    name: 'selfTest',
    method: 'POST',
    path: '/v1/domain/self-test',
    summary:
      'Test the known answers again, of everything or of what is named; one not met ends all use',
    permission: ['domain:self-test'],
    timeoutMs: 120_000,
    body: z.strictObject({
      tests: z.array(z.string().min(1).max(128)).min(1).max(256).optional(),
    }),
    result: z.strictObject({
      tests: z.array(z.strictObject({ name: z.string(), result: z.literal('met') })),
      sources: z.array(
        z.strictObject({ name: z.string(), state: z.enum(['untested', 'healthy', 'failed']) }),
      ),
    }),
    handle: async ({ kms, caller, body }) => {
      const { tests, sources } = await selfTest(kms, caller, body.tests)
      return {
        tests: tests.map((name) => ({ name, result: 'met' as const })),
        sources: [...sources],
      }
    },
  }),
  route({
    name: 'getMetrics',
    method: 'GET',
    path: '/metrics',
    summary: 'Metrics for Prometheus: its text format, or OpenMetrics if Accept prefers that',
    permission: ['metrics:read'],
    result: asText,
    handle: async ({ kms, rest, caller, accept }) => {
      await assertPermission(kms, caller, everywhere, 'metrics:read')
      return rest.metrics.read(caller, accept, await rest.load())
    },
  }),
  route({
    name: 'getTransportKey',
    method: 'GET',
    path: '/v1/transport-key',
    summary: 'The public key to seal to, fresh at each start, and a challenge to seal for',
    permission: ['transport-key:read'],
    query: z.strictObject({
      command: z
        .enum(sealedCommands)
        .optional()
        .describe('Asks for a challenge, for one secret that goes with this command'),
    }),
    result: z.strictObject({
      publicKey: bytes(recordEntryBytesMax),
      challenge: challenge.optional(),
    }),
    handle: ({ kms, caller, query }) => transportKey(kms, caller, query.command),
  }),
  route({
    name: 'getRecordHead',
    method: 'GET',
    path: '/v1/record/head',
    summary: 'The head of the record as it is now, signed for this request (C2SP signed note)',
    permission: ['record:read'],
    result: z.strictObject({ note: head }),
    handle: async ({ kms, rest, caller }) => {
      await assertPermission(kms, caller, everywhere, 'record:read')
      return { note: await rest.record.head(claimOf(caller)) }
    },
  }),
  route({
    name: 'listRecordHeads',
    method: 'GET',
    path: '/v1/record/heads',
    summary: 'Signed heads, the oldest first; next is the number to go on from',
    permission: ['record:read'],
    query: recordPage,
    result: z.strictObject({ heads: z.array(head), next }),
    handle: async ({ kms, rest, caller, query: { from = 0, limit = recordPageMax } }) => {
      await assertPermission(kms, caller, everywhere, 'record:read')
      return rest.record.heads(from, limit)
    },
  }),
  route({
    name: 'listRecordLeaves',
    method: 'GET',
    path: '/v1/record/leaves',
    summary: 'Leaves of the record, the oldest first; next is the sequence to go on from',
    permission: ['record:read'],
    query: recordPage,
    result: z.strictObject({ leaves: z.array(bytes(recordEntryBytesMax)), next }),
    handle: async ({ kms, rest, caller, query: { from = 0, limit = recordPageMax } }) => {
      await assertPermission(kms, caller, everywhere, 'record:read')
      return rest.record.leaves(from, limit)
    },
  }),
]
