/**
 * Signed notes against golang.org/x/mod/sumdb/note, note_test.go at 02c991387e35f9e4c0a9b7ce137717055f8d716d (Copyright
 * 2019 The Go Authors, BSD-3-Clause): its keys, its signatures, and what it refuses.
 */

import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { suite, test } from 'node:test'
import { encodeNote, isSignedBy, type NoteKey, parseNote, signNote } from './signed-note.ts'

const text =
  'If you think cryptography is the answer to your problem,\n' +
  "then you don't know what your problem is.\n"
const peterLine =
  '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n'
const enochLine =
  '— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n'
const peter = noteKey('PeterNeumann', 'ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW')
const enoch = noteKey('EnochRoot', 'ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop')
const privateKey = createPrivateKey({
  key: Buffer.from('AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz', 'base64').subarray(1),
  format: 'raw-private',
  asymmetricKeyType: 'ed25519',
})
const refused = { code: 'RECORD_INVALID' }

function noteKey(name: string, material: string): NoteKey {
  return { name, type: 'ed25519', publicKey: Buffer.from(material, 'base64').subarray(1) }
}

suite('signed notes', () => {
  test('the published note is signed byte for byte', () => {
    const note = encodeNote({ text, signatures: [signNote(text, peter, privateKey)] })
    assert.equal(note, `${text}\n${peterLine}`)
  })

  test('each key that is known is verified, others are passed over', () => {
    const note = parseNote(Buffer.from(`${text}\n${peterLine}${enochLine}`))
    assert.equal(note.text, text)
    assert(isSignedBy(peter, note))
    assert(isSignedBy(enoch, note))
    assert(!isSignedBy({ ...peter, name: 'PeterNeuman' }, note))
    assert(!isSignedBy({ ...peter, publicKey: enoch.publicKey }, note))
    assert(isSignedBy(peter, parseNote(`${text}\n${peterLine}${peterLine}`)))
    assert(!isSignedBy(peter, parseNote(`${text}\n${enochLine}`)))
    assert(!isSignedBy(peter, parseNote(`${text}\n${peterLine.replace('x08g', 'xxxx')}`)))
    assert(!isSignedBy(peter, parseNote(`${text}\n${peterLine.replace('PeterN', 'CarmenS')}`)))
  })

  test('a wrong signature of a known key is refused, also beside a right one', () => {
    const wrong = `${peterLine.slice(0, 60)}ABCD${peterLine.slice(60)}`
    for (const lines of [wrong, peterLine + wrong]) {
      assert.throws(() => isSignedBy(peter, parseNote(`${text}\n${lines}`)), refused)
    }
    const other = parseNote(`${text}${text}\n${peterLine}`)
    assert.throws(() => isSignedBy(peter, other), refused)
  })

  test('what is not a note is refused', () => {
    for (const note of [
      '',
      '\n\n',
      text,
      `${text}\n`,
      `${text}\n${peterLine.slice(0, -1)}`,
      `\x01${text}\n${peterLine}`,
      `${text}\n— Bad Name ${peterLine.split(' ')[2]}`,
      `${text}\n— Bad\u0085Name ${peterLine.split(' ')[2]}`,
      `${text}\n— Bad+Name ${peterLine.split(' ')[2]}`,
      `${text}\n${peterLine}Unexpected line.\n`,
      `${text}\n${peterLine.replace('=', '')}`,
      `${text}\n— Short AAAAAA==\n`,
      `${text}\n${peterLine.repeat(101)}`,
      `${text}\ud800\n${peterLine}`,
      `${'long '.repeat(40_000)}\n\n${peterLine}`,
    ]) {
      assert.throws(() => parseNote(note), refused, JSON.stringify(note.slice(-150)))
    }
    const bytes = Buffer.from(`${text}\n${peterLine}`)
    assert.throws(() => parseNote(Buffer.concat([Buffer.from([0xff]), bytes])), refused)
    const marked = parseNote(Buffer.concat([Buffer.from('\ufeff'), bytes]))
    assert.throws(() => isSignedBy(peter, marked), refused, 'a byte order mark is part of the text')
  })

  test('16 signatures of 5,000 bytes are taken', () => {
    const line = `— a.example/long ${Buffer.alloc(5_004, 1).toString('base64')}\n`
    assert(isSignedBy(peter, parseNote(`${text}\n${line.repeat(15)}${peterLine}`)))
  })
})
