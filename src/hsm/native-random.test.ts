/** SLH-DSA keys from given seeds against NIST's, and bytes of kernel and processor. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { hex, readText } from '../../tests/vectors/files.ts'
import {
  fillFromKernel,
  fillFromProcessor,
  HmacChain,
  hasProcessorGenerator,
  slhDsaPrivateKey,
} from './native-random.ts'

interface Group {
  readonly parameterSet: string
  readonly tests: readonly Readonly<Record<'skSeed' | 'skPrf' | 'pkSeed' | 'sk', string>>[]
}

suite('SLH-DSA keys from their seeds', () => {
  const text = readText('acvp/SLH-DSA-keyGen-FIPS205.json')
  const { testGroups } = JSON.parse(text) as { testGroups: readonly Group[] }

  for (const { parameterSet, tests } of testGroups) {
    test(`${parameterSet}, ACVP`, () => {
      for (const { skSeed, skPrf, pkSeed, sk } of tests.slice(
        0,
        process.env.KEYHOLD_LONG ? 99 : 2,
      )) {
        const key = slhDsaPrivateKey(parameterSet.toLowerCase(), hex(skSeed + skPrf + pkSeed))
        assert.deepEqual(key, hex(sk))
      }
    })
  }

  test('seeds of another length, and a set that does not exist, are refused', () => {
    assert.throws(() => slhDsaPrivateKey('slh-dsa-sha2-128f', Buffer.alloc(47)), /seeds/)
    assert.throws(() => slhDsaPrivateKey('slh-dsa-sha2-512f', Buffer.alloc(48)), /parameter set/)
  })
})

suite('bytes from below', () => {
  for (const [name, fill, isThere] of [
    ['the kernel', fillFromKernel, true],
    ['the processor', fillFromProcessor, hasProcessorGenerator],
  ] as const) {
    test(`of ${name}, any number of them`, () => {
      for (const length of [0, 1, 31, 16_384, 16_385, 70_000]) {
        const bytes = Buffer.alloc(length)
        assert.equal(fill(bytes), isThere || length === 0)
        if (isThere && length > 1_000) assert(new Set(bytes.subarray(-1_000)).size > 200)
      }
    })
  }
})

test('there is room for sixteen generators at a time, and each gives its place back', () => {
  const chains = Array.from({ length: 15 }, () => new HmacChain('SHA2-512', 64))
  const last = new HmacChain('SHA2-512', 64)
  assert.throws(() => new HmacChain('SHA2-512', 64), /too many/)
  last[Symbol.dispose]()
  new HmacChain('SHA2-512', 64)[Symbol.dispose]()
  for (const chain of chains) chain[Symbol.dispose]()
})
