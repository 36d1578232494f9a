/**
 * Invariants 4 and 5 at the manager: module and server are killed at random moments of 500 changes of
 * keys, of 2,000 in the long form. Afterwards every acknowledged key works, none is half there, every acknowledged destruction
 * holds, and the record has no gap.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Host } from '../../src/host/host.ts'
import type { Call, Outcome } from '../../src/hsm/contract/commands.ts'
import { parseKeyId } from '../../src/hsm/contract/keys.ts'
import type { Kms } from '../../src/kms/kms.ts'
import { openKms } from '../../src/kms/open.ts'
import { findKeyName } from '../../src/storage/key-names.ts'
import { versionsOf } from '../../src/storage/key-versions.ts'
import { findKey, type KeysTable, pageOfKeys } from '../../src/storage/keys.ts'
import { claimOf, openAt, readRecord, withFolder } from '../host/open.ts'
import type { Change, Line } from './killed-load.ts'

const changesMin = process.env.KEYHOLD_LONG ? 2_000 : 500

/** What was said about each key, by name: the changes that were answered, and one that may be done. */
type Said = Map<string, { ended: Change[]; open: Change | undefined }>

suite('kills', () => {
  test(
    'what was acknowledged holds, whenever module and server are killed',
    { timeout: 240_000 },
    withFolder(async (folder) => {
      const said: Said = new Map()
      let ended = 0
      let kills = 0
      for (; ended < changesMin; kills += 1) {
        ended += await killedLoad(folder, `start${kills}`, said)
        if (kills % 3 === 2) await check(folder, said)
      }
      await check(folder, said)
      assert(kills >= 3, `only ${kills} kills`)
    }),
  )
})

/** Every second time, the module is killed first, and the server goes on for a while. */
async function killedLoad(folder: string, start: string, said: Said): Promise<number> {
  const script = path.join(import.meta.dirname, 'killed-load.ts')
  const stdio = ['ignore', 'pipe', 'inherit'] as const
  const child = spawn(process.execPath, [script, folder, start], { stdio: [...stdio] })
  assert(child.stdout)
  let ended = 0
  for await (const text of createInterface({ input: child.stdout })) {
    const line = parseLine(text)
    if (line === undefined) continue
    if ('pid' in line) {
      void killSoon(line.pid, () => child.kill('SIGKILL'))
      continue
    }
    const { did, change, name } = line
    const key = said.get(name) ?? { ended: [], open: undefined }
    said.set(name, key)
    key.open = did === 'begin' ? change : undefined
    if (did === 'end') {
      key.ended.push(change)
      ended += 1
    }
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  assert.equal(child.signalCode, 'SIGKILL')
  return ended
}

/** The last line may be cut. */
function parseLine(text: string): Line | undefined {
  return text.endsWith('}') ? JSON.parse(text) : undefined
}

async function killSoon(module: number, killServer: () => void): Promise<void> {
  await sleep(50 + Math.random() * 250)
  if (Math.random() < 0.5) {
    process.kill(module, 'SIGKILL')
    await sleep(Math.random() * 600)
  }
  killServer()
}

async function check(folder: string, said: Said): Promise<void> {
  await using host = await openAt(folder)
  await using kms = await openKms({ folder, host, now: Date.now, log: () => undefined })
  for (const table of ['intents', 'answers'] as const) {
    const rows = await kms.db.query.selectFrom(table).selectAll().execute()
    if (table === 'intents') assert.deepEqual(rows, [])
    else assert(rows.every((row) => !('answer' in row) || row.answer !== null))
  }
  for (const [name, { ended, open }] of said) {
    const found = await findKeyName(kms.db.query, { namespace: 'default', name })
    if (found === undefined) {
      assert.deepEqual(ended, [], `${name} is lost`)
      continue
    }
    const row = await findKey(kms.db.query, found.keyId)
    assert(row, `${name} names nothing`)
    assertState(row, ended, open)
  }
  for (let after = ''; ; ) {
    const rows = await pageOfKeys(kms.db.query, { namespace: 'default', after, limit: 256 })
    for (const row of rows) await assertWhole(kms, host, row)
    const last = rows.at(-1)
    if (last === undefined) break
    after = last.name
  }
  await readRecord(host)
}

/** The key is where the last answer has left it, or where what was open would have left it. */
function assertState(row: KeysTable, ended: readonly Change[], open: Change | undefined): void {
  const after = (changes: readonly Change[]) => {
    const last = changes.findLast((change) => change !== 'rotate')
    if (last === 'destroy') return 'destroyed'
    return last === 'disable' ? 'suspended' : 'active'
  }
  const what = `${row.name}: ${ended.join(' ')} and perhaps ${open}`
  const states = [after(ended), ...(open ? [after([...ended, open])] : [])]
  assert(states.includes(row.state), `${what}, but it is ${row.state}`)
  const rotations = ended.filter((change) => change === 'rotate').length
  const most = rotations + (open === 'rotate' ? 1 : 0)
  assert(row.currentVersion >= 1 + rotations && row.currentVersion <= 1 + most, what)
}

/** The module and the rows say the same of every version; what is destroyed is refused. */
async function assertWhole(kms: Kms, host: Host, row: KeysTable): Promise<void> {
  const key = parseKeyId(row.keyId)
  const versions = await versionsOf(kms.db.query, row.keyId)
  assert(
    versions.some(({ version }) => version === row.currentVersion),
    row.name,
  )
  for (const { version, state, revision, wrapped } of versions) {
    const args = { key, version }
    if (row.state === 'destroyed') {
      assert.deepEqual([state, wrapped], ['destroyed', null])
      const data = Buffer.from('x')
      const outcome = await ask(host, { command: 'sign', arguments: args, parts: { data } })
      assert('error' in outcome && outcome.error.code === 'KEY_DESTROYED', row.name)
      continue
    }
    assert(wrapped, row.name)
    const expected = version === row.currentVersion ? row.state : 'deactivated'
    assert.equal(state, expected, `${row.name} version ${version}`)
    const outcome = await ask(host, { command: 'loadKey', arguments: args, parts: { wrapped } })
    assert(!('error' in outcome), `${row.name} version ${version}: ${JSON.stringify(outcome)}`)
    assert('attributes' in outcome.result)
    assert.deepEqual(
      [outcome.result.attributes.state, outcome.result.attributes.revision],
      [state, revision],
    )
  }
}

async function ask(host: Host, call: Call): Promise<Outcome> {
  const [outcome] = await host.call(claimOf('check'), [call])
  assert(outcome)
  return outcome
}
