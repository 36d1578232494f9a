/** Key check values against published answers and what SP 800-38B and FIPS 197 make of them. */

import assert from 'node:assert/strict'
import { createCipheriv, createHash } from 'node:crypto'
import { suite, test } from 'node:test'
import type { KeyTypeName } from '../contract/algorithms.ts'
import { Secret } from '../secret.ts'
import { checkValue } from './check-value.ts'
import { KeyMaterial } from './material.ts'

function secretKey(typeName: KeyTypeName, hex: string): KeyMaterial {
  using bytes = new Secret(Buffer.from(hex, 'hex'))
  return KeyMaterial.fromBytes(typeName, 'secret', bytes)
}

suite('key check values', () => {
  test('the encrypted zero block under the zero key is that of FIPS 197 implementations', () => {
    using key = secretKey('AES-128', '00'.repeat(16))
    assert.equal(checkValue(key).zeroBlock, '66e94b')
  })

  test('the CMAC value follows from the published subkey of SP 800-38B', () => {
    // Appendix D.1: K1 for this key; CMAC of one zero block is AES of K1.
    const keyHex = '2b7e151628aed2a6abf7158809cf4f3c'
    const k1 = Buffer.from('fbeed618357133667c85e08f7236a8de', 'hex')
    using key = secretKey('AES-128', keyHex)
    const aes = createCipheriv('aes-128-ecb', Buffer.from(keyHex, 'hex'), null)
    assert.equal(checkValue(key).cmac, aes.update(k1).toString('hex', 0, 5))
  })

  test('other secrets have the first three bytes of their SHA-1', () => {
    for (const [typeName, bytes] of [
      ['generic-secret', 20],
      ['ChaCha20', 32],
    ] as const) {
      using key = secretKey(typeName, 'ab'.repeat(bytes))
      const sha1 = createHash('sha1').update(Buffer.alloc(bytes, 0xab)).digest('hex')
      assert.deepEqual(checkValue(key), { fingerprint: sha1.slice(0, 6) })
    }
  })

  test('a pair and its public half have one fingerprint, of the SPKI', async () => {
    using pair = await KeyMaterial.generate('P-256')
    using spki = Secret.copyOf(pair.publicSpki())
    using half = KeyMaterial.fromBytes('P-256', 'public', spki)
    const expected = createHash('sha256').update(pair.publicSpki()).digest('hex')
    assert.deepEqual(checkValue(pair), { fingerprint: expected })
    assert.deepEqual(checkValue(half), { fingerprint: expected })
  })
})
