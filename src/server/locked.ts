/**
 * The server while its module is locked: custodians offer their shares. A share comes sealed to the
 * module's transport key, for a challenge of the module; server and host relay it and read nothing. When
 * enough of one splitting are there the module is opened. Nobody has to log in: who has no share of this
 * domain gets nothing from it.
 *
 *   GET  /v1/unlock          { state, domain, transportKey, challenge }
 *   POST /v1/unlock/shares   { challenge, share } → { index, offered, threshold, unlocked }
 */

import * as z from 'zod'
import type { Host } from '../host/host.ts'
import type { Claim } from '../hsm/contract/commands.ts'
import { HsmError } from '../hsm/contract/errors.ts'
import { offeredShareBytes } from '../hsm/contract/share.ts'
import { transportOverheadBytes } from '../hsm/contract/transport.ts'
import type { WaitingAnswer, WaitingRoom } from './waiting-room.ts'

const shareLength = offeredShareBytes + transportOverheadBytes

const offer = z.strictObject({
  challenge: z.string().regex(/^[0-9a-f]{64}$/),
  share: z.base64().length(Math.ceil(shareLength / 3) * 4),
})

export function lockedRoom(host: Host): WaitingRoom {
  return {
    state: 'locked',
    bodyBytesMax: 4 * 1024,
    routes: new Map([
      ['GET /v1/unlock', ({ claim }) => describe(host, claim)],
      ['POST /v1/unlock/shares', ({ claim, body }) => takeShare(host, claim, body)],
    ]),
  }
}

/** What a custodian's program needs to seal a share. */
async function describe(host: Host, claim: Claim): Promise<WaitingAnswer> {
  const { result } = await host.askLocked(claim, {
    command: 'getChallenge',
    arguments: { command: 'offerShare' },
    parts: {},
  })
  const transportKey = Buffer.from(await host.transportPublicKey()).toString('base64')
  const { challenge } = result
  const domain = host.status().domainId
  return { answer: { state: 'locked', domain, transportKey, challenge } }
}

async function takeShare(host: Host, claim: Claim, untrusted: unknown): Promise<WaitingAnswer> {
  const parsed = offer.safeParse(untrusted)
  if (!parsed.success) throw new HsmError('ARGUMENT_INVALID', z.prettifyError(parsed.error))
  const { challenge, share } = parsed.data
  const { result } = await host.askLocked(claim, {
    command: 'offerShare',
    arguments: { challenge },
    parts: { share: Buffer.from(share, 'base64') },
  })
  const { index, offered, threshold, shareSet } = result
  if (offered < threshold) return { answer: { index, offered, threshold, unlocked: false } }
  await host.openLocked(claim, { shareSet })
  return { answer: { index, offered, threshold, unlocked: true }, ends: true }
}
