/** Routes about the record beside its leaves and heads: search, and the sinks that it is sent to. */

import { z } from 'zod'
import { decodeLeaf, leafEntry } from '../../../hsm/contract/leaf.ts'
import { assertPermission, everywhere } from '../../../kms/access/access.ts'
import { RestError } from '../errors.ts'
import { type Route, route } from '../route.ts'
import { identityId, keyId, queryInteger, time } from '../schemas.ts'

const entriesMax = 1_000
const entriesDefault = 100
const sequence = z.int().min(0)
const millis = queryInteger(0, Number.MAX_SAFE_INTEGER / 1_000 - 1)
/** As a leaf has it: at most 255 bytes. */
const leafText = z.string().min(1).max(255)

const leafEntrySchema = z
  .strictObject({
    sequence,
    time: z.string(),
    timeMicros: sequence,
    flags: z.int(),
    moduleId: z.string(),
    command: z.string(),
    outcome: z.string(),
    key: z.string(),
    version: z.int(),
    identity: z.string(),
    requestId: z.string(),
    protocol: z.string(),
    address: z.string(),
    argumentsDigest: z.string(),
  })
  .meta({ id: 'RecordEntry' })

export const recordSearchRoutes: readonly Route[] = [
  route({
    name: 'searchRecord',
    method: 'GET',
    path: '/v1/record/search',
    summary:
      'Leaves of the record with all of these texts, the newest first; outcome "refused" is every other ' +
      'than OK; next is the sequence to go on from, also after an answer that is not full',
    permission: ['record:read'],
    query: z.strictObject({
      key: keyId.optional(),
      identity: identityId.optional(),
      command: leafText.optional(),
      outcome: leafText.optional(),
      requestId: leafText.optional(),
      protocol: leafText.optional(),
      since: millis.optional(),
      until: millis.optional(),
      order: z.enum(['newest', 'oldest']).optional(),
      from: queryInteger(0, Number.MAX_SAFE_INTEGER).optional(),
      limit: queryInteger(1, entriesMax).optional(),
    }),
    result: z.strictObject({ entries: z.array(leafEntrySchema), next: sequence.optional() }),
    handle: async ({ kms, rest, caller, query: { since, until, order, limit, ...query } }) => {
      await assertPermission(kms, caller, everywhere, 'record:read')
      const found = await rest.record.search({
        ...query,
        sinceMicros: since === undefined ? undefined : since * 1_000,
        untilMicros: until === undefined ? undefined : until * 1_000 + 999,
        order: order ?? 'newest',
        limit: limit ?? entriesDefault,
      })
      if (!found) throw new RestError('NOT_READY', 'the index of the record is being made')
      const entries = found.leaves.map((leaf) => leafEntry(decodeLeaf(leaf)))
      return found.next === undefined ? { entries } : { entries, next: found.next }
    },
  }),
  route({
    name: 'listSinks',
    method: 'GET',
    path: '/v1/record/sinks',
    summary: 'Where entries of the record are sent, how far behind each is, and why',
    permission: ['record:read'],
    result: z.strictObject({
      items: z.array(
        z.strictObject({
          name: z.string(),
          type: z.enum(['file', 'syslog', 'http']),
          next: sequence,
          lagEntries: z.int(),
          lagSeconds: z.int(),
          late: z.boolean(),
          error: z.string(),
          errorTime: time,
          sentTime: time,
        }),
      ),
    }),
    handle: async ({ kms, rest, caller }) => {
      await assertPermission(kms, caller, everywhere, 'record:read')
      return { items: rest.record.sinks() }
    },
  }),
]
