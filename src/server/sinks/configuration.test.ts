/** The file of sinks: taken whole or refused whole; secrets only from files that are private. */

import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite, test } from 'node:test'
import { parseSinks, readSinks } from './configuration.ts'

const file = { type: 'file', path: '/var/log/keyhold/record.jsonl' }
const syslog = { type: 'syslog', host: 'logs.example' }
const http = { type: 'http', url: 'https://collector.example/in' }
const bounds = { lagEntriesMax: 100_000, lagSecondsMax: 300 }
const noTls = { ca: undefined, certificate: undefined, key: undefined }

suite('the file of sinks', () => {
  test('is taken as it stands, with one default for what is not said', () => {
    assert.deepEqual(parseSinks({ sinks: { file, syslog, http } }), [
      { name: 'file', ...bounds, ...file, bytesMax: 268_435_456 },
      { name: 'syslog', ...bounds, ...syslog, port: 6_514, ...noTls },
      { name: 'http', ...bounds, ...http, entriesMax: 500, secretHeader: undefined, ...noTls },
    ])
    const tls = { ca: '/a/ca.pem', certificate: '/a/client.pem', key: '/a/client.key' }
    const secretHeader = { name: 'Authorization', file: '/a/secret' }
    const given = {
      ...http,
      ...tls,
      secretHeader,
      entriesMax: 1,
      lagEntriesMax: 1,
      lagSecondsMax: 2,
    }
    assert.deepEqual(parseSinks({ sinks: { a: given } }), [{ name: 'a', ...given }])
    assert.deepEqual(parseSinks({ sinks: {} }), [])
  })

  test('is as the manual shows it', () => {
    const manual = readFileSync(path.join(import.meta.dirname, '../../../docs/record.md'), 'utf8')
    const example = /^ {4}\{ "sinks"[\s\S]*?\n\n/m.exec(manual)?.[0] ?? ''
    const types = parseSinks(JSON.parse(example)).map(({ type }) => type)
    assert.deepEqual(types, ['file', 'syslog', 'http'])
  })

  test('what is not understood is refused', () => {
    for (const wrong of [
      null,
      [],
      {},
      { sinks: [] },
      { sinks: {}, other: 1 },
      { sinks: { A: file } },
      { sinks: { '../a': file } },
      { sinks: { a: { ...file, type: 'tcp' } } },
      { sinks: { a: { ...file, mode: 0o644 } } },
      { sinks: { a: { ...file, path: 'record.jsonl' } } },
      { sinks: { a: { ...file, bytesMax: 1 } } },
      { sinks: { a: { ...file, bytesMax: '1000000' } } },
      { sinks: { a: { ...file, lagEntriesMax: 0 } } },
      { sinks: { a: file, b: file } },
      { sinks: { a: { ...syslog, port: 0 } } },
      { sinks: { a: { ...syslog, host: 'a\nb' } } },
      { sinks: { a: { ...syslog, rejectUnauthorized: false } } },
      { sinks: { a: { ...syslog, certificate: '/a' } } },
      { sinks: { a: { ...http, url: 'http://collector.example' } } },
      { sinks: { a: { ...http, url: 'https://user:secret@collector.example' } } },
      { sinks: { a: { ...http, url: 'collector' } } },
      { sinks: { a: { ...http, secretHeader: { name: 'Content-Length', file: '/a' } } } },
      { sinks: { a: { ...http, secretHeader: { name: 'X', value: 'in the file' } } } },
      { sinks: { a: { ...http, entriesMax: 1_001 } } },
      { sinks: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`s${n}`, syslog])) },
    ]) {
      assert.throws(() => parseSinks(wrong), /./, JSON.stringify(wrong))
    }
  })

  test('a secret or key that others can read is refused', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-sinks-'))
    try {
      const [settings, secret] = [path.join(folder, 'sinks.json'), path.join(folder, 'secret')]
      writeFileSync(secret, 'Bearer 1', { mode: 0o600 })
      const secretHeader = { name: 'Authorization', file: secret }
      const tls = { certificate: secret, key: secret }
      for (const sink of [
        { ...http, secretHeader },
        { ...http, ...tls },
        { ...syslog, ...tls },
      ]) {
        writeFileSync(settings, JSON.stringify({ sinks: { sink } }))
        chmodSync(secret, 0o600)
        assert.equal((await readSinks(settings)).length, 1)
        chmodSync(secret, 0o640)
        await assert.rejects(readSinks(settings), /sinks\.json: .*chmod 600/)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
