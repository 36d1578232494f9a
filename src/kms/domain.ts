/**
 * The security domain from the manager's side: who decides in it and by which rules, the logins of those
 * people, and what follows on tampering. All of it is the module's to decide; the manager asks for a
 * permission of its own first, which has to be held everywhere, and carries approvals.
 */

import type { Approvals } from '../hsm/contract/approval.ts'
import type { Call } from '../hsm/contract/commands.ts'
import type { DomainChangeAsked } from '../hsm/contract/domain-commands.ts'
import { assertPermission, assertPermissionSomewhere, everywhere } from './access/access.ts'
import { type StatementRequest, statementsFor, withApprovals } from './approvals.ts'
import { runCommand } from './commands.ts'
import { destroyingKeys } from './domain/weakening.ts'
import { KmsError } from './errors.ts'
import type { Caller, Kms } from './kms.ts'

export interface StoredState {
  readonly version: number
  /** SHA-256 of the statement, in hex. */
  readonly hash: string
  readonly statement: string
  readonly signature: { readonly ed25519: string; readonly mlDsa65: string }
  /** That a policy became weaker, the last time in this epoch. */
  readonly certificate?: Uint8Array
  /** Of a change: the KEK that went with all of its keys, and every older one. */
  readonly destroyed?: { readonly epoch: number; readonly kek: number }
}

/** What came with a command. */
interface Approved {
  readonly approvals?: Approvals | undefined
}

/** A PIN that was sealed to the module for one challenge. */
export interface SealedPin extends Approved {
  readonly person: string
  readonly challenge: string
  readonly pin: Uint8Array
}

/** @throws KmsError ACCESS_DENIED */
export async function domainState(kms: Kms, caller: Caller): Promise<StoredState> {
  await assertPermissionSomewhere(kms, caller, 'domain:read')
  const call = { command: 'getDomainState', arguments: {}, parts: {} } as const
  return stateOf(await runCommand<'getDomainState'>(kms, caller, call))
}

/** For approvals of this command, or a PIN that goes with it. @throws KmsError ACCESS_DENIED */
export async function challengeFor(kms: Kms, caller: Caller, command: string) {
  await assertPermission(kms, caller, everywhere, 'approvals:request')
  const call = { command: 'getChallenge', arguments: { command }, parts: {} } as const
  return (await runCommand<'getChallenge'>(kms, caller, call)).result
}

/** Commands of the domain that people approve; keys have statements of their own. */
export const domainCommands = [
  'changeDomain',
  'acknowledgeTamper',
  'zeroise',
  'setPin',
  'login',
  'resetLogin',
  'rotateKek',
  'retireKek',
  'addSeal',
  'removeSeal',
  'confirmCounter',
] as const

export interface DomainCommand {
  readonly command: (typeof domainCommands)[number]
  readonly arguments: object
  /** By name. */
  readonly parts?: Readonly<Record<string, Uint8Array>> | undefined
}

/** What to sign so that such a command runs. @throws KmsError ACCESS_DENIED */
export async function domainStatement(
  kms: Kms,
  caller: Caller,
  { command, arguments: args, parts = {} }: DomainCommand,
  request: StatementRequest,
): Promise<string[]> {
  await assertPermission(kms, caller, everywhere, 'approvals:request')
  const call = { command, arguments: args, parts } as Call
  return statementsFor(kms, caller, [call], request)
}

interface DomainChangeInput extends Approved {
  readonly change: DomainChangeAsked
  /** The id of the domain, where the change destroys keys. */
  readonly confirm?: string | undefined
}

/**
 * @throws KmsError ACCESS_DENIED, APPROVALS_MISSING, RULES_NOT_MET when a policy would become weaker and
 *   the change does not say that it destroys every key; CONFIRMATION_INVALID, REWRAP_UNFINISHED when it does
 */
