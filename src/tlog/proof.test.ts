/** Proofs as text: the form of the example in c2sp.org/tlog-proof, and one flipped bit anywhere. */

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { suite, test } from 'node:test'
import { flipBit } from '../../tests/hsm/flip-bit.ts'
import { signCheckpoint } from '../hsm/contract/checkpoint.ts'
import { leafHash, nodeHash } from '../hsm/contract/merkle.ts'
import { encodeProof, parseProof, verifyProof } from './proof.ts'

const refused = { code: 'RECORD_INVALID' }
const example = `c2sp.org/tlog-proof@v1
extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=

example.com/fancylog
109482
sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=

— example.com/fancylog hI2DJw==
`

function signer(type: 'ed25519' | 'ml-dsa-65') {
  const pair = type === 'ed25519' ? generateKeyPairSync(type) : generateKeyPairSync('ml-dsa-65')
  return { privateKey: pair.privateKey, publicKey: pair.publicKey.export({ format: 'raw-public' }) }
}
const signers = { ed25519: signer('ed25519'), mlDsa65: signer('ml-dsa-65') }
const keys = { ed25519: signers.ed25519.publicKey, mlDsa65: signers.mlDsa65.publicKey }

const entry = Buffer.from('an entry')
const sibling = leafHash(Buffer.from('another'))
const root = nodeHash(sibling, leafHash(entry))
const head = { origin: 'example.com/log', size: 2, root }
const proof = {
  extra: entry,
  index: 1,
  hashes: [sibling],
  checkpoint: signCheckpoint(head, signers),
}

suite('proofs', () => {
  test('the example is read as it is written, and written as it was read', () => {
    const { extra, index, hashes, checkpoint } = parseProof(example)
    assert.equal(Buffer.from(extra ?? '').toString(), 'age-v1.2.1-darwin-arm64.tar.gz')
    assert.equal(index, 73_894)
    assert.equal(hashes.length, 2)
    assert(checkpoint.startsWith('example.com/fancylog\n109482\n'))
    assert.equal(encodeProof(parseProof(example)), example)
    const bare = example.replace(/extra .*\n/, '')
    assert.equal(parseProof(bare).extra, undefined)
    assert.equal(encodeProof(parseProof(bare)), bare)
  })

  test('what is not a proof is refused', () => {
    for (const text of [
      '',
      example.replace('@v1', '@v2'),
      example.replace('index 73894', 'index 073894'),
      example.replace('index 73894', 'index -1'),
      example.replace('index 73894\n', ''),
      example.replace(/(extra .*\n)(index .*\n)/, '$2$1'),
      example.replace('PlQ=', 'PlR='),
      example.replace('PlQ=\n', 'PlQ=\nAAAA\n'),
      example.replace('PlQ=\n', `PlQ=\n${`${'A'.repeat(43)}=\n`.repeat(62)}`),
      example.split('\n\n')[0] ?? '',
      `${example}${' '.repeat(300_000)}`,
    ]) {
      assert.throws(() => parseProof(text), refused, text.slice(0, 200))
    }
  })

  test('an entry verifies with the log that has it, and with no other', () => {
    const text = encodeProof(proof)
    const proven = verifyProof(text, keys)
    assert.deepEqual(Buffer.from(proven.entry), entry)
    assert.equal(proven.index, 1)
    assert.equal(proven.checkpoint.origin, 'example.com/log')
    assert(proven.checkpoint.isPostQuantum)
    assert.throws(() => verifyProof(text, { ed25519: signer('ed25519').publicKey }), refused)
    for (const other of [
      { ...proof, extra: undefined },
      { ...proof, extra: Buffer.from('another') },
      { ...proof, index: 0 },
      { ...proof, hashes: [] },
      { ...proof, hashes: [sibling, sibling] },
      { ...proof, checkpoint: signCheckpoint({ ...head, root: sibling }, signers) },
    ]) {
      assert.throws(() => verifyProof(encodeProof(other), keys), refused)
    }
  })

  test('invariant 6: one flipped bit anywhere in a proof is refused', () => {
    const bytes = Buffer.from(encodeProof(proof))
    for (let bit = 0; bit < bytes.length * 8; bit += bit < 4_000 ? 1 : 37) {
      const verifies = () => {
        const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
        return verifyProof(text.decode(flipBit(bytes, bit)), keys).checkpoint.isPostQuantum
      }
      // The name and ID of a key may become those of nobody known: then that key has not signed.
      try {
        assert.equal(verifies(), false, `bit ${bit}`)
      } catch (error) {
        assert(error instanceof TypeError || (error as { code?: string }).code === 'RECORD_INVALID')
      }
    }
  })
})
