/** Tables of counts and histograms against a plain reckoning, and what they cost in memory. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { CountTable, HistogramTable, other } from './tables.ts'

const known = ['sign', 'verify', 'constructor']
const name = fc.oneof(fc.constantFrom(...known), fc.string(), fc.constant('__proto__'))
const labelOf = (text: string) => (known.includes(text) ? text : other)

suite('tables', () => {
  test('count every pair of labels, and what is in no list as other', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, name)), (pairs) => {
        const table = new CountTable(known, known)
        const expected = new Map<string, number>()
        for (const [row, column] of pairs) {
          table.add(row, column)
          const place = `${labelOf(row)} ${labelOf(column)}`
          expected.set(place, (expected.get(place) ?? 0) + 1)
        }
        const found = table.read(({ row, column }) => `${row} ${column}`)
        assert.deepEqual(new Map(found.map(({ labels, value }) => [labels, value])), expected)
      }),
    )
  })

  test('put values into buckets whose bounds belong to them', () => {
    const bounds = [0.1, 1, 10]
    const value = fc.oneof(
      fc.constantFrom(0, ...bounds, 11),
      fc.double({ min: 0, max: 20, noNaN: true }),
    )
    fc.assert(
      fc.property(fc.array(value, { minLength: 1 }), (values) => {
        const table = new HistogramTable(known, bounds)
        for (const each of values) table.observe('sign', each)
        const [found, ...others] = table.read()
        assert(found)
        assert.deepEqual(others, [])
        const upTo = [...bounds, Number.POSITIVE_INFINITY].map(
          (bound) => values.filter((each) => each <= bound).length,
        )
        assert.deepEqual(found.cumulative, upTo)
        assert.equal(found.count, values.length)
        assert.equal(
          found.sum,
          values.reduce((sum, each) => sum + each, 0),
        )
      }),
    )
  })

  test('take no memory to count', () => {
    const table = new CountTable(known, known)
    const histogram = new HistogramTable(known, [0.1, 1, 10])
    const names = ['sign', 'verify', 'nothing']
    const count = (times: number) => {
      for (let index = 0; index < times; index += 1) {
        const row = names[index % names.length] ?? ''
        table.add(row, row)
        histogram.observe(row, index % 20)
      }
    }
    count(200_000)
    const before = process.memoryUsage().heapUsed
    count(200_000)
    // One object of two words for each would be 3.2 MB, which the young generation holds without a collection.
    assert(process.memoryUsage().heapUsed - before < 400_000)
  })
})
