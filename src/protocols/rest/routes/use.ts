/**
 * Routes that use keys, alone and in batches: the hot path. A batch is one frame through the door, with
 * an outcome for each item in its order; what refuses all of it (no such key, no grant) is one refusal.
 * Answers are written by hand, because their members are few and flat.
 */

import { z } from 'zod'
import type { Operation } from '../../../kms/access/operations.ts'
import { randomBytes } from '../../../kms/module.ts'
import { type UseOutcome, useKey, useKeyOnce, useStatement } from '../../../kms/use.ts'
import { statementRequest, statements } from '../approvals.ts'
import { itemError, itemErrorOf } from '../errors.ts'
import { flatJson } from '../json.ts'
import {
  batchBodyBytesMax,
  batchItemsMax,
  batchTimeoutMs,
  creationTimeoutMs,
  randomLengthMax,
  timeoutMsDefault,
  useBodyBytesMax,
} from '../limits.ts'
import { type Route, route } from '../route.ts'
import { bytes, keyPath } from '../schemas.ts'
import { type UseRow, useRows } from './use-schemas.ts'

const random = z.strictObject({
  lengthBytes: z.int().min(1).max(randomLengthMax),
  predictionResistance: z
    .boolean()
    .optional()
    .describe('Fresh entropy goes into the generator first (SP 800-90A section 8.8)'),
})
const randomAnswer = z.strictObject({ bytes: bytes(randomLengthMax) })

export const useRoutes: readonly Route[] = [
  ...useRows.flatMap(routesOf),
  route({
    name: 'random',
    method: 'POST',
    path: '/v1/random',
    summary: 'Random bytes from the module',
    permission: ['random:generate'],
    body: random,
    result: randomAnswer,
    handle: async ({ kms, caller, body }) => {
      const [made = new Uint8Array()] = await randomBytes(kms, caller, [body])
      return { bytes: made }
    },
    encode: flatJson,
  }),
  route({
    name: 'randomBatch',
    method: 'POST',
    path: '/v1/random/batch',
    summary: 'Random bytes from the module, several at once',
    permission: ['random:generate'],
    body: z.strictObject({ items: z.array(random).min(1).max(batchItemsMax) }),
    result: z.strictObject({ items: z.array(z.strictObject({ result: randomAnswer })) }),
    handle: async ({ kms, caller, body }) => {
      const made = await randomBytes(kms, caller, body.items)
      return { items: made.map((piece) => ({ result: { bytes: piece } })) }
    },
  }),
]

/** The routes for one use, for a batch of them, and for what people sign. */
function routesOf(row: UseRow): readonly Route[] {
  const { operation, item, input, result, creates } = row
  const path = `/v1/namespaces/{namespace}/keys/{key}/${row.path}` as const
  const common = {
    method: 'POST',
    permission: { use: operation },
    parameters: keyPath,
    idempotent: creates,
  } as const
  const single = route({
    ...common,
    name: operation,
    path,
    summary: row.summary,
    bodyBytesMax: useBodyBytesMax,
    timeoutMs: creates ? creationTimeoutMs : timeoutMsDefault,
    body: item,
    result,
    handle: ({ kms, caller, path: { namespace, key }, body, creation }) =>
      useKeyOnce(kms, caller, { namespace, key, operation }, input(body), creation),
    encode: flatJson,
  })
  const batch = route({
    ...common,
    name: `${operation}Batch`,
    path: `${path}/batch`,
    summary: `${row.summary}: several at once, each with an outcome of its own`,
    bodyBytesMax: batchBodyBytesMax,
    timeoutMs: creates ? creationTimeoutMs : batchTimeoutMs,
    body: z.strictObject({ items: z.array(item).min(1).max(batchItemsMax) }),
    result: z.strictObject({
      items: z.array(z.union([z.strictObject({ result }), z.strictObject({ error: itemError })])),
    }) as z.ZodType,
    handle: ({ kms, caller, path: { namespace, key }, body, creation }) =>
      useKey(kms, caller, { namespace, key, operation }, body.items.map(input), creation),
    encode: (outcomes) => encodeOutcomes(outcomes as readonly UseOutcome<Operation>[]),
  })
  const statement = route({
    ...common,
    name: `${operation}Statement`,
    path: `${path}/statement`,
    summary: `${row.summary}: what people sign so that it is permitted`,
    bodyBytesMax: useBodyBytesMax,
    idempotent: false,
    body: z.strictObject({ request: item, ...statementRequest }),
    result: statements,
    handle: async ({ kms, caller, path: { namespace, key }, body }) => {
      const { request, ...who } = body
      const asked = { ...who, input: input(request) }
      return { statements: await useStatement(kms, caller, { namespace, key, operation }, asked) }
    },
  })
  return [single, batch, statement]
}

function encodeOutcomes(outcomes: readonly UseOutcome<Operation>[]): string {
  const items = outcomes.map((outcome) =>
    'error' in outcome
      ? `{"error":${JSON.stringify(itemErrorOf(outcome.error))}}`
      : `{"result":${flatJson(outcome.result)}}`,
  )
  return `{"items":[${items.join(',')}]}`
}
