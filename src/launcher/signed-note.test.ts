/** Notes with two signatures: what openssl says of them, and what is refused. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash, createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite, test } from 'node:test'
import { encodeManifest, type Manifest, openManifest, parseManifest } from './manifest.ts'
import { openNote, type SigningKeys, signNote, verifierKeys } from './signed-note.ts'

const name = 'a-signer'
const text = 'first line\nsecond line\n'
const makeKeys = (): SigningKeys => [
  generateKeyPairSync('ed25519').privateKey,
  generateKeyPairSync('ml-dsa-65').privateKey,
]
const keys = makeKeys()
const note = signNote(text, name, keys)
const verifiers = verifierKeys(name, keys)

suite('signed notes', () => {
  test('are opened to their text by both verifier keys', () => {
    assert.equal(openNote(note, verifiers), text)
  })

  test('openssl accepts the Ed25519 signature over the text', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-note-'))
    try {
      const [signature = ''] = note.split('\n\n')[1]?.split('\n') ?? []
      const bytes = Buffer.from(signature.split(' ')[2] ?? '', 'base64')
      const file = (part: string, content: string | Buffer) => {
        const whole = path.join(folder, part)
        writeFileSync(whole, content)
        return whole
      }
      const pem = createPublicKey(keys[0]).export({ format: 'pem', type: 'spki' })
      const { status, stdout } = spawnSync('openssl', [
        ...['pkeyutl', '-verify', '-pubin', '-rawin', '-inkey', file('key', pem)],
        ...['-in', file('text', text), '-sigfile', file('signature', bytes.subarray(4))],
      ])
      assert.equal(status, 0, String(stdout))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('key IDs and verifier keys are those of the specification', () => {
    const raw = createPublicKey(keys[0]).export({ format: 'raw-public' })
    const keyData = Buffer.concat([Buffer.from([1]), raw])
    const hash = createHash('sha256').update(`${name}\n`).update(keyData).digest('hex')
    assert.equal(verifiers[0], `${name}+${hash.slice(0, 8)}+${keyData.toString('base64')}`)
    // The example of c2sp.org/signed-note.
    const example = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
    const said =
      'If you think cryptography is the answer to your problem,\n' +
      "then you don't know what your problem is.\n"
    const signature =
      'x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM='
    const bytes = Buffer.from(signature, 'base64')
    const key = Buffer.from(example.split('+').slice(2).join('+'), 'base64').subarray(1)
    const publicKey = createPublicKey({ key, format: 'raw-public', asymmetricKeyType: 'ed25519' })
    assert.equal(bytes.subarray(0, 4).toString('hex'), 'c74f20a3')
    assert(verify(null, Buffer.from(said), publicKey, bytes.subarray(4)))
  })

  test('another key, a changed character anywhere, one signature less or more: refused', () => {
    const other = verifierKeys(name, makeKeys())
    assert.equal(openNote(note, other), undefined)
    assert.equal(openNote(note, [verifiers[0], other[1]]), undefined)
    assert.equal(openNote(note, [other[0], verifiers[1]]), undefined)
    assert.equal(openNote(note, [verifiers[1], verifiers[0]]), undefined)
    assert.equal(openNote(note, verifierKeys('another', keys)), undefined)
    assert.equal(openNote(note, ['', '']), undefined)
    const [first = '', second = ''] = (note.split('\n\n')[1] ?? '').split('\n')
    for (const wrong of [
      `${text}\n${first}\n`,
      `${text}\n${second}\n`,
      `${text}\n${second}\n${first}\n`,
      `${text}\n${first}\n${second}\n${first}\n`,
      `${text}\n${first}\n${second}`,
      `${text}${first}\n${second}\n`,
      `${note}\n`,
      '',
    ]) {
      assert.equal(openNote(wrong, verifiers), undefined)
    }
    for (let position = 0; position < note.length; position += position < 200 ? 1 : 97) {
      const code = note.charCodeAt(position) ^ 1
      const changed = note.slice(0, position) + String.fromCharCode(code) + note.slice(position + 1)
      assert.equal(openNote(changed, verifiers), undefined, `character ${position}`)
    }
  })
})

suite('manifest', () => {
  const sha256 = 'a'.repeat(64)
  const manifest: Manifest = {
    version: '1.0.0',
    node: 'v26.10.0',
    binaries: [{ platform: 'linux-x64', size: 1, sha256 }],
    files: [
      { path: 'package.json', size: 2, sha256 },
      { path: 'src/hsm/a.ts', size: 0, sha256 },
    ],
  }
  const good = encodeManifest(manifest)

  test('is read as it was written', () => {
    assert.deepEqual(parseManifest(good), manifest)
  })

  test('has one form: unsorted, twice, upward, absolute, another number or line is refused', () => {
    const line = (path: string, size = '0') => `file ${path} ${size} ${sha256}\n`
    const head = good.slice(0, good.indexOf('file'))
    for (const wrong of [
      '',
      good.slice(0, -1),
      `${good}\n`,
      good.replace('v1', 'v2'),
      good.replaceAll('\n', '\r\n'),
      `${head}${line('b')}${line('a')}`,
      `${head}${line('a')}${line('a')}`,
      `${head}${line('../a')}`,
      `${head}${line('/a')}`,
      `${head}${line('a//b')}`,
      `${head}${line('a/.b')}`,
      `${head}${line('a', '00')}`,
      `${head}${line('a', '-1')}`,
      `${head}${line('a').toUpperCase()}`,
      `${head}link a b\n`,
    ]) {
      assert.throws(() => parseManifest(wrong), { code: 'MANIFEST_INVALID' }, wrong)
    }
  })

  test('the signature is looked at first', () => {
    assert.throws(() => openManifest('nonsense', verifiers), { code: 'MANIFEST_SIGNATURE_INVALID' })
    const signed = signNote('nonsense\n', name, keys)
    assert.throws(() => openManifest(signed, verifiers), { code: 'MANIFEST_INVALID' })
    assert.deepEqual(openManifest(signNote(good, name, keys), verifiers), manifest)
  })
})
