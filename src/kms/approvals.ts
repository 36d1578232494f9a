/**
 * Approvals on their way: what people have to sign so that the module runs a command, and what they have
 * signed, as a part of that command. The manager makes the statement from the command that it would send;
 * whether it did so truly, whoever signs can read, and the module, which makes it again, decides.
 */

import { type Approvals, approvalStatement, isBoundByVersion } from '../hsm/contract/approval.ts'
import type { Call } from '../hsm/contract/commands.ts'
import { runCommand } from './commands.ts'
import { KmsError } from './errors.ts'
import type { Caller, Kms } from './kms.ts'

/** Who asks, and for how long approvals are good. */
export interface StatementRequest {
  /** A person of the domain, by name. */
  readonly requester: string
  /** An hour when left out. */
  readonly validSeconds?: number | undefined
}

const validSecondsDefault = 3_600
/** What clocks may differ by. */
const skewMs = 60_000

/**
 * The bytes to sign, as text, for each command in its order. The challenge in each is good for one
 * command.
 * @throws KmsError what the module refuses
 */
export async function statementsFor(
  kms: Kms,
  caller: Caller,
  calls: readonly Call[],
  { requester, validSeconds = validSecondsDefault }: StatementRequest,
): Promise<string[]> {
  const status = { command: 'getStatus', arguments: {}, parts: {} } as const
  const { domainId, moduleId } = (await runCommand<'getStatus'>(kms, caller, status)).result
  const notBefore = kms.now() - skewMs
  const expires = notBefore + skewMs + validSeconds * 1_000
  const statements: string[] = []
  for (const call of calls) {
    const bound = await bindingOf(kms, caller, call.command)
    const terms = { module: moduleId, requester, notBefore, expires, ...bound }
    statements.push(approvalStatement(domainId, partsOf(call), terms).toString())
  }
  return statements
}

/** The version in force, or a new challenge. */
async function bindingOf(kms: Kms, caller: Caller, command: Call['command']) {
  if (isBoundByVersion(command)) {
    const call = { command: 'getDomainState', arguments: {}, parts: {} } as const
    const { hash } = (await runCommand<'getDomainState'>(kms, caller, call)).result
    return { challenge: '', predecessor: hash }
  }
  const call = { command: 'getChallenge', arguments: { command }, parts: {} } as const
  const { challenge } = (await runCommand<'getChallenge'>(kms, caller, call)).result
  return { challenge, predecessor: '' }
}

function partsOf({ command, arguments: args, parts }: Call) {
  const given = Object.entries(parts as Readonly<Record<string, Uint8Array | undefined>>)
  const there = given.filter((part): part is [string, Uint8Array] => part[1] !== undefined)
  return { command, arguments: args, parts: Object.fromEntries(there) }
}

/** The command with what people have signed for it, if they have. */
export function withApprovals<C extends Call>(call: C, approvals: Approvals | undefined): C {
  if (approvals === undefined) return call
  const part = Buffer.from(JSON.stringify(approvals))
  return { ...call, parts: { ...call.parts, approvals: part } }
}

/** One set for each command, or none at all. @throws KmsError ARGUMENT_INVALID */
export function withApprovalsOfEach(
  calls: readonly Call[],
  approvals: readonly Approvals[] | undefined,
): readonly Call[] {
  if (approvals === undefined) return calls
  if (approvals.length !== calls.length) {
    throw new KmsError('ARGUMENT_INVALID', `this takes ${calls.length} sets of approvals`)
  }
  return calls.map((call, index) => withApprovals(call, approvals[index]))
}
