/** Commands about randomness at the door: what they answer, and the bounds of what they take. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { hostEntropyBytesMax, noiseSamplesMax } from '../contract/entropy.ts'
import { Caller } from '../door.testing.ts'
import { hasProcessorGenerator } from '../native-random.ts'

const raw = { source: 'jitter', form: 'raw', count: 2_000 }

suite('commands about randomness', () => {
  test('the status has each source with its cut-offs, and the generator', async () => {
    const { result } = await new Caller().ok({ command: 'getEntropyStatus' })
    const { generator, sources } = result as { generator: object; sources: readonly object[] }
    assert.partialDeepStrictEqual(generator, { mechanism: 'HMAC_DRBG-SHA-512' })
    assert.partialDeepStrictEqual(sources[0], {
      ...{ name: 'operating-system', state: 'healthy', entropyBits: 4 },
      ...{ repetitionCutoff: 9, proportionCutoff: 71, failures: 0, lastFailure: '' },
    })
    assert.partialDeepStrictEqual(sources[1], {
      ...{ name: 'jitter', state: 'healthy', entropyBits: 1 },
      ...{ repetitionCutoff: 31, proportionCutoff: 325 },
    })
    assert.equal(sources.length, hasProcessorGenerator ? 3 : 2)
  })

  test('a self-test on demand has every source start again', async () => {
    const caller = new Caller()
    const read = async () => {
      const { result } = await caller.ok({ command: 'getEntropyStatus' })
      return (result.sources as { samples: number }[]).map(({ samples }) => samples)
    }
    const before = await read()
    await caller.ok({ command: 'selfTest' })
    const added = (await read()).map((samples, index) => samples - (before[index] ?? 0))
    assert(added.every((samples) => samples >= 2_048))
  })

  test('noise comes out of a module without a domain, and of no other', async () => {
    const caller = new Caller()
    const first = await caller.ok({ command: 'sampleNoise', arguments: raw })
    const { samples = new Uint8Array() } = first.parts
    assert.equal(samples.length, 2_000)
    assert(new Set(samples).size > 4)
    assert.equal(first.result.failure, '')
    assert((first.result.tickNs as number) > 0)
    const operational = await Caller.founded()
    const ask = { command: 'sampleNoise', arguments: raw }
    assert.equal(await operational.refusal(ask), 'MODULE_STATE_INVALID')
  })

  test('taking noise takes nothing from the sources of the generator', async () => {
    const caller = new Caller()
    const read = async () => {
      const { result } = await caller.ok({ command: 'getEntropyStatus' })
      return (result.sources as { samples: number }[]).map(({ samples }) => samples)
    }
    const before = await read()
    for (const form of ['raw', 'conditioned']) {
      for (const source of ['operating-system', 'jitter']) {
        await caller.ok({ command: 'sampleNoise', arguments: { source, form, count: 10_000 } })
      }
    }
    assert.deepEqual(await read(), before)
  })

  test('conditioned noise comes in whole blocks', async () => {
    const args = { source: 'operating-system', form: 'conditioned', count: 1_000 }
    const { parts } = await new Caller().ok({ command: 'sampleNoise', arguments: args })
    assert.equal(parts.samples?.length, 20 * 48)
  })

  test('counts, names and lengths out of bounds are refused', async () => {
    const caller = new Caller()
    const refused = async (command: string, args: object, bytes?: Uint8Array) => {
      const ask = { command, arguments: { ...args }, ...(bytes ? { parts: { bytes } } : {}) }
      assert.equal(await caller.refusal(ask), 'ARGUMENT_INVALID', JSON.stringify(args))
    }
    for (const count of [0, -1, 1.5, noiseSamplesMax + 1, '5', null]) {
      await refused('sampleNoise', { ...raw, count })
    }
    await refused('sampleNoise', { ...raw, form: 'conditioned', count: 47 })
    await refused('sampleNoise', { ...raw, source: 'constructor' })
    await refused('sampleNoise', { ...raw, form: 'seed' })
    await refused('sampleNoise', { ...raw, more: 1 })
    const bytes = Buffer.alloc(32)
    await refused('addEntropy', { source: 'dice' }, bytes)
    await refused('addEntropy', { source: 'tpm' })
    await refused('addEntropy', { source: 'tpm' }, new Uint8Array())
    await refused('addEntropy', { source: 'tpm' }, Buffer.alloc(hostEntropyBytesMax + 1))
  })

  test('bytes of the host are counted as bytes, and no source', async () => {
    const caller = new Caller()
    const ask = { command: 'addEntropy', arguments: { source: 'hwrng' } }
    const before = await caller.ok({ ...ask, parts: { bytes: Buffer.alloc(1) } })
    const after = await caller.ok({ ...ask, parts: { bytes: Buffer.alloc(64) } })
    assert.equal(after.result.hostBytes, (before.result.hostBytes as number) + 64)
  })

  test('random bytes with prediction resistance seed the generator first', async () => {
    const caller = await Caller.founded()
    const seedings = async () => {
      const { result } = await caller.ok({ command: 'getEntropyStatus' })
      return (result.generator as { seedings: number }).seedings
    }
    const before = await seedings()
    const args = { lengthBytes: 48, predictionResistance: true }
    const { parts } = await caller.ok({ command: 'random', arguments: args })
    assert.equal(parts.bytes?.length, 48)
    assert.equal(await seedings(), before + 1)
    const wrong = { lengthBytes: 32, predictionResistance: 1 }
    assert.equal(await caller.refusal({ command: 'random', arguments: wrong }), 'ARGUMENT_INVALID')
  })
})
