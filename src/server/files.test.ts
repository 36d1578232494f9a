/** The files that the server itself keeps in the data folder: client.json, the development key, TLS. */

import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite, test } from 'node:test'
import { selfSigned } from '../../tests/rest/raw.ts'
import { writeClientFile } from './client-file.ts'
import { type Configuration, ConfigurationError } from './configuration.ts'
import { sealSecret } from './seal-secret.ts'
import { isGood } from './tls.ts'

function withFolder(use: (folder: string) => void | Promise<void>): () => Promise<void> {
  return async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-server-'))
    try {
      await use(folder)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
}

const mode = (file: string) => statSync(file).mode & 0o777

suite('client.json', () => {
  const place = { address: 'https://127.0.0.1:1', authority: 'PEM' }

  test(
    'is for its owner alone, and later starts change everything but the token',
    withFolder(async (folder) => {
      const file = path.join(folder, 'client.json')
      assert.equal(await writeClientFile(folder, place, undefined), false)
      assert.equal(await writeClientFile(folder, place, 'token'), true)
      assert.equal(mode(file), 0o600)
      const address = 'https://127.0.0.1:2'
      assert.equal(await writeClientFile(folder, { ...place, address }, undefined), true)
      const content = JSON.parse(readFileSync(file, 'utf8'))
      assert.deepEqual(content, { address, authority: 'PEM', token: 'token' })
    }),
  )
})

suite('the secret of the seal', () => {
  const configuration = (folder: string, others: Partial<Configuration>): Configuration => ({
    folder,
    address: '127.0.0.1',
    port: 0,
    development: false,
    found: true,
    passphraseFile: undefined,
    seal: 'passphrase',
    tpm: undefined,
    pcrs: 'sha256:7',
    sensors: undefined,
    sinks: undefined,
    witnesses: [],
    freshnessWitness: undefined,
    launched: false,
    locked: false,
    ...others,
  })

  test(
    'a development key is made once, and its loss is not papered over',
    withFolder(async (folder) => {
      const { kind, read } = sealSecret(configuration(folder, { development: true }), undefined)
      assert.equal(kind, 'key-file')
      const first = await read()
      assert.deepEqual(await read(), first)
      const file = path.join(folder, 'development.key')
      assert.equal(mode(file), 0o600)
      writeFileSync(path.join(folder, 'keyhold.json'), '{"domainId":"00"}')
      rmSync(file)
      await assert.rejects(read(), /missing or damaged/)
    }),
  )

  test(
    'a passphrase file is read anew each time, and must be private',
    withFolder(async (folder) => {
      const passphraseFile = path.join(folder, 'passphrase')
      const { kind, read } = sealSecret(configuration(folder, { passphraseFile }), undefined)
      assert.equal(kind, 'passphrase')
      writeFileSync(passphraseFile, 'correct horse battery\nstaple', { mode: 0o600 })
      assert.equal(Buffer.from((await read()) ?? []).toString(), 'correct horse battery')
      writeFileSync(passphraseFile, 'another passphrase')
      assert.equal(Buffer.from((await read()) ?? []).toString(), 'another passphrase')
      chmodSync(passphraseFile, 0o640)
      await assert.rejects(read(), /chmod 600/)
    }),
  )

  test(
    'a passphrase that is too short or too long is refused',
    withFolder(async (folder) => {
      const passphraseFile = path.join(folder, 'passphrase')
      const { read } = sealSecret(configuration(folder, { passphraseFile }), undefined)
      for (const passphrase of ['', 'elevenbytes', 'x'.repeat(1_025)]) {
        writeFileSync(passphraseFile, passphrase, { mode: 0o600 })
        await assert.rejects(read(), /12 to 1024 bytes/)
      }
    }),
  )

  test('a server that starts locked asks nobody', async () => {
    const { read } = sealSecret(configuration('/x', { locked: true }), undefined)
    assert.equal(await read(), null)
  })

  test('without a file and without a terminal there is nobody to ask', () => {
    assert.throws(() => sealSecret(configuration('/x', {}), undefined), ConfigurationError)
  })
})

suite('the TLS certificate', () => {
  const day = 24 * 60 * 60 * 1_000
  const made = selfSigned(90)
  const found = { ...made, authority: made.certificate }

  test('is good until 30 days remain, for the addresses that it names', () => {
    assert.equal(isGood(found, '127.0.0.1', Date.now()), true)
    assert.equal(isGood(found, '127.0.0.1', Date.now() + 59 * day), true)
    assert.equal(isGood(found, '127.0.0.1', Date.now() + 61 * day), false)
    assert.equal(isGood(found, '127.0.0.1', Date.now() - 2 * day), false)
    assert.equal(isGood(found, '192.0.2.1', Date.now()), false)
  })

  test('with the key of another, from another authority, or cut, is not good', () => {
    const other = selfSigned(90)
    assert.equal(isGood({ ...found, key: other.key }, '127.0.0.1', Date.now()), false)
    assert.equal(isGood({ ...found, authority: other.certificate }, '127.0.0.1', Date.now()), false)
    const certificate = made.certificate.slice(0, 200)
    assert.equal(isGood({ ...found, certificate }, '127.0.0.1', Date.now()), false)
  })
})
