/** client.json: read when it is whole and private, refused otherwise, its token in no error. */

import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, suite, test } from 'node:test'
import { dataFolder, readConfig } from './config.ts'

const authority = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n'
const config = { address: 'https://127.0.0.1:8443', authority, token: 'kh_token' }

suite('client.json', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-config-'))
  const file = path.join(folder, 'client.json')
  after(() => rmSync(folder, { recursive: true }))
  const write = (value: unknown, mode = 0o600) => {
    rmSync(file, { recursive: true, force: true })
    writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value), { mode })
  }
  const invalid = { code: 'CONFIGURATION_INVALID' }

  test('is read when it is whole and private', async () => {
    await assert.rejects(readConfig(folder), { code: 'CONFIGURATION_MISSING' })
    write(config)
    assert.deepEqual(await readConfig(folder), config)
  })

  test('is refused when others can read it', async () => {
    write(config)
    for (const mode of [0o640, 0o604, 0o644]) {
      chmodSync(file, mode)
      await assert.rejects(readConfig(folder), { ...invalid, message: /chmod 600/ })
    }
  })

  test('is refused when it is anything else, and its token is in no error', async () => {
    for (const value of [
      '',
      'kh_token',
      '[]',
      'null',
      { ...config, address: 'http://127.0.0.1:8443' },
      { ...config, address: 'https://user@host' },
      { ...config, address: 'https://host/path' },
      { ...config, authority: 'none' },
      { ...config, token: 'two words' },
      { ...config, token: '' },
      { ...config, more: 1 },
      { address: config.address, token: config.token },
      ' '.repeat(70_000),
    ]) {
      write(value)
      await assert.rejects(readConfig(folder), (error: Error & { code: string }) => {
        assert.equal(error.code, 'CONFIGURATION_INVALID')
        assert(!error.message.includes('kh_token'))
        return true
      })
    }
    rmSync(file)
    mkdirSync(file, { mode: 0o700 })
    await assert.rejects(readConfig(folder), invalid)
  })

  test('the folder: what is asked for, else the environment, else ./keyhold-data', () => {
    const before = process.env.KEYHOLD_DATA
    try {
      process.env.KEYHOLD_DATA = '/tmp/e'
      assert.equal(dataFolder('/tmp/d'), '/tmp/d')
      assert.equal(dataFolder(), '/tmp/e')
      process.env.KEYHOLD_DATA = ''
      assert.equal(dataFolder(), path.resolve('keyhold-data'))
    } finally {
      if (before === undefined) delete process.env.KEYHOLD_DATA
      else process.env.KEYHOLD_DATA = before
    }
  })
})
