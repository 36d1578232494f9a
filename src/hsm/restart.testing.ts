/** A module's end and its next start, with what a host would have kept in between. */

import assert from 'node:assert/strict'
import { Caller, decodeAnswer } from './door.testing.ts'
import type { Clock } from './record.ts'

export const fixedMs = 1_800_000_000_000
/** A clock that stands still, so that no head is signed in between: the record is then its groups. */
export const fixedClock: Clock = () => fixedMs * 1_000

/** A module that opens with everything that the caller's sent since `Caller.founded`; not unlocked. */
export async function stagedAgain(
  before: Caller,
  options: ConstructorParameters<typeof Caller>[0] = {},
): Promise<{ caller: Caller; seal: Uint8Array; unlock: () => Promise<void> }> {
  const answers = before.frames.map(decodeAnswer)
  const { seal, snapshot } = answers[0]?.items[0]?.parts ?? {}
  assert(seal && snapshot)
  const caller = new Caller({ clock: fixedClock, ...options })
  const stage = (kind: string, data: Uint8Array) =>
    caller.ok({ command: 'stage', arguments: { kind }, parts: { data } })
  await stage('snapshot', snapshot)
  const changes = answers.flatMap((answer) => answer.changes)
  if (changes.length > 0) await stage('change', behindLengths(changes))
  await stage('group', behindLengths(answers.map(({ group }) => group)))
  const unlock = async () => {
    const secret = caller.sealed('unlock', 'key-file', Buffer.alloc(32, 7))
    const parts = { seal, secret }
    await caller.ok({ command: 'unlock', arguments: { seal: 'key-file' }, parts })
  }
  return { caller, seal, unlock }
}

/** Another process of the same module. */
export async function restarted(
  before: Caller,
  options: ConstructorParameters<typeof Caller>[0] = {},
): Promise<Caller> {
  const { caller, unlock } = await stagedAgain(before, options)
  await unlock()
  return caller
}

function behindLengths(all: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    all.flatMap((bytes) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(bytes.length)
      return [length, bytes]
    }),
  )
}
