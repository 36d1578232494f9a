/** Answers are held to their schema, whatever the server says. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { parseAnswer, type Schema } from './schema.ts'

const key: Schema = {
  type: 'object',
  properties: {
    name: { type: 'string', maxLength: 5, pattern: '^[a-z]+$' },
    version: { type: 'integer', minimum: 1 },
    bytes: { type: 'string', contentEncoding: 'base64', maxLength: 8 },
    state: { enum: ['active', 'destroyed'] },
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    uses: { type: 'array', items: { type: 'string' }, maxItems: 2 },
  },
  required: ['name'],
  additionalProperties: false,
}
const refuses = (value: unknown, schema = key) =>
  assert.throws(() => parseAnswer(schema, value, 'answer'), { code: 'ANSWER_INVALID' })

suite('the schema of an answer', () => {
  test('what fits comes back, with bytes from base64', () => {
    const answer = { name: 'k', version: 1, bytes: 'AQI=', labels: { a: 'b' }, uses: ['sign'] }
    const expected = { ...answer, bytes: Buffer.of(1, 2) }
    assert.deepEqual(parseAnswer(key, answer, 'answer'), expected)
  })

  test('what the schema does not know is left out: a newer server is no error', () => {
    assert.deepEqual(parseAnswer(key, { name: 'k', more: { x: 1 } }, 'answer'), { name: 'k' })
  })

  test('what does not fit is refused, and the error names the place', () => {
    for (const value of [
      null,
      [],
      'k',
      {},
      { name: 1 },
      { name: 'toolong' },
      { name: 'K' },
      { name: 'k', version: 0 },
      { name: 'k', version: 1.5 },
      { name: 'k', version: '1' },
      { name: 'k', bytes: 'AQI' },
      { name: 'k', bytes: 'AQIDBAUGBwg=' },
      { name: 'k', state: 'sleeping' },
      { name: 'k', labels: { a: 1 } },
      { name: 'k', uses: ['a', 'b', 'c'] },
    ]) {
      refuses(value)
    }
    const nested = { name: 'k', labels: { a: 1 } }
    assert.throws(() => parseAnswer(key, nested, 'getKey'), /getKey\.labels\.a$/)
  })

  test('one of several, and a constant', () => {
    const either: Schema = {
      anyOf: [
        { type: 'object', properties: { a: { const: 1 } }, required: ['a'] },
        { type: 'null' },
      ],
    }
    assert.deepEqual(parseAnswer(either, { a: 1 }, 'x'), { a: 1 })
    assert.equal(parseAnswer(either, null, 'x'), null)
    refuses({ a: 2 }, either)
  })

  test('any JSON fits or is ANSWER_INVALID', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        try {
          parseAnswer(key, value, 'answer')
        } catch (error) {
          assert(error instanceof Error && 'code' in error && error.code === 'ANSWER_INVALID')
        }
      }),
    )
  })

  test('names that an object inherits are names like others', () => {
    const answer = JSON.parse('{"name":"k","__proto__":{"version":1},"constructor":1}')
    assert.deepEqual(parseAnswer(key, answer, 'answer'), { name: 'k' })
  })
})
