/**
 * What an earlier process left: every intent of a key that nobody works on is finished or undone
 * (keys/change.ts says which). At the start the manager waits for it, so that no call ever meets a
 * half-done change.
 */

import { parseKeyId } from '../hsm/contract/keys.ts'
import { pageOfIntents } from '../storage/intents.ts'
import { finishRotation } from './domain/rotation.ts'
import { readPlan } from './domain/rotation-plan.ts'
import { finishLeft } from './keys/change.ts'
import type { Kms } from './kms.ts'

const intentsPerPage = 256

/**
 * One key's failure does not keep the others from being finished.
 *
 * @throws AggregateError of what could not be finished now
 */
export async function finishIntents(kms: Kms): Promise<void> {
  const failures: unknown[] = []
  let after = ''
  for (;;) {
    const page = await pageOfIntents(kms.db.query, { after, limit: intentsPerPage })
    for (const keyId of new Set(page.map((intent) => parseKeyId(intent.keyId)))) {
      if (kms.keyLocks.isHeld(keyId)) continue
      try {
        await kms.keyLocks.hold(keyId, () => finishLeft(kms, keyId))
      } catch (error) {
        failures.push(error)
      }
    }
    const last = page.at(-1)
    if (last === undefined || page.length < intentsPerPage) break
    after = last.intentId
  }
  if (failures.length > 0) throw new AggregateError(failures, 'a change could not be finished')
}

/**
 * Before any call; keys that are left to be re-wrapped keep nobody waiting, but those that were destroyed
 * with a policy are marked first. A module that is locked or away does not keep the manager from starting:
 * what is left is finished before the next change of its key, or by the job.
 */
export async function recover(kms: Kms): Promise<void> {
  try {
    await finishIntents(kms)
    if ((await readPlan(kms))?.kind === 'weaken') await finishRotation(kms)
  } catch (error) {
    kms.log({ level: 'warn', message: 'changes are left to be finished', error })
  }
  kms.background.run('the rotation of the KEK', () => finishRotation(kms))
}
