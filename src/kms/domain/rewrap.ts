/**
 * Every wrapped key of the database under the newest KEK. A page of them goes to the module in one frame,
 * and what comes back replaces a row only if nobody has changed it since: a change in between has brought
 * the newest KEK with it. So it waits for nobody and nobody waits for it, and asked again it goes on
 * where it was.
 */

import type { Call, Outcome } from '../../hsm/contract/commands.ts'
import { kekOfWrapped, parseKeyId } from '../../hsm/contract/keys.ts'
import {
  oldestKek,
  putRewrapped,
  versionsUnderKek,
  type WrappedVersion,
} from '../../storage/key-versions.ts'
import { callModule } from '../commands.ts'
import type { KmsErrorCode } from '../errors.ts'
import { forgetKey } from '../keys/known-keys.ts'
import type { Caller, Kms } from '../kms.ts'

/** Versions in one frame: each brings at most 8 KiB, and takes a few tens of microseconds. */
const versionsPerFrame = 64

/** A version that the module refused to re-wrap. */
export interface NotRewrapped {
  readonly key: string
  readonly version: number
  readonly code: KmsErrorCode
}

/**
 * What is under an older KEK than this one, once; answers what the module refused. Ends early when the
 * manager stops.
 *
 * @throws KmsError MODULE_UNAVAILABLE
 */
export async function rewrapAll(kms: Kms, caller: Caller, kek: number): Promise<NotRewrapped[]> {
  const refused: NotRewrapped[] = []
  for (let after = 0; ; ) {
    const older = await oldestKek(kms.db.query, { after, before: kek })
    if (older === undefined) return refused
    refused.push(...(await rewrapUnder(kms, caller, older)))
    if (kms.background.signal.aborted) return refused
    after = older
  }
}

async function rewrapUnder(kms: Kms, caller: Caller, kek: number): Promise<NotRewrapped[]> {
  const refused: NotRewrapped[] = []
  let after = { keyId: '', version: 0 }
  for (;;) {
    const page = { kek, after, limit: versionsPerFrame }
    const rows = await versionsUnderKek(kms.db.query, page)
    const last = rows.at(-1)
    if (last === undefined || kms.background.signal.aborted) return refused
    after = last
    refused.push(...(await rewrapPage(kms, caller, kek, rows)))
  }
}

async function rewrapPage(
  kms: Kms,
  caller: Caller,
  kek: number,
  rows: readonly WrappedVersion[],
): Promise<NotRewrapped[]> {
  const calls = rows.map(({ keyId, version, wrapped }): Call => {
    const args = { key: keyId, version }
    return { command: 'rewrapKey', arguments: args, parts: { wrapped } }
  })
  const outcomes = await callModule(kms, caller, calls)
  await kms.db.write(async (query) => {
    for (const [index, row] of rows.entries()) {
      const wrapped = wrappedOf(outcomes[index])
      if (!wrapped) continue
      await putRewrapped(query, { ...row, kek }, { wrapped, kek: kekOfWrapped(wrapped) })
    }
  })
  for (const { keyId, version } of rows) forgetKey(kms, parseKeyId(keyId), [version])
  return rows.flatMap(({ keyId: key, version }, index) => {
    const outcome = outcomes[index]
    return outcome && 'error' in outcome ? [{ key, version, code: outcome.error.code }] : []
  })
}

function wrappedOf(outcome: Outcome | undefined): Uint8Array | undefined {
  if (outcome === undefined || 'error' in outcome) return undefined
  return 'wrapped' in outcome.parts ? outcome.parts.wrapped : undefined
}
