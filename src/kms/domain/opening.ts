/**
 * What opens the domain at a start, and what closes it: seals side by side, the TPM's counter that says
 * whether its state is the newest, and the lock. The secret of a seal comes sealed to the module, or stays
 * between TPM and host; the manager reads neither. Where the domain has the rule `unlock`, the module wants
 * approvals for all of it but the lock, which takes nothing away that a restart does not.
 */

import type { KeptSeal } from '../../host/seals.ts'
import { policyDefault } from '../../host/tpm/seal.ts'
import type { Approvals } from '../../hsm/contract/approval.ts'
import type { Call } from '../../hsm/contract/commands.ts'
import type { SealKind } from '../../hsm/contract/domain-commands.ts'
import { assertPermission, assertPermissionSomewhere, everywhere } from '../access/access.ts'
import { withApprovals } from '../approvals.ts'
import { claimOf, ofHost, runCommand } from '../commands.ts'
import { KmsError } from '../errors.ts'
import type { Caller, Kms } from '../kms.ts'

interface Approved {
  readonly approvals?: Approvals | undefined
}

/** Those of the epoch in force. @throws KmsError ACCESS_DENIED */
export async function listSeals(kms: Kms, caller: Caller): Promise<readonly KeptSeal[]> {
  await assertPermissionSomewhere(kms, caller, 'domain:read')
  return kms.host.seals.list()
}

/** In place of the seal of this kind. @throws KmsError ACCESS_DENIED, APPROVALS_MISSING, SEAL_MISSING */
export async function addSeal(
  kms: Kms,
  caller: Caller,
  asked: Approved & { readonly kind: SealKind; readonly sealed: Uint8Array },
): Promise<void> {
  await assertPermission(kms, caller, everywhere, 'domain:seal')
  const { kind, sealed } = asked
  await ofHost(() => kms.host.seals.add(claimOf(caller), kind, sealed, partOf(asked)))
}

export interface TpmSealing {
  readonly pcrs?: string | undefined
  /** What the seal is for: to be added, or that of a new epoch. */
  readonly command?: 'addSeal' | 'beginEpoch' | undefined
}

/** Has the server's TPM keep a secret for a seal, bound to these PCRs. @throws KmsError TPM_FAILED */
export async function prepareTpmSeal(
  kms: Kms,
  caller: Caller,
  { pcrs = policyDefault.pcrs, command }: TpmSealing = {},
): Promise<Uint8Array> {
  await assertPermission(kms, caller, everywhere, 'domain:seal')
  return ofHost(() => kms.host.seals.prepareTpm({ ...policyDefault, pcrs }, command))
}

/** @throws KmsError ACCESS_DENIED, APPROVALS_MISSING, SEAL_MISSING, SEAL_LAST */
export async function removeSeal(
  kms: Kms,
  caller: Caller,
  asked: Approved & { readonly kind: SealKind },
): Promise<void> {
  await assertPermission(kms, caller, everywhere, 'domain:seal')
  await ofHost(() => kms.host.seals.remove(claimOf(caller), asked.kind, partOf(asked)))
}

/** What pinning the TPM's counter takes: the counter's word for one challenge. @throws KmsError TPM_FAILED */
export async function prepareCounter(kms: Kms, caller: Caller): Promise<Call<'confirmCounter'>> {
  await assertPermission(kms, caller, everywhere, 'domain:seal')
  return ofHost(() => kms.host.freshness.pinCall(claimOf(caller)))
}

/** @throws KmsError ACCESS_DENIED, APPROVALS_MISSING, CHALLENGE_INVALID, TPM_FAILED */
export async function pinCounter(
  kms: Kms,
  caller: Caller,
  pinning: Call<'confirmCounter'>,
  { approvals }: Approved,
): Promise<void> {
  await assertPermission(kms, caller, everywhere, 'domain:seal')
  const asked = withApprovals(pinning, approvals)
  await ofHost(() => kms.host.freshness.pin(claimOf(caller), asked))
}

/**
 * Until what opens the domain is brought.
 * @throws KmsError ACCESS_DENIED; CONFIRMATION_INVALID unless confirm is the domain's id
 */
export async function lockModule(kms: Kms, caller: Caller, confirm: string): Promise<void> {
  await assertPermission(kms, caller, everywhere, 'domain:lock')
  const status = { command: 'getStatus', arguments: {}, parts: {} } as const
  const { domainId } = (await runCommand<'getStatus'>(kms, caller, status)).result
  if (confirm !== domainId) {
    throw new KmsError('CONFIRMATION_INVALID', 'confirm must be the id of the domain')
  }
  await ofHost(() => kms.host.lock(claimOf(caller)))
}

function partOf({ approvals }: Approved): Buffer | undefined {
  return approvals && Buffer.from(JSON.stringify(approvals))
}
