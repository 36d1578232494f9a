/** The generator of this process: what it hands out, how, and that all its sources take part. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { poolBytes } from './entropy/pool.ts'
import { hasProcessorGenerator } from './native-random.ts'
import {
  entropyStatus,
  eraseGenerator,
  hasHealthyHardwareSource,
  mixHostEntropy,
  randomBytes,
  randomNonce,
  stirOpenssl,
  testSources,
} from './random.ts'

suite('random bytes', () => {
  test('any length, in memory of their own', () => {
    for (const length of [0, 1, 32, 2_047, 2_048, 2_049, 70_000]) {
      const bytes = randomBytes(length)
      assert.equal(bytes.length, length)
      assert.equal(bytes.buffer.byteLength, length)
      if (length >= 32) assert(bytes.includes(0) || length < 2_000)
    }
  })

  test('never the same twice, across refills and whichever way they are taken', () => {
    const seen = new Set<string>()
    const count = 3 * Math.ceil(poolBytes / 24)
    for (let index = 0; index < count; index += 1) {
      seen.add(randomBytes(24).toString('hex'))
      seen.add(randomNonce(24).toString('hex'))
    }
    assert.equal(seen.size, 2 * count)
  })

  test('every bit is set about as often as not', () => {
    const bytes = randomBytes(100_000)
    const counts = new Array<number>(8).fill(0)
    for (const byte of bytes) {
      for (let bit = 0; bit < 8; bit += 1) counts[bit] = (counts[bit] ?? 0) + ((byte >> bit) & 1)
    }
    // Eight standard deviations of a fair coin.
    for (const count of counts) assert(Math.abs(count - 50_000) < 8 * Math.sqrt(25_000))
  })

  test('prediction resistance seeds first', () => {
    const before = entropyStatus().generator.seedings
    randomBytes(32)
    assert.equal(entropyStatus().generator.seedings, before)
    assert.equal(randomBytes(32, { predictionResistance: true }).length, 32)
    assert.equal(entropyStatus().generator.seedings, before + 1)
  })

  test('bytes of the host are mixed in and counted as bytes, not as entropy', () => {
    mixHostEntropy(Buffer.alloc(64, 1))
    const { generator, sources } = entropyStatus()
    assert.equal(generator.hostBytes, 64)
    assert(!sources.some(({ name }) => name.includes('host')))
    stirOpenssl()
  })

  test('the sources of this machine are healthy, and pass again when asked', () => {
    assert(testSources())
    const { sources } = entropyStatus()
    const expected = ['operating-system', 'jitter', ...(hasProcessorGenerator ? ['processor'] : [])]
    assert.deepEqual(
      sources.map(({ name }) => name),
      expected,
    )
    assert(sources.every(({ state }) => state === 'healthy'))
    assert.equal(hasHealthyHardwareSource(), hasProcessorGenerator)
  })

  test('erased, it starts again from its sources, and from nothing that was made ahead', () => {
    randomBytes(32)
    eraseGenerator()
    assert.equal(randomBytes(32).length, 32)
    assert.equal(entropyStatus().generator.seedings, 1)
  })
})
