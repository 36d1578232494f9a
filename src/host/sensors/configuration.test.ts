/** The file of ranges: taken whole or refused whole. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseRanges } from './configuration.ts'

suite('ranges of sensors', () => {
  test('are taken as they stand', () => {
    const hwmon = {
      'nct6798/in0': { min: 900, max: 1100 },
      'coretemp/temp1': { max: 95000 },
      'acpitz-0/temp12': { min: -40000 },
      'nct6798/intrusion0': 'ignore',
    }
    const full = (range: { min?: number; max?: number }) => ({
      min: undefined,
      max: undefined,
      ...range,
    })
    assert.deepEqual(parseRanges({ hwmon }), {
      'nct6798/in0': full({ min: 900, max: 1100 }),
      'coretemp/temp1': full({ max: 95000 }),
      'acpitz-0/temp12': full({ min: -40000 }),
      'nct6798/intrusion0': 'ignore',
    })
    assert.deepEqual(parseRanges({ hwmon: {} }), {})
  })

  test('what is not understood is refused', () => {
    for (const wrong of [
      null,
      [],
      {},
      { hwmon: [] },
      { hwmon: {}, other: 1 },
      { hwmon: { in0: { min: 1 } } },
      { hwmon: { 'a/fan1': { min: 1 } } },
      { hwmon: { 'a/in0': {} } },
      { hwmon: { 'a/in0': { min: 2, max: 1 } } },
      { hwmon: { 'a/in0': { min: '1' } } },
      { hwmon: { 'a/in0': { min: 1.5 } } },
      { hwmon: { 'a/in0': { min: 1, mx: 2 } } },
      { hwmon: { 'a/in0': 'off' } },
      { hwmon: { '../a/in0': { min: 1 } } },
    ]) {
      assert.throws(() => parseRanges(wrong), /./, JSON.stringify(wrong))
    }
  })
})
