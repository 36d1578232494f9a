/** The reader of bodies: as JSON.parse, but strict, bounded in depth, and with one refusal. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { flatJson, parseJson } from './json.ts'
import { depthMax } from './limits.ts'

const parse = (text: string) => parseJson(Buffer.from(text))
const refused = { code: 'BODY_INVALID' }

/** What has no member twice and none called __proto__, and is not too deep. */
const plainValues = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 6 },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: 'binary' }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      fc.string({ unit: 'binary' }).filter((name) => name !== '__proto__'),
      tie('value'),
      { maxKeys: 5, noNullPrototype: true },
    ),
  ),
})).value

suite('bodies', () => {
  test('every plain JSON text is read as JSON.parse reads it, however it is spaced', () => {
    fc.assert(
      fc.property(plainValues, fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        const text = JSON.stringify(value, undefined, space)
        assert.deepEqual(parse(text), JSON.parse(text))
      }),
    )
  })

  test('any bytes are read, or refused with one code', () => {
    const pieces = fc.array(
      fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', '"a"', '"\\u0061"', '1', ' ', 'é'),
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          pieces.map((p) => Buffer.from(p.join(''))),
        ),
        (body) => {
          try {
            assert.deepEqual(parseJson(body), JSON.parse(Buffer.from(body).toString('utf8')))
          } catch (error) {
            assert.equal((error as { code?: string }).code, 'BODY_INVALID')
          }
        },
      ),
    )
  })

  test('a member that is there twice is refused wherever it is and however it is escaped', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.array(fc.boolean(), { minLength: 2, maxLength: 2 }),
        plainValues,
        (name, escaped, value) => {
          const names = escaped.map((yes) => (yes ? escapedText(name) : JSON.stringify(name)))
          const inner = JSON.stringify(value)
          const twice = `{${names[0]}:${inner},"between ${name.length}":[{}],${names[1]}:${inner}}`
          assert.throws(() => parse(twice), refused)
          assert.throws(() => parse(`[0,{"a":[${twice}]}]`), refused)
        },
      ),
    )
  })

  test('the same member in two objects is no duplicate', () => {
    assert.deepEqual(parse('[{"a":1},{"a":{"a":"a"},"b":["a","a"]}]'), [
      { a: 1 },
      { a: { a: 'a' }, b: ['a', 'a'] },
    ])
  })

  test('as many levels as are permitted, and not one more', () => {
    const nested = (levels: number, open: string, close: string) =>
      open.repeat(levels) + close.repeat(levels)
    assert.ok(parse(nested(depthMax, '[', ']')))
    assert.throws(() => parse(nested(depthMax + 1, '[', ']')), refused)
    assert.throws(
      () => parse(`${'{"a":'.repeat(depthMax + 1)}1${'}'.repeat(depthMax + 1)}`),
      refused,
    )
    assert.throws(() => parse('['.repeat(4_000_000)), refused)
  })

  test('invalid UTF-8, a byte order mark, nothing, and __proto__ are refused', () => {
    for (const body of [
      Buffer.from([0x22, 0xff, 0x22]),
      Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
      Buffer.from('\ufeff{}'),
      Buffer.alloc(0),
      Buffer.from('{"__proto__":1}'),
      Buffer.from('{"\\u005f_proto__":1}'),
      Buffer.from('{"a":1}{}'),
      Buffer.from('{"a":1,}'),
    ]) {
      assert.throws(() => parseJson(body), refused)
    }
  })

  test('a long run of backslashes is read in one pass', () => {
    const text = JSON.stringify('\\'.repeat(500_000))
    const start = performance.now()
    assert.equal(parse(text), '\\'.repeat(500_000))
    assert.ok(performance.now() - start < 2_000)
  })
})

suite('answers', () => {
  test('flat objects are written as JSON, bytes as base64, undefined not at all', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.string({ unit: 'binary' }), fc.integer(), (b, text, n) => {
        const value = { bytes: b, text, n, yes: true, no: undefined, nested: { text: [text] } }
        assert.deepEqual(JSON.parse(flatJson(value)), {
          bytes: Buffer.from(b).toString('base64'),
          text,
          n,
          yes: true,
          nested: { text: [text] },
        })
      }),
    )
    assert.equal(flatJson({}), '{}')
  })
})

function escapedText(text: string): string {
  const units = Array.from({ length: text.length }, (_, index) => text.charCodeAt(index))
  return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')}"`
}
