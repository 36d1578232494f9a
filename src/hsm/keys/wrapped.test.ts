/**
 * Wrapped keys: one encoding, every bit of it authentic (invariant 6), bound to domain and epoch. The
 * vectors of docs/formats/wrapped-key.json are opened with what the specification says and nothing of
 * the code that wrote them.
 */

import assert from 'node:assert/strict'
import { createSecretKey, hkdfSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import {
  type AlgorithmName,
  algorithms,
  type KeyTypeName,
  keyTypes,
  keyUses,
} from '../contract/algorithms.ts'
import { HsmError } from '../contract/errors.ts'
import {
  type KeyAttributes,
  keyIdFromBytes,
  keyStates,
  parseKeyId,
  provenances,
} from '../contract/keys.ts'
import { Domain } from '../domain.ts'
import { newKeyId, p256, template } from '../door.testing.ts'
import { DerivingKey, openUnder } from '../primitives/xaes-256-gcm.ts'
import { Secret } from '../secret.ts'
import { attributesOf, generatedClass } from './attributes.ts'
import { KeyMaterial } from './material.ts'
import { decodeHeader, encodeHeader, rewrap, unwrap, wrap } from './wrapped.ts'

const domain = Domain.found({ development: true })
const invalid = { name: 'HsmError', code: 'WRAPPED_KEY_INVALID' }

async function wrapped(of = p256): Promise<{ bytes: Buffer; attributes: KeyAttributes }> {
  using material = await KeyMaterial.generate(of.type, { lengthBytes: 32 })
  const reference = { key: parseKeyId(newKeyId()), version: 3 }
  const origin = { keyClass: generatedClass(of.type), provenance: 'generated' } as const
  const attributes = attributesOf(reference, of, origin, 1_700_000_000_000)
  return { bytes: wrap(domain, attributes, material), attributes }
}

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const time = fc.maxSafeNat()

const unlimited: fc.Arbitrary<KeyAttributes> = fc.record(
  {
    key: bytesOf(16).map(keyIdFromBytes),
    version: u32,
    revision: u32,
    class: fc.constantFrom('secret', 'private', 'public'),
    state: fc.constantFrom(...keyStates),
    provenance: fc.constantFrom(...provenances),
    created: time,
    type: fc.constantFrom(...(Object.keys(keyTypes) as KeyTypeName[])),
    algorithms: fc.subarray(Object.keys(algorithms) as AlgorithmName[], {
      minLength: 1,
      maxLength: 64,
    }),
    uses: fc.subarray([...keyUses]),
    exportable: fc.boolean(),
    externalIv: fc.boolean(),
    plaintextRelease: fc.boolean(),
    approvals: fc.nat({ max: 16 }),
    canary: fc.boolean(),
    usesMax: fc.constant(0),
    home: fc.constant(''),
    notBefore: time,
    notAfter: time,
  },
  { noNullPrototype: true },
)

const anyAttributes = fc
  .tuple(unlimited, fc.maxSafeNat(), bytesOf(16))
  .map(([attributes, usesMax, home]) => {
    const isLimited = usesMax > 0
    return { ...attributes, usesMax, home: isLimited ? Buffer.from(home).toString('hex') : '' }
  })

suite('the header', () => {
  test('decode(encode(x)) is x', () => {
    fc.assert(
      fc.property(anyAttributes, (attributes) => {
        const header = encodeHeader(domain, attributes)
        const bytes = Buffer.concat([header, Buffer.alloc(40)])
        const headerEnd = header.length
        assert.deepEqual(decodeHeader(domain, bytes), { attributes, kek: domain.kek, headerEnd })
      }),
    )
  })

  test('any bytes decode or are refused with one code', () => {
    const start = encodeHeader(domain, { ...anyOne(), algorithms: ['ECDSA-SHA-256'] })
    const near = fc
      .tuple(fc.nat(start.length - 1), fc.uint8Array({ maxLength: 12 }))
      .map(([offset, bytes]) => {
        const changed = Buffer.concat([start, Buffer.alloc(64)])
        changed.set(bytes, offset)
        return new Uint8Array(changed)
      })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 256 }), near), (bytes) => {
        try {
          decodeHeader(domain, bytes)
        } catch (error) {
          assert(error instanceof HsmError)
          assert.equal(error.code, 'WRAPPED_KEY_INVALID')
        }
        assert.throws(() => unwrap(domain, bytes), invalid)
      }),
    )
  })
})

test('the numbers of provenances are those of the format; one that is kept is refused', () => {
  const file = path.join(import.meta.dirname, '../../../docs/formats/wrapped-key.md')
  const [, list = '', kept = ''] =
    /provenance: (.*); (\d) is kept for restored/.exec(readFileSync(file, 'utf8')) ?? []
  assert.deepEqual(
    list.split(', '),
    provenances.map((name, number) => `${number} ${name}`),
  )
  const bytes = Buffer.concat([encodeHeader(domain, anyOne()), Buffer.alloc(40)])
  bytes.writeUInt8(Number(kept), 55)
  assert.equal(Number(kept), provenances.length)
  assert.throws(() => decodeHeader(domain, bytes), invalid)
})

function anyOne(): KeyAttributes {
  const [attributes] = fc.sample(anyAttributes, 1)
  assert(attributes)
  return attributes
}

