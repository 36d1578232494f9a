/**
 * The server while its module is stopped by a tamper signal: what happened is shown, and people acknowledge
 * it or have the module zeroised. Where the domain has the rule `tamper`, that takes their approvals, which
 * the module checks; where it has none, it takes the token in the data folder's `tamper.token`, so whoever
 * may act there is who may read there.
 *
 *   GET  /v1/unlock                { state, reason, domain, module, rule }
 *   POST /v1/tamper/challenge      { command } → { challenge, expires }
 *   POST /v1/tamper/acknowledge    { approvals? } → { acknowledged }
 *   POST /v1/tamper/zeroise        { reason, approvals? } → { zeroised }
 */

import { randomBytes, timingSafeEqual } from 'node:crypto'
import { chmod } from 'node:fs/promises'
import path from 'node:path'
import * as z from 'zod'
import { writeDurably } from '../host/durable-file.ts'
import type { Host } from '../host/host.ts'
import { approvalsBytesMax } from '../hsm/contract/approval.ts'
import type { Call, Claim, CommandName } from '../hsm/contract/commands.ts'
import type { DomainState, Rule } from '../hsm/contract/domain-state.ts'
import { HsmError } from '../hsm/contract/errors.ts'
import { StandingChallenges } from './standing-challenges.ts'
import type { WaitingAnswer, WaitingRequest, WaitingRoom } from './waiting-room.ts'

const approvals = z.record(z.string(), z.unknown()).optional()
const schemas = {
  challenge: z.strictObject({ command: z.enum(['acknowledgeTamper', 'zeroise']) }),
  acknowledge: z.strictObject({ approvals }),
  zeroise: z.strictObject({ reason: z.string(), approvals }),
}

export async function tamperedRoom(host: Host, folder: string): Promise<WaitingRoom> {
  const token = randomBytes(32).toString('base64url')
  const file = path.join(folder, 'tamper.token')
  await writeDurably(file, [Buffer.from(token)])
  await chmod(file, 0o600)
  const challenges = new StandingChallenges(host, async (claim, command) => {
    return (await run(host, claim, 'getChallenge', { command })).result
  })
  const guarded =
    (work: (request: WaitingRequest) => Promise<WaitingAnswer>) =>
    async (request: WaitingRequest) => {
      if (!(await ruleOf(host, request.claim))) assertToken(request, token)
      return work(request)
    }
  return {
    state: 'tampered',
    bodyBytesMax: 2 * approvalsBytesMax,
    routes: new Map([
      ['GET /v1/unlock', ({ claim }: WaitingRequest) => describe(host, claim)],
      ['POST /v1/tamper/challenge', (request: WaitingRequest) => challenge(challenges, request)],
      ['POST /v1/tamper/acknowledge', guarded((request) => acknowledge(host, request))],
      ['POST /v1/tamper/zeroise', guarded((request) => zeroise(host, request))],
    ]),
  }
}

function assertToken({ token }: WaitingRequest, wanted: string): void {
  const [given, right] = [Buffer.from(token ?? ''), Buffer.from(wanted)]
  if (given.length === right.length && timingSafeEqual(given, right)) return
  const message = 'no rule of the domain says who may: it takes the token in the data folder'
  throw new HsmError('APPROVALS_MISSING', message)
}

async function describe(host: Host, claim: Claim): Promise<WaitingAnswer> {
  const status = await run(host, claim, 'getStatus', {})
  const { reason, domainId: domain, moduleId: module } = status.result
  const rule = (await ruleOf(host, claim)) ?? null
  return { answer: { state: 'tampered', reason, domain, module, rule } }
}

async function ruleOf(host: Host, claim: Claim): Promise<Rule | undefined> {
  const { parts } = await run(host, claim, 'getDomainState', {})
  const { statement } = JSON.parse(Buffer.from(parts.state).toString()) as { statement: string }
  return (JSON.parse(statement) as DomainState).rules.tamper
}

async function challenge(
  challenges: StandingChallenges,
  { claim, body }: WaitingRequest,
): Promise<WaitingAnswer> {
  const { command } = parse(schemas.challenge, body)
  return { answer: await challenges.of(claim, command) }
}

async function acknowledge(host: Host, { claim, body }: WaitingRequest): Promise<WaitingAnswer> {
  const asked = parse(schemas.acknowledge, body)
  await run(host, claim, 'acknowledgeTamper', {}, asked.approvals)
  return { answer: { acknowledged: true }, ends: true }
}

async function zeroise(host: Host, { claim, body }: WaitingRequest): Promise<WaitingAnswer> {
  const { reason, approvals } = parse(schemas.zeroise, body)
  await run(host, claim, 'zeroise', { reason }, approvals)
  return { answer: { zeroised: true }, ends: true }
}

function run<N extends CommandName>(
  host: Host,
  claim: Claim,
  command: N,
  args: Call<N>['arguments'],
  approvals?: object,
) {
  const parts = approvals ? { approvals: Buffer.from(JSON.stringify(approvals)) } : {}
  return host.run<N>(claim, { command, arguments: args, parts } as Call<N>)
}

function parse<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  throw new HsmError('ARGUMENT_INVALID', z.prettifyError(parsed.error))
}
