/**
 * docs/formats/record.json, read with what the specification says and node:crypto alone, and by the code:
 * a change of the format fails here.
 */

import assert from 'node:assert/strict'
import { createHash, createHmac, createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import { verifyCheckpoint } from '../../src/hsm/contract/checkpoint.ts'
import { decodeLeaf, decodeLeafGroup } from '../../src/hsm/contract/leaf.ts'
import { leafHash, MerkleTree } from '../../src/hsm/contract/merkle.ts'

interface LeafVector {
  readonly flags: number
  readonly sequence: number
  readonly timeMicros: number
  readonly moduleId: string
  readonly version: number
  readonly argumentsDigest: string
  readonly bytes: string
  readonly hash: string
  readonly [text: string]: string | number
}

const file = path.join(import.meta.dirname, '../../docs/formats/record.json')
const vector = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly recordKey: string
  readonly domainId: string
  readonly moduleId: string
  readonly identityKey: string
  readonly leaves: readonly LeafVector[]
  readonly group: string
  readonly root: string
  readonly head: string
}
const hex = (text: string) => Buffer.from(text, 'hex')
const sha256 = (...pieces: readonly Uint8Array[]) =>
  createHash('sha256').update(Buffer.concat(pieces)).digest()
const texts = ['command', 'outcome', 'key', 'identity', 'requestId', 'protocol', 'address']

suite('docs/formats/record.json by the text alone', () => {
  for (const leaf of vector.leaves) {
    test(`leaf ${leaf.sequence}`, () => {
      const fixed = Buffer.alloc(38)
      fixed.writeUInt8(1, 0)
      fixed.writeUInt8(leaf.flags, 1)
      fixed.writeBigUInt64BE(BigInt(leaf.sequence), 2)
      fixed.writeBigUInt64BE(BigInt(leaf.timeMicros), 10)
      fixed.set(hex(leaf.moduleId), 18)
      fixed.writeUInt32BE(leaf.version, 34)
      const named = texts.flatMap((name) => {
        const text = Buffer.from(String(leaf[name]))
        return [Buffer.from([text.length]), text]
      })
      const bytes = Buffer.concat([fixed, hex(leaf.argumentsDigest), ...named])
      assert.equal(bytes.toString('hex'), leaf.bytes)
      assert.equal(sha256(Buffer.from([0]), bytes).toString('hex'), leaf.hash)
    })
  }

  test('the group and its MAC, chained from the head of size 0', () => {
    const start = createHmac('sha256', hex(vector.recordKey))
      .update('keyhold record head\n0\n')
      .update(sha256())
      .digest()
    const mac = createHmac('sha256', hex(vector.recordKey)).update(start)
    const pieces: Buffer[] = [Buffer.from([0, vector.leaves.length])]
    for (const leaf of vector.leaves) {
      const bytes = hex(leaf.bytes)
      pieces.push(Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes)
      mac.update(hex(leaf.hash))
    }
    assert.equal(Buffer.concat([...pieces, mac.digest()]).toString('hex'), vector.group)
  })

  test('the root and the signed head', () => {
    const [one, two] = vector.leaves.map(({ hash }) => hex(hash))
    assert(one && two)
    assert.equal(sha256(Buffer.from([1]), one, two).toString('hex'), vector.root)
    const end = vector.head.indexOf('\n\n') + 1
    const origin = `keyhold/${vector.domainId}/${vector.moduleId}`
    const text = `${origin}\n2\n${hex(vector.root).toString('base64')}\n`
    assert.equal(vector.head.slice(0, end), text)
    const line = vector.head.slice(end + 1)
    assert(line.startsWith(`\u2014 ${origin} `))
    const signature = Buffer.from(line.trimEnd().split(' ').at(-1) ?? '', 'base64').subarray(4)
    const key = { kty: 'OKP', crv: 'Ed25519', x: hex(vector.identityKey).toString('base64url') }
    assert(verify(null, Buffer.from(text), createPublicKey({ key, format: 'jwk' }), signature))
  })
})

test('docs/formats/record.json is what the code reads', () => {
  const tree = new MerkleTree()
  const { leaves } = decodeLeafGroup(hex(vector.group))
  for (const [index, bytes] of leaves.entries()) {
    const { command, outcome, sequence } = decodeLeaf(bytes)
    assert.partialDeepStrictEqual(vector.leaves[index], { command, outcome, sequence })
    tree.append(leafHash(bytes))
  }
  assert.equal(tree.root().toString('hex'), vector.root)
  assert.equal(verifyCheckpoint(vector.head, hex(vector.identityKey)).size, 2)
})
