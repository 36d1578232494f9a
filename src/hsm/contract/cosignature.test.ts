/**
 * Verifier keys against golang.org/x/mod/sumdb/note (note_test.go, BSD-3-Clause); cosignatures against the structures of
 * c2sp.org/tlog-cosignature, written down here a second time, by hand.
 */

import assert from 'node:assert/strict'
import { generateKeyPairSync, verify } from 'node:crypto'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { flipBit } from '../../../tests/hsm/flip-bit.ts'
import { cosign, cosignedAt, encodeVerifierKey, parseVerifierKey } from './cosignature.ts'
import { encodeNote, type NoteKey, parseNote } from './signed-note.ts'

const peter = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
const refused = { code: 'RECORD_INVALID' }
const text = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n'
const root = Buffer.from('CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=', 'base64')
const seconds = 1_679_315_147
const name = 'witness.example.com/w1'

function witness(type: 'ed25519-cosignature' | 'ml-dsa-44-cosignature') {
  const pair =
    type === 'ed25519-cosignature'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ml-dsa-44')
  const key: NoteKey = { name, type, publicKey: pair.publicKey.export({ format: 'raw-public' }) }
  return { key, ...pair }
}
const ed25519 = witness('ed25519-cosignature')
const mlDsa44 = witness('ml-dsa-44-cosignature')

suite('cosignatures', () => {
  test('Ed25519 signs two lines and the text', () => {
    const { keyId, signature } = cosign(text, ed25519, seconds)
    assert.equal(keyId.length, 4)
    assert.equal(signature.readBigUInt64BE(), BigInt(seconds))
    const message = Buffer.from(`cosignature/v1\ntime 1679315147\n${text}`)
    assert(verify(null, message, ed25519.publicKey, signature.subarray(8)))
  })

  test('ML-DSA-44 signs the names and the tree', () => {
    const { signature } = cosign(text, mlDsa44, seconds)
    const message = Buffer.concat([
      Buffer.from('737562747265652f76310a00', 'hex'),
      Buffer.from([22]),
      Buffer.from('witness.example.com/w1'),
      Buffer.from('0000000064185' + '0cb', 'hex'),
      Buffer.from([27]),
      Buffer.from('example.com/behind-the-sofa'),
      Buffer.from('0000000000000000', 'hex'),
      Buffer.from('00000000013e2dc3', 'hex'),
      root,
    ])
    assert(verify(null, message, mlDsa44.publicKey, signature.subarray(8)))
    assert.equal(signature.length, 8 + 2_420)
  })

  test('the time of the last one; undefined without one; others are passed over', () => {
    for (const each of [ed25519, mlDsa44]) {
      const signatures = [seconds, seconds + 5, seconds - 5].map((time) => cosign(text, each, time))
      const note = parseNote(encodeNote({ text, signatures }))
      assert.equal(cosignedAt(each.key, note), seconds + 5)
      assert.equal(cosignedAt({ ...each.key, name: 'other' }, note), undefined)
    }
  })

  test('invariant 6: one flipped bit of a cosignature, or of what it is of, is refused', () => {
    for (const each of [ed25519, mlDsa44]) {
      const { signature, ...line } = cosign(text, each, seconds)
      fc.assert(
        fc.property(fc.nat(signature.length * 8 - 1), (bit) => {
          const note = { text, signatures: [{ ...line, signature: flipBit(signature, bit) }] }
          assert.throws(() => cosignedAt(each.key, note), refused)
        }),
      )
      for (const other of [text.replace('20852163', '20852164'), text.replace('sofa', 'soft')]) {
        const note = { text: other, signatures: [{ ...line, signature }] }
        assert.throws(() => cosignedAt(each.key, note), refused)
      }
      const short = { text, signatures: [{ ...line, signature: signature.subarray(0, 8) }] }
      assert.throws(() => cosignedAt(each.key, short), refused)
    }
  })

  test('verifier keys are read and written as published', () => {
    const key = parseVerifierKey(peter)
    assert.equal(key.name, 'PeterNeumann')
    assert.equal(encodeVerifierKey(key), peter)
    for (const each of [ed25519, mlDsa44]) {
      assert.deepEqual(parseVerifierKey(encodeVerifierKey(each.key)), each.key)
    }
  })

  test('manglings that the Go test lists are refused', () => {
    for (let from = 0; from <= peter.length; from += 1) {
      for (let to = from + 1; to <= peter.length; to += 1) {
        if (from === 0 && to === peter.length) continue
        assert.throws(() => parseVerifierKey(peter.slice(from, to)), refused)
      }
      const next = String.fromCharCode(peter.charCodeAt(from) + 1)
      const mangled = peter.slice(0, from) + next + peter.slice(from + 1)
      assert.throws(() => parseVerifierKey(mangled), refused)
    }
    for (const key of [
      'PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==',
      'PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
    ]) {
      assert.throws(() => parseVerifierKey(key), refused)
    }
  })
})
