/**
 * Sources under their tests and the generator over them, with injected sources: what each fault leads
 * to, when seeds are renewed, that the output is the combination that it claims to be, and that nothing
 * comes out when nothing is left.
 */

import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { suite, test } from 'node:test'
import { condition, outputEntropyBits, windowEntropyBitsMin } from './conditioning.ts'
import { Generator, requestsPerSeedMax, seedAgeMsMax } from './generator.ts'
import { windowSamples } from './health-tests.ts'
import { HmacDrbg, requestBytesMax } from './hmac-drbg.ts'
import { type FailureReport, MonitoredSource, startUpSamples } from './monitored-source.ts'
import type { NoiseSource } from './noise-source.ts'
import { byteStream, source } from './sources.testing.ts'

function monitored(given: NoiseSource) {
  const reports: FailureReport[] = []
  const one = new MonitoredSource(given, (report) => reports.push(report))
  return { one, reports }
}

suite('conditioning', () => {
  test('is SHA-384 over one window', () => {
    const stream = byteStream('window')
    const samples = Uint8Array.from({ length: windowSamples }, () => stream.next().value)
    assert.deepEqual(condition(samples), hash('sha384', samples, 'buffer'))
    assert.throws(() => condition(samples.subarray(1)))
  })

  test('its output entropy, SP 800-90B section 3.1.5.1.2', () => {
    // SHA-256 fed 256 and 288 bits (published figures), and what a window of jitter comes to.
    assert.equal(outputEntropyBits(4_096, 256, 256).toFixed(1), '255.0')
    assert.equal(outputEntropyBits(4_096, 288, 256).toFixed(4), '256.0000')
    assert.equal(outputEntropyBits(4_096, 200, 256).toFixed(4), '200.0000')
    assert.equal(outputEntropyBits(windowSamples * 8, windowSamples).toFixed(9), '384.000000000')
    assert.equal(windowEntropyBitsMin, 448)
    assert(windowSamples >= windowEntropyBitsMin)
  })
})

suite('a source under its tests', () => {
  test('gives nothing before its start-up test, which reads 2,048 samples', () => {
    const good = source()
    const { one } = monitored(good)
    assert.equal(one.block(), undefined)
    assert.equal(one.state, 'untested')
    assert(one.startUp())
    assert.equal(good.reads(), startUpSamples)
    assert.equal(one.block()?.length, 48)
    assert.equal(good.reads(), startUpSamples + windowSamples)
  })

  test('the start-up samples are not used', () => {
    const stream = byteStream('injected')
    const next = () => Uint8Array.from({ length: windowSamples }, () => stream.next().value)
    for (let skipped = 0; skipped < startUpSamples; skipped += windowSamples) next()
    const { one } = monitored(source())
    one.startUp()
    assert.deepEqual(one.block(), condition(next()))
  })

  for (const [failure, fault] of [
    ['repetition', () => 0],
    ['lag', (_good: number, index: number) => index & 7],
    ['dead', () => 'dead' as const],
  ] as const) {
    test(`${failure} in the start-up test: failed for good, and told`, () => {
      const { one, reports } = monitored(source({ goodSamples: 100, fault }))
      assert.equal(one.startUp(), false)
      assert.deepEqual(reports, [{ source: 'injected', failure, isPermanent: true }])
      assert.equal(one.state, 'failed')
      assert.equal(one.block(), undefined)
    })

    test(`${failure} later: the block with it is never used`, () => {
      const { one, reports } = monitored(source({ goodSamples: 4 * windowSamples, fault }))
      assert(one.startUp())
      assert.equal(one.block(), undefined)
      assert.deepEqual(
        reports.map((report) => [report.failure, report.isPermanent]),
        [
          [failure, false],
          [failure, true],
        ],
      )
    })
  }

  test('a source that gives the same window again is noticed at the second one', () => {
    const stream = byteStream('replayed')
    const window = Uint8Array.from({ length: windowSamples }, () => stream.next().value)
    const fault = (_good: number, index: number) => window[index % windowSamples] ?? 0
    const { one, reports } = monitored(source({ goodSamples: startUpSamples, fault }))
    assert(one.startUp())
    assert.equal(one.block()?.length, 48)
    assert.equal(one.block(), undefined)
    assert.equal(reports[0]?.failure, 'replay')
  })

  test('after a false alarm it starts again, tests itself, and goes on; the third is the last', () => {
    let readings = 0
    const once: NoiseSource = {
      ...source(),
      read: (samples) => {
        readings += 1
        const stream = byteStream(`reading ${readings}`)
        for (const index of samples.keys()) samples[index] = stream.next().value
        // Each start-up test takes four readings; one block later it stumbles.
        return readings % 6 === 0 ? 'dead' : undefined
      },
    }
    const { one, reports } = monitored(once)
    assert(one.startUp())
    assert(one.block())
    assert(one.block())
    assert.equal(one.state, 'healthy')
    assert.equal(reports.length, 1)
    assert.equal(reports[0]?.isPermanent, false)
    while (one.block());
    assert.equal(one.state, 'failed')
    assert.deepEqual(
      reports.map(({ isPermanent }) => isPermanent),
      [false, false, true],
    )
    assert(one.startUp(), 'who asks for the tests may have repaired it')
    assert.equal(one.status.failures, 0)
  })
})

