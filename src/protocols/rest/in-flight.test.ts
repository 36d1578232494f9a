/** Requests in flight: bounded in number and in bytes, and told when they take too long. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { InFlight } from './in-flight.ts'

const limits = { requestsMax: 2, bodyBytesMax: 100 }
const ignore = () => undefined

suite('requests in flight', () => {
  test('one more than permitted is refused until one has left', () => {
    using inFlight = new InFlight(limits, () => 0)
    const first = inFlight.enter(0, ignore)
    inFlight.enter(0, ignore)
    assert.throws(() => inFlight.enter(0, ignore), { code: 'OVERLOADED' })
    inFlight.leave(first)
    inFlight.leave(first)
    assert.equal(inFlight.size, 1)
    inFlight.enter(0, ignore)
    assert.throws(() => inFlight.enter(0, ignore), { code: 'OVERLOADED' })
  })

  test('the bytes of all bodies together are bounded, and given back', () => {
    using inFlight = new InFlight(limits, () => 0)
    const large = inFlight.enter(100, ignore)
    assert.throws(() => inFlight.enter(1, ignore), { code: 'OVERLOADED' })
    inFlight.leave(large)
    inFlight.enter(100, ignore)
  })

  test('what takes too long is told once, and keeps its place until its work ends', () => {
    let nowMs = 0
    using inFlight = new InFlight(limits, () => nowMs)
    const told: string[] = []
    const slow = inFlight.enter(0, () => told.push('slow'))
    const reading = inFlight.enter(0, () => told.push('reading'))
    inFlight.begin(slow, 1_000)
    nowMs = 999
    inFlight.sweep()
    assert.deepEqual(told, [])
    nowMs = 1_000
    inFlight.sweep()
    inFlight.sweep()
    assert.deepEqual(told, ['slow'])
    assert.equal(inFlight.size, 2)
    inFlight.leave(slow)
    inFlight.leave(reading)
    assert.equal(inFlight.size, 0)
  })
})
