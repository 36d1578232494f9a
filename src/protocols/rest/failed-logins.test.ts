/** What a wrong token costs: a growing wait for that address alone, in bounded memory. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { FailedLogins } from './failed-logins.ts'
import { failedAddressesMax, failedLoginsMax } from './limits.ts'

suite('failed authentications', () => {
  test('beyond the limit the wait grows, for that address alone, and has an end', () => {
    const failures = new FailedLogins(() => 0)
    for (let count = 0; count < failedLoginsMax; count += 1) assert.equal(failures.add('a'), 0)
    const waits = Array.from({ length: 10 * failedLoginsMax }, () => failures.add('a'))
    assert.ok((waits[0] ?? 0) > 0)
    assert.ok((waits[1] ?? 0) > (waits[0] ?? 0))
    assert.equal(waits.at(-1), waits.at(-2))
    assert.ok((waits.at(-1) ?? 0) <= 300)
    assert.equal(failures.add('b'), 0)
  })

  test('who waits as long as was said is forgiven', () => {
    let nowMs = 0
    const failures = new FailedLogins(() => nowMs)
    let wait = 0
    for (let count = 0; count <= failedLoginsMax; count += 1) wait = failures.add('a')
    assert.ok(wait > 0)
    nowMs += wait * 1_000
    assert.equal(failures.add('a'), 0)
  })

  test('no number of addresses makes the table grow beyond its limit', () => {
    const failures = new FailedLogins(() => 0)
    for (let count = 0; count < failedAddressesMax + 100; count += 1)
      failures.add(`address ${count}`)
    assert.equal(failures.size, failedAddressesMax)
  })
})
