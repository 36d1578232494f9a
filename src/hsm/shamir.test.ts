/**
 * Shamir's secret sharing against published numbers from three sources, and against its definition: any
 * threshold of shares gives the secret, and for fewer each secret is equally possible.
 */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { hex, readText } from '../../tests/vectors/files.ts'
import { Secret } from './secret.ts'
import { combine, type IndexedShare, split } from './shamir.ts'

interface Case {
  readonly source: string
  readonly id: string
  readonly threshold: number
  readonly secret: string
  /** For each octet of the secret its coefficients, from x on. */
  readonly random?: string
  readonly shares: readonly { readonly index: number; readonly share: string }[]
}
const { cases } = JSON.parse(readText('shamir/shamir.json')) as { readonly cases: readonly Case[] }

function hexOf(secret: Secret): string {
  return secret.expose((bytes) => Buffer.from(bytes).toString('hex'))
}

function indexed(share: { readonly index: number; readonly share: string }): IndexedShare {
  return { index: share.index, share: new Secret(hex(share.share)) }
}

/** All ways to choose as many of these. */
function choices<T>(items: readonly T[], count: number): T[][] {
  if (count === 0) return [[]]
  return items.flatMap((item, position) =>
    choices(items.slice(position + 1), count - 1).map((rest) => [item, ...rest]),
  )
}

suite('published vectors', () => {
  for (const { source, id, threshold, secret, random, shares } of cases) {
    test(`${source}, ${id}: every ${threshold} shares, and all, give the secret`, () => {
      for (const some of [...choices(shares, threshold), shares]) {
        assert.equal(hexOf(combine(some.map(indexed), threshold)), secret)
      }
    })

    if (random === undefined) continue
    test(`${source}, ${id}: the secret is split into these shares`, () => {
      const options = { threshold, shares: shares.length }
      const parts = split(new Secret(hex(secret)), options, () => hex(random))
      assert.deepEqual(
        parts.map(hexOf),
        shares.map(({ share }) => share),
      )
    })
  }
})

/** The field of AES by its definition: polynomials over GF(2) modulo x^8 + x^4 + x^3 + x + 1. */
function product(a: number, b: number): number {
  let value = 0
  for (let bit = 0; bit < 8; bit += 1) if (b & (1 << bit)) value ^= a << bit
  for (let bit = 15; bit >= 8; bit -= 1) if (value & (1 << bit)) value ^= 0x11b << (bit - 8)
  return value
}

suite('properties', () => {
  test('a share of one octet is s + r x in the field, for all s, r and some x', () => {
    for (let secret = 0; secret < 256; secret += 1) {
      for (let random = 0; random < 256; random += 1) {
        const options = { threshold: 2, shares: 3 }
        const shares = split(new Secret(Uint8Array.of(secret)), options, () =>
          Uint8Array.of(random),
        )
        const expected = [1, 2, 3].map((x) => secret ^ product(random, x))
        assert.deepEqual(
          shares.map((share) => share.expose(([octet]) => octet)),
          expected,
        )
      }
    }
  })

  test('with one share less than the threshold each secret is equally possible', () => {
    // One known share of two: each value of the random octet belongs to exactly one secret.
    for (const known of [0, 1, 0x53, 0xff]) {
      const secrets = new Set<string>()
      for (let other = 0; other < 256; other += 1) {
        const shares = [known, other].map((value, position) => ({
          index: position + 1,
          share: new Secret(Uint8Array.of(value)),
        }))
        secrets.add(hexOf(combine(shares, 2)))
      }
      assert.equal(secrets.size, 256)
    }
  })

  test('any choice of shares, in any order, gives what was split', () => {
    const sizes = fc
      .tuple(fc.integer({ min: 2, max: 16 }), fc.integer({ min: 2, max: 16 }))
      .map(([a, b]) => ({ threshold: Math.min(a, b), shares: Math.max(a, b) }))
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 32 })
    fc.assert(
      fc.property(sizes, bytes, fc.infiniteStream(fc.nat()), (size, secret, order) => {
        const parts = split(Secret.copyOf(secret), size, randomBytes)
        const all = parts.map((share, position) => ({ index: position + 1, share }))
        const shuffled = all
          .map((share) => ({ share, key: Number(order.next().value) }))
          .sort((one, other) => one.key - other.key)
          .map(({ share }) => share)
        const some = shuffled.slice(0, size.threshold)
        assert.equal(hexOf(combine(some, size.threshold)), Buffer.from(secret).toString('hex'))
      }),
    )
  })
})

suite('refused', () => {
  const secret = () => new Secret(Buffer.alloc(32, 7))

  test('a splitting that is none', () => {
    const wrong = [
      [1, 1],
      [1, 3],
      [4, 3],
      [2, 17],
      [0, 0],
      [2.5, 3],
      [2, Number.NaN],
    ] as const
    for (const [threshold, shares] of wrong) {
      assert.throws(() => split(secret(), { threshold, shares }, randomBytes), {
        code: 'ARGUMENT_INVALID',
      })
    }
  })

  test('too few shares, one twice, an index that none has, unequal lengths, no bytes', () => {
    const share = (index: number, length = 32) => ({
      index,
      share: new Secret(Buffer.alloc(length, index)),
    })
    const wrong: IndexedShare[][] = [
      [],
      [share(1)],
      [share(1), share(1)],
      [share(0), share(1)],
      [share(1), share(256)],
      [share(1), share(1.5)],
      [share(1), share(2, 31)],
      [share(1, 0), share(2, 0)],
      Array.from({ length: 17 }, (_, position) => share(position + 1)),
    ]
    for (const shares of wrong) {
      assert.throws(() => combine(shares, 2), { code: 'SHARE_INVALID' })
    }
  })
})
