/**
 * Leaves and groups of leaves have one encoding each: what decodes encodes to the same bytes, and
 * everything else is refused by the code that the contract gives.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { decodeLeaf, decodeLeafGroup, encodeLeaf, encodeLeafGroup, type Leaf } from './leaf.ts'

const refused = { code: 'RECORD_INVALID' }

/** At most 255 bytes of well-formed UTF-8. */
const text = fc.string({ unit: 'grapheme-composite', maxLength: 20 }).filter((candidate) => {
  const bytes = Buffer.from(candidate)
  return bytes.length <= 255 && bytes.toString('utf8') === candidate
})
const bytesOf = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes))

const leaves: fc.Arbitrary<Leaf> = fc.record(
  {
    flags: fc.nat(255),
    sequence: fc.nat(Number.MAX_SAFE_INTEGER),
    timeMicros: fc.nat(Number.MAX_SAFE_INTEGER),
    moduleId: bytesOf(16),
    command: text,
    outcome: text,
    key: text,
    version: fc.nat(0xffff_ffff),
    identity: text,
    requestId: text,
    protocol: text,
    address: text,
    argumentsDigest: bytesOf(32),
  },
  { noNullPrototype: true },
)

const example: Leaf = {
  flags: 0,
  sequence: 7,
  timeMicros: 1_764_000_000_000_000,
  moduleId: Buffer.alloc(16, 0xaa),
  command: 'sign',
  outcome: 'OK',
  key: 'key_00000000000000000000000000000001',
  version: 1,
  identity: 'id_1',
  requestId: 'r',
  protocol: 'rest',
  address: '127.0.0.1',
  argumentsDigest: Buffer.alloc(32, 0xbb),
}

suite('leaf', () => {
  test('decode undoes encode', () => {
    fc.assert(fc.property(leaves, (leaf) => assert.deepEqual(decodeLeaf(encodeLeaf(leaf)), leaf)))
  })

  test('the bytes stand where the format says', () => {
    const bytes = encodeLeaf(example)
    assert.equal(bytes.toString('hex', 0, 18), '010000000000000000070006445941624000')
    assert.equal(bytes.readUInt32BE(34), 1)
    assert.equal(bytes.toString('utf8', 70, 75), '\x04sign')
    assert.equal(bytes.toString('utf8', 75, 78), '\x02OK')
  })

  test('any bytes either decode to what encodes to them or are refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          assert.deepEqual(encodeLeaf(decodeLeaf(bytes)), Buffer.from(bytes))
        } catch (error) {
          assert.equal((error as { code?: unknown }).code, 'RECORD_INVALID')
        }
      }),
    )
  })

  test('a leaf that is cut, longer, of another version or not UTF-8 is refused', () => {
    const bytes = encodeLeaf(example)
    for (let length = 0; length < bytes.length; length += 1) {
      assert.throws(() => decodeLeaf(bytes.subarray(0, length)), refused)
    }
    assert.throws(() => decodeLeaf(Buffer.concat([bytes, Buffer.alloc(1)])), refused)
    const otherVersion = Buffer.from(bytes)
    otherVersion[0] = 2
    assert.throws(() => decodeLeaf(otherVersion), refused)
    const notText = Buffer.from(bytes)
    notText[71] = 0xff
    assert.throws(() => decodeLeaf(notText), refused)
  })

  test('numbers beyond 2^53 are refused, not rounded', () => {
    const bytes = encodeLeaf(example)
    bytes.fill(0xff, 2, 10)
    assert.throws(() => decodeLeaf(bytes), refused)
  })

  test('a text over 255 bytes is a bug of whoever made the leaf', () => {
    assert.throws(() => encodeLeaf({ ...example, identity: 'x'.repeat(256) }), RangeError)
  })
})

suite('group of leaves', () => {
  test('decode undoes encode', () => {
    const shape = { leaves: fc.array(bytesOf(9)), mac: bytesOf(32) }
    const groups = fc.record(shape, { noNullPrototype: true })
    fc.assert(
      fc.property(groups, (group) => {
        assert.deepEqual(decodeLeafGroup(encodeLeafGroup(group)), group)
      }),
    )
  })

  test('any bytes either decode to what encodes to them or are refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        try {
          assert.deepEqual(encodeLeafGroup(decodeLeafGroup(bytes)), Buffer.from(bytes))
        } catch (error) {
          assert.equal((error as { code?: unknown }).code, 'RECORD_INVALID')
        }
      }),
    )
  })

  test('a group that is cut or longer is refused', () => {
    const bytes = encodeLeafGroup({ leaves: [encodeLeaf(example)], mac: Buffer.alloc(32) })
    for (let length = 0; length < bytes.length; length += 1) {
      assert.throws(() => decodeLeafGroup(bytes.subarray(0, length)), refused)
    }
    assert.throws(() => decodeLeafGroup(Buffer.concat([bytes, Buffer.alloc(1)])), refused)
  })
})
