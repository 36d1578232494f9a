/**
 * The end of a key's bytes: the floor refuses every version's wrapped key from then on, the module
 * forgets what it has loaded and certifies that, and the database drops what it has stored. Done again from the start, it
 * changes nothing more; so an intent to destroy is always finished, never undone.
 */

import type { Approvals } from '../../hsm/contract/approval.ts'
import type { Call, Outcome } from '../../hsm/contract/commands.ts'
import type { KeyId } from '../../hsm/contract/keys.ts'
import { deleteIntent } from '../../storage/intents.ts'
import { eraseVersions, putCertificate, versionsOf } from '../../storage/key-versions.ts'
import { findKey, updateKeyRow } from '../../storage/keys.ts'
import { withApprovalsOfEach } from '../approvals.ts'
import { answerOf, callModule } from '../commands.ts'
import type { Caller, Kms } from '../kms.ts'
import { forgetKey } from './known-keys.ts'
import { statesAtTheEnd } from './rows.ts'

/** Each brings its wrapped key, and takes a certificate of 5 KiB with it. */
const versionsPerFrame = 128

const refusals: ReadonlySet<string> = new Set([
  ...['APPROVALS_MISSING', 'APPROVAL_INVALID', 'CHALLENGE_INVALID', 'ARGUMENT_INVALID'],
])

/**
 * Whether people have to approve it first: then it cannot be finished without them. What the module has
 * destroyed already it does again without.
 */
function isNotApproved(outcome: Outcome): boolean {
  return 'error' in outcome && refusals.has(outcome.error.code)
}

/**
 * What the module is asked for at the end of a key. Versions that were begun and never recorded are
 * destroyed as well: somebody may have kept one.
 */
export async function destructionCalls(kms: Kms, keyId: KeyId): Promise<readonly Call[]> {
  const row = await findKey(kms.db.query, keyId)
  const stored = new Map((await versionsOf(kms.db.query, keyId)).map((one) => [one.version, one]))
  return Array.from({ length: row?.lastVersion ?? 0 }, (_, index): Call => {
    const version = index + 1
    const wrapped = stored.get(version)?.wrapped ?? undefined
    return {
      command: 'destroyKey',
      arguments: { key: keyId, version, certify: true },
      parts: wrapped ? { wrapped } : {},
    }
  })
}

/** @param approvals what people have signed for each version, where the domain has a rule for it */
export async function finishDestruction(
  kms: Kms,
  caller: Caller,
  { id, keyId }: { readonly id: string; readonly keyId: KeyId },
  approvals?: readonly Approvals[],
): Promise<void> {
  const calls = withApprovalsOfEach(await destructionCalls(kms, keyId), approvals)
  const versions = calls.map((_, index) => index + 1)
  const certificates: { readonly version: number; readonly certificate: Uint8Array }[] = []
  for (let from = 0; from < calls.length; from += versionsPerFrame) {
    const some = calls.slice(from, from + versionsPerFrame)
    for (const [index, outcome] of (await callModule(kms, caller, some)).entries()) {
      if (isNotApproved(outcome)) await kms.db.write((query) => deleteIntent(query, id))
      const { certificate } = answerOf<'destroyKey'>(outcome).parts
      if (certificate) certificates.push({ version: from + index + 1, certificate })
    }
  }
  await kms.db.write(async (query) => {
    for (const { version, certificate } of certificates) {
      await putCertificate(query, { keyId, version }, certificate)
    }
    await eraseVersions(query, keyId, statesAtTheEnd)
    const now = await findKey(query, keyId)
    if (now !== undefined) {
      const state = now.state === 'compromised' ? 'destroyed-compromised' : 'destroyed'
      await updateKeyRow(query, now, { state, destructionDue: null, updated: kms.now() })
    }
    await deleteIntent(query, id)
  })
  forgetKey(kms, keyId, versions)
}
