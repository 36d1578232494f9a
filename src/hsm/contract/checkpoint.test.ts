/**
 * Heads against what is published: the checkpoints of transparency-dev's test log (trillian-tessera,
 * testdata/log, Apache-2.0), whose key is published too, so that ours come out byte for byte; the key ID
 * of golang.org/x/mod's signed-note tests; and the form of C2SP's own example.
 */

import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { flipBit } from '../../../tests/hsm/flip-bit.ts'
import { checkpointOrigin, type LogSigner, signCheckpoint, verifyCheckpoint } from './checkpoint.ts'
import { leafHash, MerkleTree } from './merkle.ts'

/** "PRIVATE+KEY+<name>+<key ID>+<base64 of 0x01 and the key>", golang.org/x/mod/sumdb/note. */
function parseNoteKey(text: string): LogSigner & { readonly publicKey: Buffer } {
  const encoded = text.split('+').slice(4).join('+')
  const privateKey = createPrivateKey({
    key: Buffer.from(encoded, 'base64').subarray(1),
    format: 'raw-private',
    asymmetricKeyType: 'ed25519',
  })
  return { privateKey, publicKey: createPublicKey(privateKey).export({ format: 'raw-public' }) }
}

const astra = parseNoteKey(
  'PRIVATE+KEY+astra+cad5a3d2+ASgwwenlc0uuYcdy7kI44pQvuz1fw8cS5NqS8RkZBXoy',
)
const peterNeumann = parseNoteKey(
  'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz',
)

const checkpoint5 = `astra
5
gy5gl3aksFyiCO95a/1vLXz88A3dRq+0l9Sxte8ZqZQ=

— astra ytWj0icpI+5qrn28GjRIeTIuhPfzS0YRzqfj+7ivW5LePTVUF+V2oYSpTEg0lnf0WUarvb7QRL3XIHuqYOfz7+mu3Q4=
`
const checkpoint15 = `astra
15
rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=

— astra ytWj0rJVDQTRJQewX74UJrwdh07x1AScLrx30fZCyKrXqrFF3bSuuELfDG2v2RsH36b+/QFmZxAJqqpKt0SAEVspvwA=
`
const checkpoint0 = `example.com/log/testdata
0
47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=

— example.com/log/testdata M9e0lhxJACzE1KoUdqKuPa+9p6R7dSW8BlEvrg/noo8FkGg6PbJoRNOcdjqjOq89wVvTA60eubCc4oufo5BvIVEgtQc=
`
/** "example.com/log/testdata+33d7b496+…" */
const testdataPublicKey = Buffer.from(
  'AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx',
  'base64',
).subarray(1)
const refused = { code: 'RECORD_INVALID' }

