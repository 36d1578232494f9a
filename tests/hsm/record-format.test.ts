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
import { Domain } from '../../src/hsm/domain.ts'
import { Caller, newKeyId } from '../../src/hsm/door.testing.ts'
import { EpochKeys } from '../../src/hsm/epoch-keys.ts'
import { ModuleRecord } from '../../src/hsm/record.ts'
import { Secret } from '../../src/hsm/secret.ts'
import { flipBit } from './flip-bit.ts'

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
  readonly mlDsaKey: string
  readonly leaves: readonly LeafVector[]
  readonly group: string
  readonly root: string
  readonly head: string
}
const hex = (text: string) => Buffer.from(text, 'hex')
const sha256 = (...pieces: readonly Uint8Array[]) =>
  createHash('sha256').update(Buffer.concat(pieces)).digest()
const claim = { identity: '', requestId: '', protocol: '', address: '' }
const noEntry = { outcome: 'OK', key: '', version: 0, ...claim }
/** c2sp.org/signed-note: 0x01 is Ed25519; 0xff and a longer mark is what has no number there. */
const keys = [
  [Buffer.from([0x01]), 'ed25519', hex(vector.identityKey)],
  [
    Buffer.from('ff6b6579686f6c642e6d6c2d6473612d36352e7631', 'hex'),
    'ml-dsa-65',
    hex(vector.mlDsaKey),
  ],
] as const
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
    const lines = vector.head
      .slice(end + 1)
      .trimEnd()
      .split('\n')
    assert.equal(lines.length, 2)
    for (const [index, [mark, asymmetricKeyType, publicKey]] of keys.entries()) {
      const [dash, name, encoded = ''] = lines[index]?.split(' ') ?? []
      assert.deepEqual([dash, name], ['\u2014', origin])
      const signed = Buffer.from(encoded, 'base64')
      const [keyId, signature] = [signed.subarray(0, 4), signed.subarray(4)]
      const named = sha256(Buffer.from(`${origin}\n`), mark, publicKey)
      assert.deepEqual(keyId, named.subarray(0, 4))
      const key = createPublicKey({ key: publicKey, format: 'raw-public', asymmetricKeyType })
      assert(verify(null, Buffer.from(text), key, signature))
    }
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
  const head = { ed25519: hex(vector.identityKey), mlDsa65: hex(vector.mlDsaKey) }
  assert.equal(verifyCheckpoint(vector.head, head).size, 2)
  assert(verifyCheckpoint(vector.head, head).isPostQuantum)
})

test('the code goes on from the vector, and its groups and heads are those of the text', () => {
  using domain = domainWith(hex(vector.recordKey))
  const stored = { head: undefined, frontier: new Uint8Array(), groups: [hex(vector.group)] }
  const nothing = { storedSize: 0, lastMicros: 0 }
  const record = ModuleRecord.resume(domain, stored, nothing, () => 2_000_000_000_000_000)
  const altered = { ...stored, groups: [flipBit(hex(vector.group), 8 * 60)] }
  const invalid = { code: 'RECORD_INVALID' }
  assert.throws(() => ModuleRecord.resume(domain, altered, nothing, () => 0), invalid)
  assert.equal(record.signHead().split('\n')[2], hex(vector.root).toString('base64'))
  record.add({ ...noEntry, command: 'random', argumentsDigest: record.digest([]) })
  const { leaves, mac } = decodeLeafGroup(record.closeGroup())
  assert(leaves[0])
  const hmac = () => createHmac('sha256', hex(vector.recordKey))
  const start = hmac().update('keyhold record head\n2\n').update(hex(vector.root)).digest()
  const expected = hmac()
    .update(start)
    .update(sha256(Buffer.from([0]), leaves[0]))
    .digest()
  assert.deepEqual(Buffer.from(mac), expected)
})

test('the digest of the arguments is that of the text', async () => {
  const caller = await Caller.founded()
  const args = { key: newKeyId(), version: 1 }
  const data = Buffer.from('hello')
  const { leaves } = await caller.ask({ command: 'sign', arguments: args, parts: { data } })
  const text = JSON.stringify({ command: 'sign', arguments: args, parts: { data: 5 } })
  const key = caller.module.open.domain.argumentsKey.expose((bytes) => Buffer.from(bytes))
  const hmac = createHmac('sha256', key)
  for (const piece of [Buffer.from(text), data]) {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(piece.length)
    hmac.update(length).update(piece)
  }
  assert.deepEqual(Buffer.from(leaves[0]?.argumentsDigest ?? []), hmac.digest())
})

/** A domain of the vector's ids with this record key; its other keys are made up. */
function domainWith(recordKey: Uint8Array): Domain {
  const domainId = hex(vector.domainId)
  using epochKeys = EpochKeys.found(domainId)
  const root = epochKeys.root.expose((bytes) => Secret.copyOf(bytes))
  const others = [3, 4, 5, 6].map((value) => Buffer.alloc(32, value))
  const encoded = Buffer.concat([Buffer.from([1]), epochKeys.encode(), recordKey, ...others])
  return Domain.decode(root, { domainId, moduleId: hex(vector.moduleId) }, encoded)
}
