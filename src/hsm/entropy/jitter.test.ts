/** The timing source: its tick, its own tests with clocks that lie, and that it works on this machine. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { cutoffsFor, HealthTests } from './health-tests.ts'
import { findTick, Jitter } from './jitter.ts'
import { byteStream } from './sources.testing.ts'

/** A clock that each reading moves on by what the test gives, in nanoseconds. */
function clockOf(step: (reading: number) => number): () => bigint {
  let reading = 0
  let now = 1_000_000n
  return () => {
    now += BigInt(step(reading))
    reading += 1
    return now
  }
}

/** A clock in ticks of 10 ns under which work takes a random time. */
function livelyStep(): (reading: number) => number {
  const stream = byteStream('clock')
  return (reading) => (reading % 2 === 0 ? 50 : 800 + 10 * (stream.next().value & 63))
}

suite('the tick of the clock', () => {
  const stream = byteStream('tick')
  const deltasOf = (tick: number) =>
    Array.from({ length: 1_000 }, (_, index) => {
      const most = index % 2 === 0 ? 40 : 900
      const ticks = Math.ceil(most / tick) + (stream.next().value & 3)
      const start = stream.next().value * tick * 7
      return Math.floor(start + ticks * tick) - Math.floor(start)
    })

  for (const tick of [10, 10.016, 41 + 2 / 3, 52.083, 100]) {
    test(`${tick.toFixed(3)} ns is found`, () => {
      const found = findTick(deltasOf(tick))
      assert(Math.abs(found - tick) < 0.02, `${found}`)
    })
  }

  test('a clock that is finer than a nanosecond has none', () => {
    assert.equal(findTick(deltasOf(0.4)), 1)
  })

  test('nothing to go by is no tick', () => {
    assert.equal(findTick([]), 1)
    assert.equal(findTick([0, 0, 0]), 1)
  })
})

suite('clocks that lie', () => {
  const samples = new Uint8Array(2_048)

  test('a clock that stands still is noticed after 31 samples', () => {
    let readings = 0
    const jitter = new Jitter({
      clock: () => {
        readings += 1
        return 5n
      },
    })
    assert.equal(jitter.read(samples), 'clock-stopped')
    assert(readings <= 4 * 512 + 2 * 31)
  })

  test('one that stands still later is noticed as soon', () => {
    const lively = livelyStep()
    const jitter = new Jitter({
      clock: clockOf((reading) => (reading < 3_000 ? lively(reading) : 0)),
    })
    assert.equal(jitter.read(samples), 'clock-stopped')
  })

  test('a clock that goes back is noticed at once', () => {
    const lively = livelyStep()
    const step = (reading: number) => (reading === 3_001 ? -10 : lively(reading))
    const jitter = new Jitter({ clock: clockOf(step) })
    assert.equal(jitter.read(samples), 'clock-back')
  })

  test('equal times, and times that grow evenly, are noticed after 31 samples', () => {
    for (const growth of [0, 10]) {
      const step = (reading: number) => 800 + growth * Math.max(0, (reading - 2_048) >> 1)
      const jitter = new Jitter({ clock: clockOf(step) })
      assert.equal(jitter.read(samples), 'stuck')
    }
  })

  test('a lively clock passes, its tick taken out', () => {
    const jitter = new Jitter({ clock: clockOf(livelyStep()) })
    assert.equal(jitter.read(samples), undefined)
    assert.equal(jitter.tickNs, 10)
    assert(new Set(samples).size <= 64)
  })
})

test('on this machine, 20,000 raw samples pass the health tests for the bit that is claimed', () => {
  const jitter = new Jitter()
  const samples = new Uint8Array(20_000)
  assert.equal(jitter.read(new Uint8Array(1_024)), undefined)
  assert.equal(jitter.read(samples), undefined)
  const tests = new HealthTests(cutoffsFor(jitter.entropyBits))
  assert.equal(tests.check(samples), undefined)
  // Most common value: a machine that does not reach twice the claim here must not be trusted with it.
  const counts = new Uint32Array(256)
  for (const sample of samples) counts[sample] = (counts[sample] ?? 0) + 1
  assert(-Math.log2(Math.max(...counts) / samples.length) > 2)
})
