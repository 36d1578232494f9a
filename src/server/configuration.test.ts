/** The server's arguments: one default for what is not said, and no guessing. */

import assert from 'node:assert/strict'
import path from 'node:path'
import { suite, test } from 'node:test'
import { ConfigurationError, parseConfiguration } from './configuration.ts'

const parse = (line: string, environment = {}) =>
  parseConfiguration(line.split(' ').filter(Boolean), environment)

suite('configuration', () => {
  test('what is not said has one default', () => {
    assert.deepEqual(parse('--development'), {
      folder: path.resolve('keyhold-data'),
      address: '127.0.0.1',
      port: 8443,
      development: true,
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
    })
  })

  test('the folder: what is asked for, else the environment, else the default', () => {
    const environment = { KEYHOLD_DATA: '/tmp/e' }
    assert.equal(parse('--data /tmp/d', environment).folder, '/tmp/d')
    assert.equal(parse('', environment).folder, '/tmp/e')
    assert.equal(parse('', { KEYHOLD_DATA: '' }).folder, path.resolve('keyhold-data'))
  })

  test('a domain is founded only when that is asked for, with its seal', () => {
    assert.equal(parse('').found, false)
    const given = parse('--found --seal passphrase --passphrase-file p --address 0.0.0.0 --port 0')
    assert.equal(given.found, true)
    assert.equal(given.passphraseFile, path.resolve('p'))
    assert.equal(given.port, 0)
    const tpm = parse('--found --seal tpm --tpm device:/dev/tpm0 --pcrs sha256:0,7')
    assert.deepEqual([tpm.seal, tpm.tpm, tpm.pcrs], ['tpm', 'device:/dev/tpm0', 'sha256:0,7'])
    assert.equal(parse('--found --launched').launched, true)
  })

  test('witnesses, each once, the one for freshness among them', () => {
    const vkey = 'remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2'
    const [one, other] = [`${vkey}=https://w.example`, `${vkey}=http://127.0.0.1:8444`]
    const given = parse(`--witness ${one} --witness ${other} --freshness-witness ${other}`)
    const urls = given.witnesses.map(({ url }) => url)
    assert.deepEqual(urls, ['https://w.example', 'http://127.0.0.1:8444'])
    assert.equal(given.freshnessWitness?.url, 'http://127.0.0.1:8444')
    for (const wrong of [
      vkey,
      `${vkey}=http://w.example`,
      'https://w.example',
      `${vkey}x=https://w.example`,
    ]) {
      assert.throws(() => parse(`--witness ${wrong}`), ConfigurationError)
    }
  })

  test('what is unknown, twice, empty, contradictory or no number is refused', () => {
    for (const line of [
      '--unknown',
      'serve',
      '--port 1 --port 2',
      '--data= ',
      '--port 65536',
      '--port -1',
      '--port 1e3',
      '--port 08',
      '--port',
      '--address localhost',
      '--address 127.0.0.1.1',
      '--found',
      '--seal tpm --passphrase-file p',
      '--pcrs sha256:0',
      '--launched --seal tpm',
      '--launched --passphrase-file p',
      '--development --launched',
      '--development --sensors f',
      '--found --seal key-file',
      '--development --found --seal passphrase',
      '--development --passphrase-file p',
      '--development=yes',
      '--no-development',
    ]) {
      assert.throws(() => parse(line), ConfigurationError, line)
    }
  })

  test('invariant 10: development listens on the loopback interface and nowhere else', () => {
    for (const address of ['127.0.0.1', '127.1.2.3', '::1']) {
      assert.equal(parse(`--development --address ${address}`).address, address)
    }
    for (const address of ['0.0.0.0', '::', '192.168.0.1', '::ffff:10.0.0.1', '128.0.0.1']) {
      assert.throws(() => parse(`--development --address ${address}`), ConfigurationError, address)
    }
  })
})
