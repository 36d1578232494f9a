/**
 * `Rotate and shred` (design section 3): a new epoch, every live key re-wrapped into it, and the epoch
 * before shredded, so that no backup of then opens without its own seal or shares. It begins with the
 * module and its host (`renewEpoch`), goes on as every rotation does, and ends with a certificate.
 */

import type { EpochRequest } from '../../host/options.ts'
import type { EpochResult } from '../../host/turn-epoch.ts'
import type { DomainState, SignedDomainState } from '../../hsm/contract/domain-state.ts'
import { assertPermission, assertPermissionSomewhere, everywhere } from '../access/access.ts'
import { type StatementRequest, statementsFor } from '../approvals.ts'
import { claimOf, ofHost, runCommand } from '../commands.ts'
import { KmsError } from '../errors.ts'
import type { Caller, Kms } from '../kms.ts'
import { begin, type Rotation } from './rotation.ts'
import { findCertificate } from './rotation-plan.ts'

export interface ShredInput extends EpochRequest {
  /** The id of the domain, exactly. */
  readonly confirm: string
  /** Nobody gets shares of the new root where there are custodians: never by what was left out. */
  readonly endsShares?: true | undefined
}

export interface Shredding extends Rotation {
  /** Of the new root, for its custodians. */
  readonly shares?: Uint8Array
}

/**
 * Begins it; re-wrapping happens in the background.
 *
 * @throws KmsError ACCESS_DENIED, CONFIRMATION_INVALID, REWRAP_UNFINISHED, ARGUMENT_INVALID without a
 *   secret for the new seal, or a word on shares, and what the module refuses
 */
export async function shred(
  kms: Kms,
  caller: Caller,
  { confirm, endsShares, ...request }: ShredInput,
): Promise<Shredding> {
  await assertPermission(kms, caller, everywhere, 'domain:shred')
  const status = { command: 'getStatus', arguments: {}, parts: {} } as const
  const { domainId } = (await runCommand<'getStatus'>(kms, caller, status)).result
  if (confirm !== domainId) {
    throw new KmsError('CONFIRMATION_INVALID', 'confirm must be the id of the domain')
  }
  if (!request.custodians && !endsShares) await assertNoCustodians(kms, caller)
  let result: EpochResult | undefined
  const rotation = await begin(kms, caller, 'shred', async () => {
    result = await ofHost(() => kms.host.renewEpoch(claimOf(caller), request))
    return result
  })
  return { ...rotation, ...(result?.shares ? { shares: result.shares } : {}) }
}

async function assertNoCustodians(kms: Kms, caller: Caller): Promise<void> {
  const call = { command: 'getDomainState', arguments: {}, parts: {} } as const
  const { parts } = await runCommand<'getDomainState'>(kms, caller, call)
  const { statement } = JSON.parse(Buffer.from(parts.state).toString()) as SignedDomainState
  if ((JSON.parse(statement) as DomainState).custodians === null) return
  const message = 'the domain has custodians: name those of the new root, or say endsShares'
  throw new KmsError('ARGUMENT_INVALID', message)
}

/** What people sign so that it begins. @throws KmsError ACCESS_DENIED, ARGUMENT_INVALID */
export async function shredStatement(
  kms: Kms,
  caller: Caller,
  asked: EpochRequest,
  request: StatementRequest,
): Promise<string[]> {
  await assertPermission(kms, caller, everywhere, 'approvals:request')
  const call = await ofHost(() => kms.host.epochCall(asked))
  return statementsFor(kms, caller, [call], request)
}

/** Of this epoch. @throws KmsError ACCESS_DENIED, VERSION_NOT_FOUND when it was not shredded */
export async function shredCertificate(
  kms: Kms,
  caller: Caller,
  epoch: number,
): Promise<Uint8Array> {
  await assertPermissionSomewhere(kms, caller, 'status:read')
  const certificate = await findCertificate(kms, epoch)
  if (certificate) return certificate
  throw new KmsError('VERSION_NOT_FOUND', `epoch ${epoch} was not shredded`)
}
