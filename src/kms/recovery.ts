/**
 * What an earlier process left: every intent that nobody has in hand is finished or undone (keys/change.ts
 * says which). At the start the manager waits for it, so that no call ever meets a half-done change.
 */

import { parseKeyId } from '../hsm/contract/keys.ts'
import { deleteUnanswered } from '../storage/answers.ts'
import { pageOfIntents } from '../storage/intents.ts'
import { finishLeft } from './keys/change.ts'
import type { Kms } from './kms.ts'

const intentsPerPage = 256

/** One key's failure does not keep the others; it is thrown at the end. */
export async function finishIntents(kms: Kms): Promise<void> {
  const failures: unknown[] = []
  let after = ''
  for (;;) {
    const page = await pageOfIntents(kms.db.query, { after, limit: intentsPerPage })
    const left = page.filter(({ intentId }) => !kms.intentsInHand.has(intentId))
    for (const keyId of new Set(left.map((intent) => parseKeyId(intent.keyId)))) {
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
 * Before any call: idempotency keys whose request came to nothing are free again. A module that is
 * locked or away does not keep the manager from starting; the job goes on with what is left.
 */
export async function recover(kms: Kms): Promise<void> {
  try {
    await finishIntents(kms)
  } catch (error) {
    kms.log({ level: 'warn', message: 'changes are left to be finished', error })
  }
  const left = await pageOfIntents(kms.db.query, { after: '', limit: 1 })
  if (left.length === 0) await kms.db.write(deleteUnanswered)
}
