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
import { StandingChallenges } from './standing-challenges.ts'
import type { WaitingAnswer, WaitingRequest, WaitingRoom } from './waiting-room.ts'

const shareLength = offeredShareBytes + transportOverheadBytes

const offer = z.strictObject({
  challenge: z.string().regex(/^[0-9a-f]{64}$/),
  share: z.base64().length(Math.ceil(shareLength / 3) * 4),
})

export function lockedRoom(host: Host): WaitingRoom {
  const challenges = new StandingChallenges(host, async (claim, command) => {
    const call = { command: 'getChallenge', arguments: { command }, parts: {} } as const
    return (await host.askLocked(claim, call)).result
  })
  return {
    state: 'locked',
    bodyBytesMax: 4 * 1024,
    routes: new Map([
      ['GET /v1/unlock', ({ claim }) => describe(host, challenges, claim)],
      ['POST /v1/unlock/shares', (request) => takeShare(host, challenges, request)],
    ]),
  }
}

/** What a custodian's program needs to seal a share. */
async function describe(
  host: Host,
  challenges: StandingChallenges,
  claim: Claim,
): Promise<WaitingAnswer> {
  const { challenge } = await challenges.of(claim, 'offerShare')
  const transportKey = Buffer.from(await host.transportPublicKey()).toString('base64')
  const domain = host.status().domainId
  return { answer: { state: 'locked', domain, transportKey, challenge } }
}

async function takeShare(
  host: Host,
  challenges: StandingChallenges,
  { claim, body }: WaitingRequest,
): Promise<WaitingAnswer> {
  const parsed = offer.safeParse(body)
  if (!parsed.success) throw new HsmError('ARGUMENT_INVALID', z.prettifyError(parsed.error))
  const { challenge } = parsed.data
  const share = Buffer.from(parsed.data.share, 'base64')
  const call = { command: 'offerShare', arguments: { challenge }, parts: { share } } as const
  const { result } = await host.askLocked(claim, call).catch(async (error: unknown) => {
    // What it can remember before it is opened is full: the next process begins anew, and so do custodians.
    if (error instanceof HsmError && error.code === 'RECORD_NOT_STORED') await host.renewLocked()
    throw error
  })
  challenges.forget('offerShare')
  const { index, offered, threshold, shareSet } = result
  if (offered < threshold) return { answer: { index, offered, threshold, unlocked: false } }
  await host.openLocked(claim, { shareSet })
  return { answer: { index, offered, threshold, unlocked: true }, ends: true }
}
