/**
 * The end of a key's bytes: the floor refuses every version's wrapped key from then on, the module
 * forgets what it has loaded and certifies that, and the database drops what it has stored. Done again from the start, it
 * changes nothing more; so an intent to destroy is always finished, never undone.
 */

import type { Call } from '../../hsm/contract/commands.ts'
import { type KeyId, keyStates } from '../../hsm/contract/keys.ts'
import { deleteIntent } from '../../storage/intents.ts'
import { eraseVersions, putCertificate, versionsOf } from '../../storage/key-versions.ts'
import { findKey, updateKeyRow } from '../../storage/keys.ts'
import { answerOf, callModule } from '../commands.ts'
import type { Caller, Kms } from '../kms.ts'
import { forgetKey } from './known-keys.ts'

/** Each brings its wrapped key, and takes a certificate of 5 KiB with it. */
const versionsPerFrame = 128

/** Versions of a compromised key say so for ever (SP 800-57 part 1 section 7). */
const statesAtTheEnd = keyStates.map((from) => ({
  from,
  to: from === 'compromised' ? 'destroyed-compromised' : 'destroyed',
}))

export async function finishDestruction(
  kms: Kms,
  caller: Caller,
  { id, keyId }: { readonly id: string; readonly keyId: KeyId },
): Promise<void> {
  const row = await findKey(kms.db.query, keyId)
  // Versions that were begun and never recorded are destroyed as well: somebody may have kept one.
  const versions = Array.from({ length: row?.lastVersion ?? 0 }, (_, index) => index + 1)
  const stored = new Map((await versionsOf(kms.db.query, keyId)).map((one) => [one.version, one]))
  const certificates: { readonly version: number; readonly certificate: Uint8Array }[] = []
  for (let from = 0; from < versions.length; from += versionsPerFrame) {
    const some = versions.slice(from, from + versionsPerFrame)
    const calls = some.map((version): Call => {
      const wrapped = stored.get(version)?.wrapped ?? undefined
      return {
        command: 'destroyKey',
        arguments: { key: keyId, version, certify: true },
        parts: wrapped ? { wrapped } : {},
      }
    })
    for (const [index, outcome] of (await callModule(kms, caller, calls)).entries()) {
      const { certificate } = answerOf<'destroyKey'>(outcome).parts
      const version = some[index]
      if (certificate && version !== undefined) certificates.push({ version, certificate })
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
