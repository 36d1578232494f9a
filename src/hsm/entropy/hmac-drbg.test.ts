/** HMAC_DRBG against every case of NIST's that is at hand, and the limits of SP 800-90A table 2. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { hex, readText } from '../../../tests/vectors/files.ts'
import { type DrbgHash, HmacDrbg, inputBytesMax, requestBytesMax } from './hmac-drbg.ts'

type Hexes = Readonly<Record<string, string | undefined>>

interface CavpGroup {
  readonly Digest: string
  readonly PredictionResistance: '0' | '1'
  readonly GenerateBits: string
  readonly tests: readonly Hexes[]
}

interface AcvpTest {
  readonly entropyInput: string
  readonly nonce: string
  readonly persoString: string
  readonly otherInput: readonly {
    readonly intendedUse: 'reSeed' | 'generate'
    readonly additionalInput: string
    readonly entropyInput: string
  }[]
  readonly returnedBits: string
}

interface AcvpGroup {
  readonly mode: DrbgHash
  readonly predResistance: boolean
  readonly returnedBitsLen: number
  readonly tests: readonly AcvpTest[]
}

const optional = (text: string | undefined) => hex(text ?? '')

suite('HMAC_DRBG, published vectors', () => {
  test('864 CAVP cases, with and without prediction resistance', () => {
    const { groups } = JSON.parse(readText('cavp/drbg_hmac_drbg.json')) as { groups: CavpGroup[] }
    let cases = 0
    for (const group of groups) {
      for (const given of group.tests) {
        assert.deepEqual(cavpOutput(group, given), hex(given.Output ?? ''))
        cases += 1
      }
    }
    assert.equal(cases, 864)
  })

  for (const [file, count] of [
    ['hmacDRBG-1.0', 92],
    ['hmacDRBG-SP800-90Ar1', 76],
  ] as const) {
    test(`${count} ACVP cases of ${file}, with reseeding`, () => {
      const text = readText(`acvp/${file}.json`)
      const { testGroups } = JSON.parse(text) as { testGroups: AcvpGroup[] }
      let cases = 0
      for (const group of testGroups) {
        for (const given of group.tests) {
          assert.deepEqual(acvpOutput(group, given), hex(given.returnedBits))
          cases += 1
        }
      }
      assert.equal(cases, count)
    })
  }
})

function cavpOutput(group: CavpGroup, given: Hexes): Buffer {
  const hash = group.Digest.replace(/^SHA-(?=\d{3})/, 'SHA2-') as DrbgHash
  using drbg = new HmacDrbg(hash, {
    entropy: optional(given.Entropy),
    nonce: optional(given.Nonce),
    personalisation: optional(given.PersonalisationString),
  })
  const output = Buffer.alloc(Number(group.GenerateBits) / 8)
  for (const half of ['A', 'B']) {
    const additional = optional(given[`AdditionalInput${half}`])
    if (group.PredictionResistance === '1') {
      drbg.reseed(optional(given[`EntropyPredictionResistance${half}`]), additional)
      drbg.generate(output)
    } else drbg.generate(output, additional)
  }
  return output
}

function acvpOutput(group: AcvpGroup, given: AcvpTest): Buffer {
  using drbg = new HmacDrbg(group.mode, {
    entropy: hex(given.entropyInput),
    nonce: hex(given.nonce),
    personalisation: hex(given.persoString),
  })
  const output = Buffer.alloc(group.returnedBitsLen / 8)
  for (const { intendedUse, entropyInput, additionalInput } of given.otherInput) {
    if (intendedUse === 'reSeed') drbg.reseed(hex(entropyInput), hex(additionalInput))
    else if (group.predResistance) {
      drbg.reseed(hex(entropyInput), hex(additionalInput))
      drbg.generate(output)
    } else drbg.generate(output, hex(additionalInput))
  }
  return output
}

suite('HMAC_DRBG, limits', () => {
  const entropy = Buffer.alloc(48, 7)

  test('a request beyond the reseed interval is refused until it is reseeded', () => {
    using drbg = new HmacDrbg('SHA2-512', { entropy }, { reseedInterval: 2 })
    const target = Buffer.alloc(16)
    drbg.generate(target)
    drbg.generate(target)
    assert(drbg.needsReseed)
    assert.throws(() => drbg.generate(target), /reseeding is due/)
    drbg.reseed(entropy)
    assert.equal(drbg.requests, 0)
    drbg.generate(target)
  })

  test('a request has at most 65,536 bytes', () => {
    using drbg = new HmacDrbg('SHA2-512', { entropy })
    drbg.generate(Buffer.alloc(requestBytesMax))
    assert.throws(() => drbg.generate(Buffer.alloc(requestBytesMax + 1)), /more than one request/)
  })

  test('entropy under the strength is refused, and 384 bits without a nonce', () => {
    const few = (bytes: number) => () => new HmacDrbg('SHA2-512', { entropy: Buffer.alloc(bytes) })
    assert.throws(few(31), /too little entropy/)
    assert.throws(few(47), /no nonce/)
    using drbg = few(48)()
    assert.throws(() => drbg.reseed(Buffer.alloc(31)), /too little entropy/)
  })

  test('inputs beyond the limit are refused', () => {
    using drbg = new HmacDrbg('SHA2-512', { entropy })
    const long = Buffer.alloc(inputBytesMax + 1)
    assert.throws(() => drbg.reseed(entropy, long), /too long/)
    assert.throws(() => drbg.generate(Buffer.alloc(1), long), /too long/)
    drbg.reseed(entropy, long.subarray(1))
  })

  test('nothing comes out of one that was disposed of', () => {
    const drbg = new HmacDrbg('SHA2-512', { entropy })
    drbg[Symbol.dispose]()
    assert.throws(() => drbg.generate(Buffer.alloc(1)), TypeError)
    drbg[Symbol.dispose]()
  })
})
