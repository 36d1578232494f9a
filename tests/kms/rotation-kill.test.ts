/**
 * Invariant 4 while the KEK, or the whole epoch, is renewed: module and server are killed at random moments of one renewal
 * after the other, with keys being made, used, rotated and destroyed beside it. Afterwards the renewal is
 * finished, every wrapped key is under the newest KEK and opens, what was acknowledged holds, and each
 * epoch that was shredded has its certificate.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Host } from '../../src/host/host.ts'
import { type KeyId, kekOfWrapped } from '../../src/hsm/contract/keys.ts'
import { finishRotation } from '../../src/kms/domain/rotation.ts'
import { findCertificate } from '../../src/kms/domain/rotation-plan.ts'
import type { Kms } from '../../src/kms/kms.ts'
import { openKms } from '../../src/kms/open.ts'
import { findKeyName } from '../../src/storage/key-names.ts'
import { versionsOf } from '../../src/storage/key-versions.ts'
import { findSetting } from '../../src/storage/settings.ts'
import { call, claimOf, openRenewable, readRecord, withFolder } from '../host/open.ts'
import type { Line } from './rotation-load.ts'

const killsMin = process.env.KEYHOLD_LONG ? 40 : 3

/** Names of keys that were acknowledged, and whether they were destroyed. */
type Said = Map<string, boolean>

suite('kills while the KEK is renewed', () => {
  test(
    'no key is lost, and each renewal comes to its end',
    { timeout: 240_000 },
    withFolder(async (folder) => {
      const said: Said = new Map()
      let renewals = 0
      for (let kills = 0; kills < killsMin; kills += 1) {
        renewals += await killedLoad(folder, `start${kills}`, said)
      }
      await check(folder, said)
      assert(renewals >= killsMin, `only ${renewals} renewals`)
    }),
  )
})

/** Answers how many renewals were begun and ended in it. */
async function killedLoad(folder: string, start: string, said: Said): Promise<number> {
  const script = path.join(import.meta.dirname, 'rotation-load.ts')
  const stdio = ['ignore', 'pipe', 'inherit'] as const
  const child = spawn(process.execPath, [script, folder, start], { stdio: [...stdio] })
  assert(child.stdout)
  let renewals = 0
  for await (const text of createInterface({ input: child.stdout })) {
    // The last line may be cut.
    const line: Line | undefined = text.endsWith('}') ? JSON.parse(text) : undefined
    if (line === undefined) continue
    if ('pid' in line) void killSoon(line.pid, () => child.kill('SIGKILL'))
    else if (line.did === 'rotate-kek') renewals += 1
    else said.set(line.name, line.did === 'destroy')
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  assert.equal(child.signalCode, 'SIGKILL')
  return renewals
}

async function killSoon(module: number, killServer: () => void): Promise<void> {
  await sleep(400 + Math.random() * 600)
  if (Math.random() < 0.5) {
    process.kill(module, 'SIGKILL')
    await sleep(Math.random() * 600)
  }
  killServer()
}

async function check(folder: string, said: Said): Promise<void> {
  await using host = await openRenewable(folder)
  await using kms = await openKms({ folder, host, now: Date.now, log: () => undefined })
  await kms.background.idle()
  await finishRotation(kms)
  const text = await findSetting(kms.db.query, 'rotation')
  // One that had not come to the module is forgotten: nobody was told of it.
  if (text !== undefined) assert.equal(JSON.parse(text).phase, 'done')
  const { result } = await host.run(claimOf('check'), call('getStatus', {}, {}))
  assert.equal(result.rewrapping, false)
  assert(result.epoch > 1)
  for (let epoch = 1; epoch < result.epoch; epoch += 1) {
    assert(await findCertificate(kms, epoch), `epoch ${epoch} has no certificate`)
  }
  for (const [name, isDestroyed] of said) {
    const found = await findKeyName(kms.db.query, { namespace: 'default', name })
    assert(found, `${name} is lost`)
    await assertVersions(kms, host, found.keyId as KeyId, isDestroyed, result.kek)
  }
  await readRecord(host)
}

async function assertVersions(
  kms: Kms,
  host: Host,
  key: KeyId,
  isDestroyed: boolean,
  kek: number,
): Promise<void> {
  for (const { version, wrapped, kek: stored } of await versionsOf(kms.db.query, key)) {
    if (isDestroyed) assert.equal(wrapped, null)
    if (wrapped === null) continue
    assert.deepEqual([stored, kekOfWrapped(wrapped)], [kek, kek])
    await host.run(claimOf('check'), call('loadKey', { key, version }, { wrapped }))
  }
}
