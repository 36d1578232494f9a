/** Rejection sampling: the ends of the range, and that nothing out of range is ever taken. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { randomScalar } from './scalar.ts'
import { curveOrders } from './validation.ts'

const big = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
const bytesOf = (value: bigint, length: number) =>
  Buffer.from(value.toString(16).padStart(2 * length, '0'), 'hex')

/** The scalar that comes of these candidates, and how many were asked for. */
function scalarOf(order: Uint8Array, candidates: readonly bigint[]) {
  let asked = 0
  using scalar = randomScalar(order, (length) => {
    const candidate = candidates[asked]
    asked += 1
    assert(candidate !== undefined)
    return bytesOf(candidate, length)
  })
  return { value: scalar.expose(big), asked }
}

for (const [curve, order] of curveOrders) {
  suite(curve, () => {
    const n = big(order)

    test('the smallest candidate gives 1, the largest order - 1', () => {
      assert.deepEqual(scalarOf(order, [0n]), { value: 1n, asked: 1 })
      assert.deepEqual(scalarOf(order, [n - 2n]), { value: n - 1n, asked: 1 })
    })

    test('order - 1, order and all above are not taken', () => {
      const bits = n.toString(2).length
      const refused = [n - 1n, n, n + 1n, (1n << BigInt(bits)) - 1n]
      assert.deepEqual(scalarOf(order, [...refused, 5n]), { value: 6n, asked: 5 })
    })

    test('any candidate: one more than it, or the next', () => {
      const candidate = fc.bigInt({ min: 0n, max: (1n << BigInt(n.toString(2).length)) - 1n })
      fc.assert(
        fc.property(candidate, (given) => {
          const { value, asked } = scalarOf(order, [given, 0xffn])
          assert.equal(value, given <= n - 2n ? given + 1n : 0x100n)
          assert.equal(asked, given <= n - 2n ? 1 : 2)
        }),
      )
    })
  })
}

test('bits above those of the order do not count', () => {
  const order = curveOrders.get('secp521r1')
  assert(order)
  const high = 0xfeffn << (8n * 64n)
  assert.equal(scalarOf(order, [high & ~(1n << 520n)]).value, (high & ((1n << 520n) - 1n)) + 1n)
})

test('a generator that never gives one in range is a bug, not a loop', () => {
  const order = curveOrders.get('prime256v1')
  assert(order)
  assert.throws(() => randomScalar(order, (length) => Buffer.alloc(length, 0xff)), /no scalar/)
})
