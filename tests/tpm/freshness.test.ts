/**
 * Invariant 7 across restarts, with a TPM: the whole data folder is put back to an older, consistent
 * copy while the host is stopped. Without a counter nobody would know.
 */

import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import type { Host } from '../../src/host/host.ts'
import { tpmPlace } from '../../src/host/seals.ts'
import { sealSecret } from '../../src/host/start-up.ts'
import { makeTpmSeal, openTpmSeal, policyDefault } from '../../src/host/tpm/seal.ts'
import { sealSecretFor } from '../../src/hsm/contract/sealed-part.ts'
import { call, claimOf, openAt } from '../host/open.ts'
import { SoftwareTpm } from './swtpm.ts'

const claim = claimOf('request')

suite('freshness', { timeout: 120_000 }, () => {
  let tpm: SoftwareTpm
  let parent: string

  before(async () => {
    tpm = await SoftwareTpm.start()
    parent = mkdtempSync(path.join(tmpdir(), 'keyhold-freshness-'))
  })
  after(async () => {
    await tpm?.[Symbol.asyncDispose]()
    rmSync(parent, { recursive: true, force: true })
  })

  const open = (folder: string, foundIfEmpty = false): Promise<Host> =>
    openAt(folder, {
      foundIfEmpty,
      sealKind: 'tpm',
      counter: { tcti: tpm.tcti },
      secret: async () => {
        const place = await tpmPlace(folder)
        return foundIfEmpty ? makeTpmSeal(place, policyDefault, tpm) : openTpmSeal(place, tpm)
      },
    })
  const statusOf = async (host: Host) => (await host.run(claim, call('getStatus', {}, {}))).result
  const destroy = async (host: Host, digit: string): Promise<void> => {
    const args = { key: `key_${digit.repeat(32)}`, version: 1 }
    await host.run(claim, call('destroyKey', args, {}))
  }
  /** Opens, works, closes. */
  const live = async (folder: string, work: (host: Host) => Promise<void>, found = false) => {
    await using host = await open(folder, found)
    await work(host)
  }

  test('invariant 7: an older copy of the whole folder stops the module; the newest goes on', async () => {
    const folder = path.join(parent, 'data')
    const older = path.join(parent, 'older')
    const newest = path.join(parent, 'newest')
    await live(
      folder,
      async (host) => {
        assert.equal((await statusOf(host)).freshness, 'tpm counter')
        await destroy(host, '1')
      },
      true,
    )
    cpSync(folder, older, { recursive: true })
    await live(folder, async (host) => {
      assert.equal((await statusOf(host)).freshness, 'tpm counter')
      await destroy(host, '2')
    })
    cpSync(folder, newest, { recursive: true })
    rmSync(folder, { recursive: true })
    cpSync(older, folder, { recursive: true })
    await live(folder, async (host) => {
      const { state, reason } = await statusOf(host)
      assert.equal(state, 'tampered')
      assert.match(reason, /^state-back: the counter is beyond this state/)
    })
    rmSync(folder, { recursive: true })
    cpSync(newest, folder, { recursive: true })
    await live(folder, async (host) => {
      const { state, freshness } = await statusOf(host)
      assert.deepEqual([state, freshness], ['operational', 'tpm counter'])
    })
  })

  test('a host that is killed between two steps opens again', async () => {
    const folder = path.join(parent, 'killed')
    await live(folder, async () => undefined, true)
    for (let crash = 0; crash < 2; crash += 1) {
      // Its end without its last confirmation: the folder as it was while it ran.
      const copy = path.join(parent, `killed-${crash}`)
      {
        await using host = await open(folder)
        await destroy(host, String(crash + 3))
        cpSync(folder, copy, { recursive: true })
        await tpm.powerOff()
      }
      await tpm.powerOn()
      rmSync(folder, { recursive: true })
      cpSync(copy, folder, { recursive: true })
    }
    await live(folder, async (host) => {
      assert.equal((await statusOf(host)).freshness, 'tpm counter')
    })
  })

  test('without the TPM the module stays stopped until an officer takes it upon himself', async () => {
    const folder = path.join(parent, 'alone')
    await live(
      folder,
      async (host) => {
        const typed = Buffer.from('correct horse battery staple')
        const sealed = await sealSecret(host, sealSecretFor('addSeal', 'passphrase'), typed)
        await host.seals.add(claim, 'passphrase', sealed)
      },
      true,
    )
    await tpm.powerOff()
    const byPassphrase = {
      foundIfEmpty: false,
      sealKind: 'passphrase',
      counter: { tcti: tpm.tcti },
      secret: async () => Buffer.from('correct horse battery staple'),
    } as const
    await using host = await openAt(folder, byPassphrase)
    const { state, freshness } = await statusOf(host)
    assert.deepEqual([state, freshness], ['tampered', 'unconfirmed'])
    await host.run(claim, call('acknowledgeTamper', {}, {}))
    assert.deepEqual((await statusOf(host)).freshness, 'none')
    await tpm.powerOn()
    await host.freshness.pin(claim, await host.freshness.pinCall(claim))
    assert.equal((await statusOf(host)).freshness, 'tpm counter')
  })
})
