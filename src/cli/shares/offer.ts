/** Offering a share to a locked module: opened here, sealed to the module for its challenge, handed over. */

import * as z from 'zod'
import type { Connection } from '../../client/connection.ts'
import { clientError } from '../../client/errors.ts'
import { describeShare, encodeOfferedShare, type ShareKey } from '../../hsm/contract/share.ts'
import { sealToTransportKey } from '../../hsm/contract/transport.ts'

const locked = z.strictObject({
  state: z.literal('locked'),
  domain: z.string(),
  transportKey: z.base64(),
  challenge: z.string().regex(/^[0-9a-f]{64}$/),
})
const taken = z.strictObject({
  index: z.int(),
  offered: z.int(),
  threshold: z.int(),
  unlocked: z.boolean(),
})

/** How far the splitting is. */
export type TakenShare = z.output<typeof taken>

/**
 * `withKey` hands over what opens the share.
 * @throws ClientError FILE_INVALID for a share of another domain, and what the module refuses; HsmError SHARE_INVALID
 */
export async function offerShare(
  connection: Connection,
  share: Uint8Array,
  withKey: (use: (key: ShareKey) => Buffer) => Promise<Buffer>,
): Promise<TakenShare> {
  const domainId = describeShare(share).domainId.toString('hex')
  const asked = await connection.send({ method: 'GET', path: '/v1/unlock', repeatable: true })
  const { domain, transportKey, challenge } = parse(locked, asked.body)
  if (domainId !== domain) {
    throw clientError('FILE_INVALID', `the share is of domain ${domainId}, not ${domain}`)
  }
  const sealed = await withKey((key) => sealOffer(share, key, { transportKey, challenge }))
  const body = JSON.stringify({ challenge, share: sealed.toString('base64') })
  const path = '/v1/unlock/shares'
  const answer = await connection.send({ method: 'POST', path, body, repeatable: false })
  return parse(taken, answer.body)
}

/** Opened, sealed and overwritten at once. */
function sealOffer(
  share: Uint8Array,
  key: ShareKey,
  { transportKey, challenge }: { readonly transportKey: string; readonly challenge: string },
): Buffer {
  const offered = encodeOfferedShare(share, key)
  try {
    const context = Buffer.from(challenge, 'hex')
    const publicKey = Buffer.from(transportKey, 'base64')
    return sealToTransportKey(publicKey, 'offered share', offered, context)
  } finally {
    offered.fill(0)
  }
}

function parse<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  throw clientError('ANSWER_INVALID', 'the server answered something else: is it locked?')
}
