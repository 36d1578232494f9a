/** The schemas of the wire: bytes have one encoding, numbers one form, members are known. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { parseQuery } from './query.ts'
import { bytes, encryptionContext, newKey, queryInteger } from './schemas.ts'

suite('bytes', () => {
  const schema = bytes(64)

  test('decoding undoes encoding', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (value) => {
        const decoded = schema.parse(z.encode(schema, value))
        assert.deepEqual(new Uint8Array(decoded), value)
      }),
    )
  })

  test('any text is the one encoding of its bytes, or refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
        const parsed = schema.safeParse(text)
        if (parsed.success) assert.equal(z.encode(schema, parsed.data), text)
      }),
    )
  })

  test('white space, missing padding, other alphabets, loose bits, one byte too many', () => {
    for (const text of ['AA ==', 'AA', 'AA=', 'A===', '-_-_', 'AB==', 'AAA=\n', 'A', '====']) {
      assert.equal(schema.safeParse(text).success, false, JSON.stringify(text))
    }
    assert.equal(schema.safeParse(Buffer.alloc(64).toString('base64')).success, true)
    assert.equal(schema.safeParse(Buffer.alloc(65).toString('base64')).success, false)
    assert.equal(schema.safeParse(1).success, false)
  })
})

suite('bodies', () => {
  test('a member that no schema knows is refused', () => {
    const least = { name: 'a', owner: 'somebody', purpose: 'tests' }
    assert.equal(newKey.safeParse(least).success, true)
    for (const extra of ['constructor', 'toString', 'Name', 'sealed']) {
      assert.equal(newKey.safeParse({ ...least, [extra]: 1 }).success, false, extra)
    }
  })

  test('half a surrogate pair is no text', () => {
    assert.equal(encryptionContext.safeParse({ a: '\ud800' }).success, false)
    assert.equal(encryptionContext.safeParse({ '\udc00': 'a' }).success, false)
    assert.equal(encryptionContext.safeParse({ a: '😀' }).success, true)
  })
})

suite('queries', () => {
  test('a name that is there twice is refused, also in percent signs', () => {
    assert.deepEqual(parseQuery('/v1/x?limit=1&cursor=%41'), { limit: '1', cursor: 'A' })
    assert.deepEqual(parseQuery('/v1/x'), {})
    for (const query of ['limit=1&limit=1', 'limit=1&%6cimit=2', '='.repeat(5_000)]) {
      assert.throws(() => parseQuery(`/v1/x?${query}`), { code: 'REQUEST_INVALID' })
    }
  })

  test('any target is read, or refused with one code', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        try {
          parseQuery(`/v1/x?${text}`)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'REQUEST_INVALID')
        }
      }),
    )
  })

  test('a number is decimal digits and nothing else', () => {
    const schema = queryInteger(1, 1_000)
    assert.equal(schema.parse('1000'), 1_000)
    for (const text of [
      '0',
      '1001',
      '01',
      '+1',
      '1e2',
      '0x1',
      ' 1',
      '1.0',
      '',
      '99999999999999999',
    ]) {
      assert.equal(schema.safeParse(text).success, false, text)
    }
  })
})
