/**
 * What a policy that became weaker leaves in the database: no wrapped copy under an older KEK opens any
 * more, so every one goes, and each version says which version of the domain state destroyed it. Done
 * again from the start, it changes nothing more. The manager's own keys were among them, and are made anew.
 */

import type { DomainState } from '../../hsm/contract/domain-state.ts'
import { parseKeyId } from '../../hsm/contract/keys.ts'
import { eraseUnderOlderKek, keysUnderOlderKek } from '../../storage/key-versions.ts'
import { endKeys } from '../../storage/keys.ts'
import { renewAuthority } from '../authority.ts'
import { runCommand } from '../commands.ts'
import { forgetKey } from '../keys/known-keys.ts'
import { statesAtTheEnd } from '../keys/rows.ts'
import type { Caller, Kms } from '../kms.ts'
import { keepWeakeningCertificate, type Plan } from './rotation-plan.ts'

const keysPerTransaction = 500

/** False when the manager stops in between. @throws KmsError MODULE_UNAVAILABLE */
export async function destroyAll(kms: Kms, caller: Caller, plan: Plan): Promise<boolean> {
  const { kek } = plan.to
  const destroyedBy = await certified(kms, caller, plan)
  const states = statesAtTheEnd
  for (;;) {
    const keyIds = await keysUnderOlderKek(kms.db.query, { kek, limit: keysPerTransaction })
    if (keyIds.length === 0) break
    await kms.keyLocks.holdAll(keyIds, () =>
      kms.db.write(async (query) => {
        await eraseUnderOlderKek(query, keyIds, { kek, destroyedBy, states })
        await endKeys(query, keyIds, { states, now: kms.now() })
      }),
    )
    for (const keyId of keyIds) forgetKey(kms, parseKeyId(keyId))
    if (kms.background.signal.aborted) return false
  }
  kms.caches.wrapped.forgetAll()
  await renewAuthority(kms)
  return true
}

/**
 * Which version of the domain state it was; its certificate is kept. Null when the power went before the
 * module had that version, and after it had given up its KEK.
 */
async function certified(kms: Kms, caller: Caller, { from }: Plan): Promise<number | null> {
  const call = { command: 'getDomainState', arguments: {}, parts: {} } as const
  const { parts } = await runCommand<'getDomainState'>(kms, caller, call)
  const { statement } = JSON.parse(Buffer.from(parts.state).toString()) as { statement: string }
  const { weakening } = JSON.parse(statement) as DomainState
  if (weakening?.kek !== from.kek || !parts.certificate) {
    kms.log({ level: 'warn', message: 'keys are gone, and no policy became weaker: ask again' })
    return null
  }
  await keepWeakeningCertificate(kms, weakening.version, parts.certificate)
  return weakening.version
}