suite('checkpoint', () => {
  test('published checkpoints verify, of an empty tree too', () => {
    for (const [note, publicKey, size] of [
      [checkpoint5, astra.publicKey, 5],
      [checkpoint15, astra.publicKey, 15],
      [checkpoint0, testdataPublicKey, 0],
    ] as const) {
      const lines = note.split('\n')
      const checkpoint = verifyCheckpoint(note, { ed25519: publicKey })
      assert.equal(checkpoint.origin, lines[0])
      assert.equal(checkpoint.size, size)
      assert.equal(Buffer.from(checkpoint.root).toString('base64'), lines[2])
    }
  })

  test('our checkpoint of the published log is the published one, byte for byte', () => {
    const words =
      'one two three four five six seven eit nain ten ileven twelf threeten fourten fivten'
    const tree = new MerkleTree()
    const notes = words.split(' ').map((word) => {
      tree.append(leafHash(Buffer.from(word)))
      const checkpoint = { origin: 'astra', size: tree.size, root: tree.root() }
      return signCheckpoint(checkpoint, { ed25519: astra })
    })
    assert.equal(notes[4], checkpoint5)
    assert.equal(notes[14], checkpoint15)
  })

  test('the key ID is that of the published note key', () => {
    const checkpoint = { origin: 'PeterNeumann', size: 0, root: Buffer.alloc(32) }
    const note = signCheckpoint(checkpoint, { ed25519: peterNeumann })
    const signature = Buffer.from(note.trimEnd().split(' ').at(-1) ?? '', 'base64')
    assert.equal(signature.toString('hex', 0, 4), 'c74f20a3')
  })

  test('the text is that of the example in C2SP tlog-checkpoint', () => {
    const root = Buffer.from('CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=', 'base64')
    const checkpoint = { origin: 'example.com/behind-the-sofa', size: 20852163, root }
    const note = signCheckpoint(checkpoint, { ed25519: astra })
    const text =
      'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n' +
      '\n— example.com/behind-the-sofa '
    assert(note.startsWith(text))
    assert.deepEqual(verifyCheckpoint(note, { ed25519: astra.publicKey }), {
      ...checkpoint,
      isPostQuantum: false,
    })
  })

  test('the origin names domain and module', () => {
    const origin = checkpointOrigin(Buffer.alloc(16, 0xab), Buffer.alloc(16, 0x01))
    assert.equal(origin, `keyhold/${'ab'.repeat(16)}/${'01'.repeat(16)}`)
  })

  test('invariant 6: one flipped bit anywhere in a head is refused', () => {
    const bytes = Buffer.from(checkpoint5)
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const altered = flipBit(bytes, bit).toString('utf8')
      assert.throws(
        () => verifyCheckpoint(altered, { ed25519: astra.publicKey }),
        refused,
        `bit ${bit}`,
      )
    }
  })

  test('the key of another module is refused', () => {
    assert.throws(() => verifyCheckpoint(checkpoint5, { ed25519: peterNeumann.publicKey }), refused)
  })

  test('what is not the one canonical form is refused', () => {
    for (const altered of [
      '',
      checkpoint5.slice(0, -1),
      `${checkpoint5}\n`,
      checkpoint5.replace('\n5\n', '\n05\n'),
      checkpoint5.replace('\n5\n', '\n6\n'),
      checkpoint5.replace('\n\n', '\nextension\n\n'),
      checkpoint5.replaceAll('astra', 'other'),
      checkpoint5 + checkpoint5.split('\n')[4],
      checkpoint5.replace('— astra', '— other'),
      checkpoint5.replace('— astra', '— astra '),
      checkpoint5.replaceAll('\n', '\r\n'),
    ]) {
      assert.throws(() => verifyCheckpoint(altered, { ed25519: astra.publicKey }), refused, altered)
    }
  })

  test('lines of others are passed over, and lines of a known key must be right', () => {
    const pair = generateKeyPairSync('ml-dsa-65')
    const publicKey = pair.publicKey.export({ format: 'raw-public' })
    const mlDsa65 = { publicKey, privateKey: pair.privateKey }
    const checkpoint = { origin: 'astra', size: 5, root: Buffer.alloc(32, 7) }
    const note = signCheckpoint(checkpoint, { ed25519: astra, mlDsa65 })
    const known = { ed25519: astra.publicKey, mlDsa65: publicKey }
    assert(verifyCheckpoint(note, known).isPostQuantum)
    assert(!verifyCheckpoint(note, { ed25519: astra.publicKey }).isPostQuantum)
    assert(!verifyCheckpoint(checkpoint5, known).isPostQuantum)
    assert.throws(
      () => verifyCheckpoint(note, { ...known, ed25519: peterNeumann.publicKey }),
      refused,
    )
    const bytes = Buffer.from(note)
    const text = bytes.toString('latin1')
    const start = text.lastIndexOf(' ') + 1 + 8
    for (let bit = start * 8; bit < (bytes.length - 1) * 8; bit += 13) {
      assert.throws(() => verifyCheckpoint(flipBit(bytes, bit), known), refused, `bit ${bit}`)
    }
  })

  test('any text is either refused or verified, and throws nothing else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.throws(() => verifyCheckpoint(text, { ed25519: astra.publicKey }), refused)
      }),
    )
  })
})
