/**
 * Invariant 7 across restarts, with a witness: the whole data folder, or parts of it, are put back to an older,
 * consistent copy while the host is stopped.
 */

import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, suite, test } from 'node:test'
import type { Host } from '../../src/host/host.ts'
import type { NoteKey } from '../../src/hsm/contract/signed-note.ts'
import { call, claimOf, openAt } from '../host/open.ts'
import { Outside } from './outside.ts'

const claim = claimOf('request')

suite('freshness by a witness', { timeout: 120_000 }, () => {
  const parent = mkdtempSync(path.join(tmpdir(), 'keyhold-fresh-'))
  after(() => rmSync(parent, { recursive: true, force: true }))
  const folder = path.join(parent, 'data')
  const place = (name: string) => path.join(parent, name)
  const replace = (from: string, to = folder) => {
    rmSync(to, { recursive: true, force: true })
    cpSync(from, to, { recursive: true })
  }
  const statusOf = async (host: Host) => (await host.run(claim, call('getStatus', {}, {}))).result
  const destroy = async (host: Host, digit: string): Promise<void> => {
    const args = { key: `key_${digit.repeat(32)}`, version: 1 }
    await host.run(claim, call('destroyKey', args, {}))
  }
  /** Opens, works, closes. */

  const live = async (outside: Outside | undefined, work: (host: Host) => Promise<void>) => {
    const witness = outside?.place(1)
    await using host = await openAt(folder, {
      foundIfEmpty: true,
      ...(witness && { witnesses: [witness], freshnessWitness: witness }),
    })
    await work(host)
  }
  const assertIs = async (host: Host, state: string, freshness: string) => {
    const found = await statusOf(host)
    assert.deepEqual([found.state, found.freshness], [state, freshness])
  }
  const logsOf = async (host: Host): Promise<NoteKey[]> => {
    const { identityKey } = await statusOf(host)
    const publicKey = Buffer.from(identityKey, 'hex')
    const { origin } = host.log
    return ['', '/starts'].map((log) => ({ name: origin + log, type: 'ed25519', publicKey }))
  }

  test('pinned at the first start at which the witness knows the record; then it confirms each one', async () => {
    await using witness = await Outside.start(parent)
    await live(witness, async (host) => {
      await assertIs(host, 'operational', 'none')
      for (const log of await logsOf(host)) witness.store.addLog(log)
    })
    await live(witness, async (host) => {
      await assertIs(host, 'operational', 'witness')
      await destroy(host, '1')
    })
    replace(folder, place('older'))
    await live(witness, async (host) => {
      await assertIs(host, 'operational', 'witness')
      await destroy(host, '2')
      replace(folder, place('running'))
    })
    replace(folder, place('newest'))

    // All of it; the state alone, beside the newest record; the record alone, beside the newest state.
    for (const parts of [['module', 'record'], ['module'], ['record']]) {
      replace(place('newest'))
      for (const part of parts) replace(path.join(place('older'), part), path.join(folder, part))
      await live(witness, async (host) =>
        assert.equal((await statusOf(host)).state, 'tampered'),
      ).catch((error) => {
        assert.deepEqual([parts, error.code], [['record'], 'RECORD_INVALID'])
      })
    }
    replace(place('older'))
    await live(witness, async (host) => {
      const { state, reason } = await statusOf(host)
      assert.equal(state, 'tampered')
      assert.match(reason, /^state-back: witness: it has seen/)
    })
    // What was copied while it ran lacks the confirmation of its end.
    replace(place('running'))
    await live(witness, (host) => assertIs(host, 'tampered', 'unconfirmed'))
    replace(place('newest'))
    await live(witness, (host) => assertIs(host, 'operational', 'witness'))

    // A host that is killed, whenever, opens again.
    for (let crash = 0; crash < 2; crash += 1) {
      await live(witness, async (host) => {
        await destroy(host, String(crash + 3))
        replace(folder, place('killed'))
        witness.answer = (_, response) => response.destroy()
      })
      witness.answer = undefined
      replace(place('killed'))
    }
    await live(witness, (host) => assertIs(host, 'operational', 'witness'))

    // Without the witness nothing is served, until an officer takes it upon himself.
    await live(undefined, async (host) => {
      await assertIs(host, 'tampered', 'unconfirmed')
      await host.run(claim, call('acknowledgeTamper', {}, {}))
      await assertIs(host, 'operational', 'none')
    })
  })
})