export async function changeDomain(
  kms: Kms,
  caller: Caller,
  { change, confirm, approvals }: DomainChangeInput,
): Promise<StoredState> {
  await assertPermission(kms, caller, everywhere, 'domain:change')
  const call = { command: 'changeDomain', arguments: { change }, parts: {} } as const
  const ask = () => runCommand<'changeDomain'>(kms, caller, withApprovals(call, approvals))
  const answer = change.destroysKeys ? await destroyingKeys(kms, caller, confirm, ask) : await ask()
  kms.caches.level.forget('')
  return stateOf(answer)
}

/** @throws KmsError ACCESS_DENIED, APPROVALS_MISSING, MODULE_STATE_INVALID */
export async function acknowledgeTamper(
  kms: Kms,
  caller: Caller,
  { approvals }: Approved,
): Promise<void> {
  await assertPermission(kms, caller, everywhere, 'domain:change')
  const call = { command: 'acknowledgeTamper', arguments: {}, parts: {} } as const
  await runCommand<'acknowledgeTamper'>(kms, caller, withApprovals(call, approvals))
}

/**
 * The end of this module.
 * @throws KmsError ACCESS_DENIED, APPROVALS_MISSING; CONFIRMATION_INVALID unless confirm is the domain's id
 */
export async function zeroise(
  kms: Kms,
  caller: Caller,
  { reason, confirm, approvals }: Approved & { readonly reason: string; readonly confirm: string },
): Promise<void> {
  await assertPermission(kms, caller, everywhere, 'domain:zeroise')
  const status = { command: 'getStatus', arguments: {}, parts: {} } as const
  const { domainId } = (await runCommand<'getStatus'>(kms, caller, status)).result
  if (confirm !== domainId) {
    throw new KmsError('CONFIRMATION_INVALID', 'confirm must be the id of the domain')
  }
  const call = { command: 'zeroise', arguments: { reason }, parts: {} } as const
  await runCommand<'zeroise'>(kms, caller, withApprovals(call, approvals))
}

/** @throws KmsError ACCESS_DENIED, LOGIN_FAILED, LOGIN_LOCKED, CHALLENGE_INVALID, MODULE_BUSY */
export async function logIn(
  kms: Kms,
  caller: Caller,
  { person, challenge, pin, approvals }: SealedPin,
): Promise<{ readonly expires: number }> {
  await assertPermission(kms, caller, everywhere, 'domain:login')
  const call = { command: 'login', arguments: { person, challenge }, parts: { pin } } as const
  return (await runCommand<'login'>(kms, caller, withApprovals(call, approvals))).result
}

/** @throws KmsError ACCESS_DENIED, APPROVALS_MISSING, PERSON_NOT_FOUND, CHALLENGE_INVALID */
export async function setPin(
  kms: Kms,
  caller: Caller,
  { person, challenge, pin, approvals }: SealedPin,
): Promise<StoredState> {
  await assertPermission(kms, caller, everywhere, 'domain:login')
  const call = { command: 'setPin', arguments: { person, challenge }, parts: { pin } } as const
  return stateOf(await runCommand<'setPin'>(kms, caller, withApprovals(call, approvals)))
}

/** @throws KmsError ACCESS_DENIED, APPROVALS_MISSING, PERSON_NOT_FOUND */
export async function resetLogin(
  kms: Kms,
  caller: Caller,
  { person, approvals }: Approved & { readonly person: string },
): Promise<void> {
  await assertPermission(kms, caller, everywhere, 'domain:change')
  const call = { command: 'resetLogin', arguments: { person }, parts: {} } as const
  await runCommand<'resetLogin'>(kms, caller, withApprovals(call, approvals))
}

function stateOf({
  result,
  parts,
}: {
  readonly result: Pick<StoredState, 'version' | 'hash' | 'destroyed'>
  readonly parts: { readonly state: Uint8Array; readonly certificate?: Uint8Array }
}): StoredState {
  const signed = JSON.parse(Buffer.from(parts.state).toString()) as Pick<
    StoredState,
    'statement' | 'signature'
  >
  const { certificate } = parts
  return { ...result, ...signed, ...(certificate ? { certificate } : {}) }
}
