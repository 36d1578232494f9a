/** Keys for the tests of commands: made through the door of a given module, and refusals of it. */

import assert from 'node:assert/strict'
import { createPublicKey, type KeyObject } from 'node:crypto'
import type { KeyClass } from './contract/algorithms.ts'
import type { KeyTemplate } from './contract/keys.ts'
import type { Ask, Caller, ItemAnswer } from './door.testing.ts'
import { newKeyId } from './door.testing.ts'

export interface MadeKey {
  readonly reference: { readonly key: string; readonly version: number }
  readonly answer: ItemAnswer
  readonly wrapped: Uint8Array
}

export async function generate(caller: Caller, of: KeyTemplate): Promise<MadeKey> {
  const reference = { key: newKeyId(), version: 1 }
  const ask = { command: 'generateKey', arguments: { ...reference, template: of } }
  return made(reference, await caller.ok(ask))
}

export async function importKey(
  caller: Caller,
  of: KeyTemplate,
  keyClass: KeyClass,
  bytes: Uint8Array,
): Promise<MadeKey> {
  const reference = { key: newKeyId(), version: 1 }
  const args = { ...reference, template: of, class: keyClass }
  const parts = { sealed: caller.sealedKey(args, bytes) }
  const answer = await caller.ok({ command: 'importKey', arguments: args, parts })
  return made(reference, answer)
}

export function spki({ answer }: MadeKey): KeyObject {
  const key = Buffer.from(answer.parts.publicKey ?? [])
  return createPublicKey({ key, format: 'der', type: 'spki' })
}

/** It is refused with the code, and that changes nothing but the record (invariant 11). */
export async function refuses(caller: Caller, code: string, ask: Ask): Promise<void> {
  const { keys, open } = caller.module
  const before = [keys.size, open.floor.size, caller.module.state]
  assert.equal(await caller.refusal(ask), code, `${ask.command} ${JSON.stringify(ask.arguments)}`)
  assert.deepEqual([keys.size, open.floor.size, caller.module.state], before, 'invariant 11')
}

function made(reference: MadeKey['reference'], answer: ItemAnswer): MadeKey {
  assert(answer.parts.wrapped)
  return { reference, answer, wrapped: answer.parts.wrapped }
}