suite('wrapped keys', () => {
  test('unwrap undoes wrap, for a key of every family', async () => {
    const templates = [
      p256,
      template('AES-256', ['XAES-256-GCM'], ['encrypt', 'decrypt']),
      template('generic-secret', ['HMAC-SHA-256'], ['mac', 'verifyMac']),
      template('Ed25519', ['Ed25519'], ['sign', 'verify']),
      template('X25519', ['X25519'], ['agree']),
      template('ML-KEM-768', ['ML-KEM-768'], ['encapsulate', 'decapsulate']),
      template('ML-DSA-87', ['ML-DSA-87'], ['sign', 'verify']),
    ]
    for (const of of templates) {
      const { bytes, attributes } = await wrapped(of)
      const opened = unwrap(domain, bytes)
      using material = opened.material
      assert.deepEqual(opened.attributes, attributes)
      // Wrapping it again asserts that the bytes are the same as those that it opens.
      assert.equal(wrap(domain, attributes, material).length, bytes.length)
    }
  })

  test('invariant 6: one flipped bit anywhere in a wrapped key is refused', async () => {
    const { bytes } = await wrapped()
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      assert.throws(() => unwrap(domain, changed), invalid, `bit ${bit}`)
    }
  })

  test('a truncated, extended or empty one is refused', async () => {
    const { bytes } = await wrapped()
    for (let length = 0; length < bytes.length; length += 1) {
      assert.throws(() => unwrap(domain, bytes.subarray(0, length)), invalid)
    }
    assert.throws(() => unwrap(domain, Buffer.concat([bytes, Buffer.alloc(1)])), invalid)
    assert.throws(() => unwrap(domain, Buffer.concat([bytes, Buffer.alloc(9_000)])), invalid)
  })

  test('one of another domain is refused, and the key of another id does not open it', async () => {
    const { bytes } = await wrapped()
    using other = Domain.found({ development: true })
    assert.throws(() => unwrap(other, bytes), invalid)
    const swapped = Buffer.from(bytes)
    swapped.set(Buffer.alloc(16, 9), 27)
    assert.throws(() => unwrap(domain, swapped), invalid)
  })

  test('re-wrapping changes the KEK and nothing else; the one before opens until it is retired', async () => {
    const { bytes, attributes } = await wrapped()
    using next = domain.withNextKek()
    assert.deepEqual(next.kekBefore, domain.kek)
    const opened = unwrap(next, bytes)
    assert.deepEqual(opened.attributes, attributes)
    const again = rewrap(next, bytes)
    assert.deepEqual(again.attributes, attributes)
    using retired = next.withoutKekBefore()
    using one = opened.material.toBytes()
    using other = unwrap(retired, again.wrapped).material.toBytes()
    assert(one.expose((a) => other.expose((b) => Buffer.from(a).equals(b))))
    for (const open of [unwrap, rewrap]) {
      assert.throws(() => open(retired, bytes), { code: 'WRAPPED_KEY_OUTDATED' })
      assert.throws(() => open(domain, again.wrapped), invalid, 'a KEK that there never was')
    }
  })

  test('another epoch opens what the one before wrapped, and a third does not', async () => {
    const { bytes } = await wrapped()
    using second = domain.inNextEpoch()
    const { wrapped: again } = rewrap(second, bytes)
    using retired = second.withoutKekBefore()
    assert.throws(() => unwrap(retired, bytes), { code: 'WRAPPED_KEY_OUTDATED' })
    using third = retired.inNextEpoch()
    assert.equal(unwrap(third, again).attributes.version, 3)
    assert.throws(() => unwrap(third, bytes), { code: 'WRAPPED_KEY_OUTDATED' })
  })

  test('wrapping the same key twice gives different bytes', async () => {
    const { bytes, attributes } = await wrapped()
    const { material } = unwrap(domain, bytes)
    assert.notDeepEqual(wrap(domain, attributes, material), bytes)
  })
})

interface Vector {
  readonly comment: string
  readonly kek: string
  readonly wrapped: string
  readonly attributes: KeyAttributes
  readonly key: string
}

suite('docs/formats/wrapped-key.json', () => {
  const file = path.join(import.meta.dirname, '../../../docs/formats/wrapped-key.json')
  const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[] }

  for (const vector of vectors) {
    test(vector.comment, () => {
      const bytes = Buffer.from(vector.wrapped, 'hex')
      const named = { epoch: bytes.readUInt32BE(23), generation: bytes.readUInt32BE(92) }
      const home = { domainId: bytes.subarray(7, 23), kek: named }
      const { attributes, headerEnd } = decodeHeader(home, bytes)
      assert.deepEqual(attributes, vector.attributes)
      assert.deepEqual(encodeHeader(home, attributes), bytes.subarray(0, headerEnd))
      const info = Buffer.concat([Buffer.from('keyhold wrapped key v1'), bytes.subarray(27, 43)])
      const kek = Buffer.from(vector.kek, 'hex')
      const key = Buffer.from(hkdfSync('sha256', kek, home.domainId, info, 32))
      using aes = new DerivingKey(createSecretKey(key))
      const iv = bytes.subarray(headerEnd, headerEnd + 24)
      const aad = bytes.subarray(0, headerEnd)
      using opened = new Secret(openUnder(aes, { iv, aad }, bytes.subarray(headerEnd + 24)))
      opened.expose((exposed) => assert.equal(Buffer.from(exposed).toString('hex'), vector.key))
    })
  }
})
