/**
 * Commands to the module with the keys that it does not hold: a use goes without its wrapped key first,
 * and only what was answered "not loaded" is asked again with it. In one frame a wrapped key goes with
 * the first of the commands that need it; the others find it loaded.
 */

import assert from 'node:assert/strict'
import type { Call, Outcome } from '../../hsm/contract/commands.ts'
import { callModule } from '../commands.ts'
import { type KnownKey, wrappedKey } from '../keys/known-keys.ts'
import type { Caller, Kms } from '../kms.ts'
import type { ReadyUse } from './calls.ts'

/** Loaded again, evicted again: a module that is asked for too many keys at once does that. */
const attemptsMax = 4

type Ready = Pick<ReadyUse<unknown>, 'call' | 'used' | 'target'>

/** An outcome for each, in their order. @throws KmsError when the frame as a whole failed */
export async function sendUses(
  kms: Kms,
  caller: Caller,
  uses: readonly Ready[],
): Promise<Outcome[]> {
  const calls = uses.map(({ call }) => call)
  const outcomes = await callModule(kms, caller, calls)
  for (let attempt = 1; attempt < attemptsMax; attempt += 1) {
    const again = uses.flatMap((use, index) =>
      wantsWrapped(outcomes[index]) ? [{ use, index }] : [],
    )
    if (again.length === 0) break
    const sent = new Set<string>()
    const loading: Call[] = []
    for (const { use, index } of again) {
      if (isOutdated(outcomes[index])) forgetWrapped(kms, use)
      loading.push(await withWrapped(kms, use, sent))
    }
    for (const [position, outcome] of (await callModule(kms, caller, loading)).entries()) {
      const index = again[position]?.index
      assert(index !== undefined)
      outcomes[index] = outcome
    }
  }
  return outcomes
}

async function withWrapped(kms: Kms, { call, used, target }: Ready, sent: Set<string>) {
  const parts = { ...call.parts, ...(await wrappedPart(kms, 'wrapped', used, sent)) }
  if (target === undefined) return { ...call, parts } as Call
  const reference = targetOf(call, target)
  const more = await wrappedPart(kms, 'targetWrapped', reference, sent)
  return { ...call, parts: { ...parts, ...more } } as Call
}

interface Reference {
  readonly key: KnownKey['id']
  readonly version: number
}

async function wrappedPart(
  kms: Kms,
  name: string,
  { key, version }: Reference,
  sent: Set<string>,
): Promise<Readonly<Record<string, Uint8Array>>> {
  const reference = `${key}/${version}`
  if (sent.has(reference)) return {}
  const wrapped = await wrappedKey(kms, { id: key, version })
  if (wrapped === undefined) return {}
  sent.add(reference)
  return { [name]: wrapped }
}

function targetOf(call: Call, target: KnownKey): Reference {
  const { target: reference } = call.arguments as { readonly target?: Reference }
  assert(reference?.key === target.id)
  return reference
}

/** What this process knows of the wrapped keys is older than what the module has seen. */
function forgetWrapped(kms: Kms, { call, used, target }: Ready): void {
  kms.caches.wrapped.forget(`${used.key}/${used.version}`)
  if (target === undefined) return
  const { key, version } = targetOf(call, target)
  kms.caches.wrapped.forget(`${key}/${version}`)
}

function wantsWrapped(outcome: Outcome | undefined): boolean {
  return (
    outcome !== undefined &&
    'error' in outcome &&
    (outcome.error.code === 'KEY_NOT_LOADED' || isOutdated(outcome))
  )
}

function isOutdated(outcome: Outcome | undefined): boolean {
  return (
    outcome !== undefined && 'error' in outcome && outcome.error.code === 'WRAPPED_KEY_OUTDATED'
  )
}
