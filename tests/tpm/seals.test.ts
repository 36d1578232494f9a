/**
 * A domain that opens by its machine's TPM, with other seals beside it: automatic start and the way back
 * when the TPM refuses, at the host and on the command line.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, suite, test } from 'node:test'
import type { Host } from '../../src/host/host.ts'
import { tpmPlace } from '../../src/host/seals.ts'
import { sealSecret } from '../../src/host/start-up.ts'
import { makeTpmSeal, openTpmSeal, policyDefault } from '../../src/host/tpm/seal.ts'
import { sealSecretFor } from '../../src/hsm/contract/sealed-part.ts'
import { keyhold, start } from '../cli/keyhold.ts'
import { claimOf, openAt, random } from '../host/open.ts'
import { SoftwareTpm } from './swtpm.ts'

const claim = claimOf('request')
const passphrase = 'correct horse battery staple'
const extension = `7:sha256=${'11'.repeat(32)}`

suite('seals side by side', { timeout: 120_000 }, () => {
  let tpm: SoftwareTpm
  let parent: string

  before(async () => {
    tpm = await SoftwareTpm.start()
    parent = mkdtempSync(path.join(tmpdir(), 'keyhold-seals-'))
  })
  after(async () => {
    await tpm?.[Symbol.asyncDispose]()
    rmSync(parent, { recursive: true, force: true })
  })

  const byTpm = (folder: string, foundIfEmpty = false): Promise<Host> =>
    openAt(folder, {
      foundIfEmpty,
      sealKind: 'tpm',
      secret: async () => {
        const place = await tpmPlace(folder)
        if (foundIfEmpty) return makeTpmSeal(place, policyDefault, tpm)
        return openTpmSeal(place, tpm)
      },
    })
  const byPassphrase = (folder: string): Promise<Host> =>
    openAt(folder, {
      foundIfEmpty: false,
      sealKind: 'passphrase',
      counter: { tcti: tpm.tcti },
      secret: async () => Buffer.from(passphrase),
    })

  const add = async (host: Host, secret: string): Promise<void> => {
    const sealed = await sealSecret(
      host,
      sealSecretFor('addSeal', 'passphrase'),
      Buffer.from(secret),
    )
    await host.seals.add(claim, 'passphrase', sealed)
  }
  const kindsOf = async (host: Host) => (await host.seals.list()).map(({ kind }) => kind)

  test('TPM and passphrase open one domain; when the TPM refuses, the passphrase and a new TPM seal', async () => {
    const folder = path.join(parent, 'both')
    {
      await using host = await byTpm(folder, true)
      await add(host, passphrase)
      assert.deepEqual(await kindsOf(host), ['passphrase', 'tpm'])
      const kinds = (await host.events.read(100)).filter(({ event }) => event === 'seal added')
      assert.deepEqual(
        kinds.map(({ kind }) => kind),
        ['passphrase'],
      )
    }
    const { domainId } = await (async () => {
      await using host = await byTpm(folder)
      return host.status()
    })()
    tpm.tool('pcrextend', extension)
    await assert.rejects(byTpm(folder), { code: 'TPM_POLICY_REFUSED' })
    {
      await using host = await byPassphrase(folder)
      assert.equal(host.status().domainId, domainId)
      await assert.rejects(host.seals.add(claim, 'tpm', Buffer.alloc(1_200)), {
        code: 'SEAL_MISSING',
      })
      const outdated = await host.seals.prepareTpm(policyDefault)
      const sealed = await host.seals.prepareTpm(policyDefault)
      await assert.rejects(host.seals.add(claim, 'tpm', outdated), { code: 'SEAL_MISSING' })
      await host.seals.add(claim, 'tpm', sealed)
      assert.equal(readdirSync(path.join(folder, 'tpm')).length, 1)
    }
    {
      await using host = await byTpm(folder)
      assert.equal(host.status().domainId, domainId)
      assert.equal((await host.call(claim, [random])).length, 1)
    }
    await tpm.powerOff()
    await assert.rejects(byTpm(folder), { code: 'TPM_UNAVAILABLE' })
    await tpm.powerOn()
  })

  test('one seal stays; one that was removed opens nothing; too short a secret changes nothing', async () => {
    const folder = path.join(parent, 'remove')
    {
      await using host = await byTpm(folder, true)
      await assert.rejects(host.seals.remove(claim, 'tpm'), { code: 'SEAL_LAST' })
      await assert.rejects(host.seals.remove(claim, 'passphrase'), { code: 'SEAL_MISSING' })
      const short = add(host, 'short')
      await assert.rejects(short, { code: 'ARGUMENT_INVALID' })
      assert.deepEqual(await kindsOf(host), ['tpm'])
      await add(host, passphrase)
      await host.seals.remove(claim, 'tpm')
      assert.deepEqual(await kindsOf(host), ['passphrase'])
    }
    await assert.rejects(byTpm(folder), { code: 'TPM_NOT_SET_UP' })
    await (await byPassphrase(folder))[Symbol.asyncDispose]()
  })

  test('keyhold serve --seal tpm founds a domain and opens it, and says why the TPM refuses', async () => {
    const folder = path.join(parent, 'served')
    const args = [
      'serve',
      '--json',
      '--port',
      '0',
      '--data',
      folder,
      '--seal',
      'tpm',
      '--tpm',
      tpm.tcti,
    ]
    for (const more of [['--found', '--pcrs', 'sha256:7,14'], []]) {
      const server = start([...args, ...more])
      assert(server.stdout)
      const [line] = await once(createInterface({ input: server.stdout }), 'line')
      assert.equal(JSON.parse(line).ready, true)
      server.kill('SIGTERM')
      const [code] = await once(server, 'close')
      assert.equal(code, 0)
    }
    tpm.tool('pcrextend', extension.replace('7:', '14:'))
    const refused = await keyhold(args)
    assert.equal(refused.code, 77, refused.stderr)
    assert.match(refused.stderr, /TPM_POLICY_REFUSED/)
    writeFileSync(path.join(folder, 'tpm', 'first', 'policy.json'), '{}')
    assert.match((await keyhold(args)).stderr, /TPM_FOREIGN/)
  })
})
