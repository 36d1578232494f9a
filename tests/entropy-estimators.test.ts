/**
 * The estimators of the assessment (`bench/entropy/estimators.ts`) against the figures that NIST's own
 * program printed for its own files (SP800-90B_EntropyAssessment, cpp/selftest/refdata, truerand_8bit.res
 * and data.pi.res, public domain), and on sources whose entropy is known.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import * as estimators from '../bench/entropy/estimators.ts'
import { byteStream } from '../src/hsm/entropy/sources.testing.ts'

function near(actual: number, expected: number, tolerance = 1e-6): void {
  assert(Math.abs(actual - expected) <= tolerance, `${actual}, not ${expected}`)
}

suite("NIST's figures", () => {
  test('most common value, 6.3.1', () => {
    near(estimators.mostCommonBits(4_001_353, 8_000_000), 0.9981992801198275)
    near(estimators.mostCommonBits(4_124, 1_000_000), 7.86511800289959)
    near(estimators.mostCommonBits(662_972, 1_165_666), 0.8111405797040744)
  })

  test('collision, 6.3.2', () => {
    near(estimators.collisionBits(2.4995722134095013), 0.958406295418369)
    near(estimators.collisionBits(2.4395643654531334), 0.5695375934577747)
  })

  test('Markov, 6.3.3', () => {
    const random = { p0: 0.499830875, p00: 0.4998562013241482, p10: 0.4998054408096461 }
    near(estimators.markovBits(random), 0.9994393031668619)
    const pi = { p0: 0.43125046110978615, p00: 0.48045928537042415, p10: 0.3939387997363384 }
    near(estimators.markovBits(pi), 0.7231807819900453)
  })

  test('compression, 6.3.4', () => {
    near(estimators.compressionBits(5.215446039501188, 1_333_333), 0.9042326818973119, 1e-5)
    near(estimators.compressionBits(5.121901684311755, 194_277), 0.6015591906321965, 1e-5)
  })

  test('predictions, 6.3.7 and 6.3.8', () => {
    const mcw = { made: 7_999_937, correct: 3_997_538, longestRun: 24 - 1 }
    near(estimators.predictionBits(mcw, 2), 0.9995628331666655)
    const lag = { made: 999_999, correct: 3_912, longestRun: 3 - 1 }
    near(estimators.predictionBits(lag, 256), 7.939764556109469)
  })
})

test('a run is missing with the probability that counting gives', () => {
  for (const [run, made] of [
    [3, 200],
    [8, 2_000],
    [20, 50_000],
  ] as const) {
    const p = estimators.localProbability(run, made)
    // States: how long the run is that is under way, none of which has been reached.
    let states = [1, ...Array<number>(run - 1).fill(0)]
    for (let step = 0; step < made; step += 1) {
      const total = states.reduce((sum, state) => sum + state, 0)
      states = [total * (1 - p), ...states.slice(0, -1).map((state) => state * p)]
    }
    near(
      states.reduce((sum, state) => sum + state, 0),
      0.99,
      1e-3,
    )
  }
})

suite('sources of which the entropy is known', () => {
  const stream = byteStream('estimators')
  const length = 100_000
  const draw = (map: (byte: number) => number) =>
    Uint8Array.from({ length }, () => map(stream.next().value))

  test('independent bits, three of four of them ones: 0.415 bits', () => {
    const bits = draw((byte) => Number(byte < 192))
    const exact = -Math.log2(0.75)
    for (const [name, estimate] of [
      ['most common value', estimators.mostCommonValue(bits)],
      ['collision', estimators.collision(bits)],
      ['Markov', estimators.markov(bits)],
      ['compression', estimators.compression(bits)],
      ['t-tuple', estimators.tTuple(bits)],
      ['multi MCW', estimators.multiMcw(bits, 2)],
    ] as const) {
      assert(estimate <= exact + 0.01 && estimate > 0.5 * exact, `${name}: ${estimate}`)
    }
  })

  test('bytes that are all alike in chance: near eight bits by the common value', () => {
    const samples = draw((byte) => byte)
    assert(estimators.mostCommonValue(samples) > 7.5)
    assert(estimators.lag(samples, 256) > 7.5)
    assert(estimators.multiMcw(samples, 256) > 7.5)
  })

  test('a pattern has nothing, and the lag predictor and tuples see it', () => {
    const samples = Uint8Array.from({ length }, (_, index) => (index * 37) & 0x7f)
    assert(estimators.mostCommonValue(samples) > 6.8)
    assert(estimators.lag(samples, 256) < 0.01)
    assert(estimators.tTuple(samples) < 0.1)
  })

  test('bits that mostly repeat the one before', () => {
    let last = 0
    const bits = draw((byte) => {
      if (byte < 26) last = 1 - last
      return last
    })
    assert(estimators.mostCommonValue(bits) > 0.9)
    assert(estimators.markov(bits) < 0.2)
    assert(estimators.lag(bits, 2) < 0.2)
  })
})
