/** DER and IEEE P1363 forms of ECDSA signatures are inverse, and checked with node:crypto. */

import assert from 'node:assert/strict'
import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { derFromP1363, p1363FromDer } from './ecdsa-forms.ts'

const curves = [
  ['prime256v1', 32],
  ['secp521r1', 66],
] as const

suite('forms of an ECDSA signature', () => {
  for (const [namedCurve, integerBytes] of curves) {
    test(`DER of ${namedCurve} and P1363 turn into each other`, () => {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve })
      for (let index = 0; index < 50; index += 1) {
        const message = Buffer.from([index])
        const der = sign('sha256', message, privateKey)
        const fixed = p1363FromDer(der, integerBytes)
        assert.equal(fixed.length, 2 * integerBytes)
        const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const
        assert(verify('sha256', message, key, fixed))
        assert.deepEqual(derFromP1363(fixed), der)
      }
    })
  }

  test('any two numbers come back as they were', () => {
    const half = fc.uint8Array({ minLength: 32, maxLength: 32 })
    fc.assert(
      fc.property(half, half, fc.nat(32), (r, s, zeros) => {
        r.fill(0, 0, zeros)
        const fixed = Buffer.concat([r, s])
        assert.deepEqual(p1363FromDer(derFromP1363(fixed), 32), fixed)
      }),
    )
  })
})