interface World {
  readonly generator: Generator
  readonly sources: readonly MonitoredSource[]
  readonly stirred: Buffer[]
  readonly counts: { exhausted: number; nowMs: number }
}

function world(given: readonly NoiseSource[]): World {
  const sources = given.map((one) => new MonitoredSource(one, () => undefined))
  const stirred: Buffer[] = []
  const counts = { exhausted: 0, nowMs: 0 }
  const generator = new Generator({
    sources,
    clock: () => counts.nowMs,
    personalisation: Buffer.from('test'),
    other: (target) => target.fill(0x5a),
    stir: (bytes) => stirred.push(Buffer.from(bytes)),
    exhausted: () => {
      counts.exhausted += 1
    },
  })
  return { generator, sources, stirred, counts }
}

const taken = (generator: Generator, length = 32) => {
  const bytes = Buffer.alloc(length)
  generator.generate(bytes)
  return bytes
}

suite('the generator', () => {
  test('is HMAC_DRBG over a block of each source, exclusive or with the other generator', () => {
    const { generator, stirred } = world([source({ name: 'one' }), source({ name: 'two' })])
    const entropy = Buffer.concat(
      ['one', 'two'].map((name) => {
        const { one } = monitored(source({ name }))
        one.startUp()
        return one.block() ?? Buffer.alloc(0)
      }),
    )
    assert.equal(entropy.length, 96)
    using expected = new HmacDrbg('SHA2-512', { entropy, personalisation: Buffer.from('test') })
    const stir = Buffer.alloc(64)
    const bytes = Buffer.alloc(1_000)
    expected.generate(stir)
    expected.generate(bytes)
    const combined = bytes.map((byte) => byte ^ 0x5a)
    assert.deepEqual(taken(generator, 1_000), Buffer.from(combined))
    assert.deepEqual(stirred, [stir])
  })

  test('one healthy source is enough, whichever it is', () => {
    for (const healthy of [0, 1, 2]) {
      const given = [0, 1, 2].map((index) =>
        source({ name: `${index}`, goodSamples: index === healthy ? 1e9 : 0, fault: () => 'dead' }),
      )
      const { generator, counts } = world(given)
      assert.notDeepEqual(taken(generator), taken(generator))
      assert.equal(counts.exhausted, 0)
    }
  })

  test('without a source nothing comes out, ever, and that is told once', () => {
    const { generator, counts } = world([source({ goodSamples: 0, fault: () => 3 })])
    for (let tries = 0; tries < 3; tries += 1) {
      const target = Buffer.alloc(32)
      assert.throws(() => generator.generate(target), { code: 'MODULE_FAILED' })
      assert.deepEqual(target, Buffer.alloc(32))
    }
    assert.equal(counts.exhausted, 1)
  })

  test('the last source gone while it works: told at the next seeding, and then the end', () => {
    const goodSamples = startUpSamples + windowSamples
    const { generator, counts } = world([source({ goodSamples, fault: () => 'dead' })])
    taken(generator)
    counts.nowMs = seedAgeMsMax + 1
    assert.throws(() => taken(generator), { code: 'MODULE_FAILED' })
    assert.throws(() => generator.mix(Buffer.alloc(32)), { code: 'MODULE_FAILED' })
    assert.equal(counts.exhausted, 1)
  })

  test('is seeded again after 1,024 requests and after a minute', () => {
    const { generator, counts, stirred } = world([source()])
    for (let count = 0; count < requestsPerSeedMax; count += 1) taken(generator, 1)
    assert.equal(generator.status.seedings, 2)
    counts.nowMs = seedAgeMsMax
    taken(generator)
    assert.equal(generator.status.seedings, 2)
    counts.nowMs += 1
    taken(generator)
    assert.equal(generator.status.seedings, 3)
    assert.equal(stirred.length, 3)
  })

  test('prediction resistance seeds before each request', () => {
    const { generator } = world([source()])
    const target = Buffer.alloc(requestBytesMax + 1)
    generator.generate(target, { predictionResistance: true })
    assert.equal(generator.status.seedings, 2)
    generator.generate(target.subarray(0, 32), { predictionResistance: true })
    assert.equal(generator.status.seedings, 3)
  })

  test('bytes from the host change what comes out, and are no source', () => {
    const outputs = ['', 'a', 'b'].map((host) => {
      const { generator } = world([source()])
      if (host !== '') generator.mix(Buffer.from(host))
      else generator.reseed()
      return taken(generator).toString('hex')
    })
    assert.equal(new Set(outputs).size, 3)
    const { generator } = world([source({ goodSamples: 0, fault: () => 'dead' })])
    assert.throws(() => generator.mix(Buffer.alloc(64, 1)), { code: 'MODULE_FAILED' })
  })
})
