/** Who asks without end waits; others do not, until there are too many. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Pace } from './pace.ts'

suite('the pace of people who have not logged in', () => {
  test('an address that asks without end waits as long as it is told, others not at all', () => {
    let now = 0
    const pace = new Pace(() => now)
    for (let count = 0; count < 30; count += 1) assert.equal(pace.waitSeconds('a', 4), 0)
    assert.equal(pace.waitSeconds('a', 4), 4)
    assert.equal(pace.waitSeconds('b', 4), 0)
    now += 3_999
    assert.equal(pace.waitSeconds('a', 4), 1)
    now += 1
    assert.equal(pace.waitSeconds('a', 4), 0)
  })

  test('many addresses together are not more than all may be', () => {
    let now = 0
    const pace = new Pace(() => now)
    const flood = () => {
      let let_ = 0
      for (let address = 0; address < 10_000; address += 1) {
        if (pace.waitSeconds(String(address), 4) === 0) let_ += 1
      }
      return let_
    }
    assert.equal(flood(), 120)
    now += 60_000
    assert.equal(flood(), 60)
  })
})
