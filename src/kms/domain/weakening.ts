/**
 * A change of the domain that weakens a policy: it destroys every key, in the module at once and in the
 * database behind it, as a rotation would re-wrap them (rotation.ts). What is going on is written down
 * first, so that a crash at any point is followed by the rest.
 */

import { countWrappedKeys } from '../../storage/key-versions.ts'
import { assertPermission, everywhere } from '../access/access.ts'
import { type Answer, runCommand } from '../commands.ts'
import { KmsError } from '../errors.ts'
import type { Caller, Kms } from '../kms.ts'
import { begin } from './rotation.ts'
import { rotationName } from './rotation-plan.ts'

/**
 * Answers when every key is marked as destroyed, or when it was left to the job.
 *
 * @param confirm the id of the domain, exactly
 * @throws KmsError ACCESS_DENIED, CONFIRMATION_INVALID, REWRAP_UNFINISHED, and what the module refuses
 */
export async function destroyingKeys(
  kms: Kms,
  caller: Caller,
  confirm: string | undefined,
  change: () => Promise<Answer<'changeDomain'>>,
): Promise<Answer<'changeDomain'>> {
  await assertPermission(kms, caller, everywhere, 'keys:destroy')
  const status = { command: 'getStatus', arguments: {}, parts: {} } as const
  const { domainId } = (await runCommand<'getStatus'>(kms, caller, status)).result
  if (confirm !== domainId) {
    const keys = await countWrappedKeys(kms.db.query)
    const what = `all keys of the domain for good, ${keys} of them, the server's own included`
    throw new KmsError('CONFIRMATION_INVALID', `this destroys ${what}; confirm with ${domainId}`)
  }
  let answer: Answer<'changeDomain'> | undefined
  await begin(kms, caller, 'weaken', async () => {
    answer = await change()
    const { epoch = 0, kek = 0 } = answer.result.destroyed ?? {}
    return { epoch, kek: kek + 1 }
  })
  await kms.keyLocks.hold(rotationName, async () => undefined)
  if (answer) return answer
  throw new KmsError('REWRAP_UNFINISHED', 'the key-encryption key is another meanwhile; ask again')
}
