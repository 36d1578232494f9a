/**
 * The health tests: cut-offs against published figures, and each injected fault within the number of
 * samples that the standard gives for it.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { criticalCount, cutoffsFor, HealthTests, windowSamples } from './health-tests.ts'
import { byteStream } from './sources.testing.ts'

suite('cut-offs', () => {
  /** H: repetition at 2^-20, 2^-30, 2^-40; proportion of 512 at the same. */
  const published = [
    [0.1, 201, 301, 401, 502, 507, 510],
    [0.5, 41, 61, 81, 410, 422, 432],
    [1, 21, 31, 41, 311, 325, 336],
    [1.5, 15, 21, 28, 234, 248, 260],
    [2, 11, 16, 21, 177, 190, 201],
    [3, 8, 11, 15, 103, 114, 123],
    [4, 6, 9, 11, 62, 71, 78],
    [6, 5, 6, 8, 25, 31, 35],
    [8, 4, 5, 6, 13, 16, 19],
  ] as const

  for (const [entropyBits, ...expected] of published) {
    test(`of ${entropyBits} bits a sample`, () => {
      const cutoffs = [20, 30, 40].map((bits) => cutoffsFor(entropyBits, bits))
      const repetition = cutoffs.map((one) => one.repetition)
      const proportion = cutoffs.map((one) => one.proportion)
      assert.deepEqual([...repetition, ...proportion], expected)
    })
  }

  test('of a binary source, SP 800-90B section 4.4.2', () => {
    assert.equal(1 + criticalCount(1_024, 0.5, 2 ** -20), 589)
  })

  test('the false-alarm rate stays within the range that the standard accepts', () => {
    assert.throws(() => cutoffsFor(1, 19))
    assert.throws(() => cutoffsFor(1, 41))
    assert.throws(() => cutoffsFor(0))
    assert.throws(() => cutoffsFor(8.1))
  })
})

/** After how many samples from the fault on the tests notice it; so many good ones come before. */
function samplesUntilFailure(
  entropyBits: number,
  fault: (good: number, index: number) => number,
  goodSamples = 700,
): { readonly failure: string | undefined; readonly samples: number } {
  const tests = new HealthTests(cutoffsFor(entropyBits))
  const stream = byteStream('health tests')
  for (let index = 0; index < goodSamples; index += 1) {
    assert.equal(tests.check(Uint8Array.of(stream.next().value)), undefined)
  }
  for (let index = 0; index < 20_000; index += 1) {
    const failure = tests.check(Uint8Array.of(fault(stream.next().value, index)))
    if (failure) return { failure, samples: index + 1 }
  }
  return { failure: undefined, samples: 20_000 }
}

suite('injected faults', () => {
  for (const entropyBits of [1, 4]) {
    const { repetition } = cutoffsFor(entropyBits)

    test(`stuck on one value: noticed in ${repetition} samples (${entropyBits} bits claimed)`, () => {
      for (const value of [0, 0x55, 0xff]) {
        const { failure, samples } = samplesUntilFailure(entropyBits, () => value)
        assert.equal(failure, 'repetition')
        assert(samples <= repetition && samples >= repetition - 1)
      }
    })

    test(`a third of what is claimed: noticed within two windows (${entropyBits} bits)`, () => {
      // One value with the probability of a third of the bits, the others as they come.
      const bound = 256 * 2 ** (-entropyBits / 3)
      for (const offset of [0, 100, 300, 511]) {
        const stream = byteStream(`choice ${offset}`)
        const biased = (good: number) => (stream.next().value < bound ? 9 : good)
        const { failure, samples } = samplesUntilFailure(entropyBits, biased, 700 + offset)
        assert(failure)
        // The window under way may be too full of good samples, and the next begin with another value.
        assert(samples <= 4 * windowSamples, `${failure} after ${samples}`)
      }
    })
  }

  for (const period of [2, 3, 5, 8, 16]) {
    test(`a pattern of ${period} values over and over: noticed within two windows`, () => {
      const pattern = Array.from({ length: period }, (_, index) => (index * 37 + 1) & 0xff)
      const repeat = (_good: number, index: number) => pattern[index % period] ?? 0
      for (const offset of [0, 250, 511]) {
        const { failure, samples } = samplesUntilFailure(4, repeat, 700 + offset)
        assert(failure === 'lag' || failure === 'proportion')
        assert(samples <= 2 * windowSamples, `after ${samples}`)
      }
    })
  }

  test('a good source raises no alarm in 200,000 samples', () => {
    for (const entropyBits of [1, 4]) {
      const tests = new HealthTests(cutoffsFor(entropyBits))
      const stream = byteStream('good')
      const samples = Uint8Array.from({ length: 200_000 }, () => stream.next().value)
      assert.equal(tests.check(samples), undefined)
      assert(tests.longestRun >= 2)
      assert(tests.highestLag >= 5)
    }
  })

  test('a source with exactly what is claimed raises none', () => {
    // Sixteen values, each as likely as the others: four bits.
    const tests = new HealthTests(cutoffsFor(4))
    const stream = byteStream('four bits')
    const samples = Uint8Array.from({ length: 200_000 }, () => stream.next().value & 15)
    assert.equal(tests.check(samples), undefined)
  })
})
