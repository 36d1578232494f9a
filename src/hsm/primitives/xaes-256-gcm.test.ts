/** XAES-256-GCM: the accumulated vectors of C2SP, and the key that is derived for each nonce. */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { suite, test } from 'node:test'
import type { HsmError } from '../contract/errors.ts'
import { KeyMaterial } from '../keys/material.ts'
import { Secret } from '../secret.ts'
import type { DecryptOptions, Encrypted, EncryptOptions } from './implementation.ts'
import { xaes256Gcm } from './xaes-256-gcm.ts'

function encrypt(key: KeyMaterial, plaintext: Uint8Array, options: EncryptOptions): Encrypted {
  const encrypted = xaes256Gcm.encrypt?.(key, plaintext, options)
  assert(encrypted !== undefined && !(encrypted instanceof Promise))
  return encrypted
}

function decrypt(key: KeyMaterial, options: DecryptOptions): Uint8Array {
  const plaintext = xaes256Gcm.decrypt?.(key, options)
  assert(plaintext !== undefined && !(plaintext instanceof Promise))
  return plaintext
}

/** https://c2sp.org/XAES-256-GCM, "Accumulated randomized tests": inputs from one SHAKE-128 stream. */
function accumulated(iterations: number): string {
  const stream = createHash('shake128', { outputLength: iterations * 600 }).digest()
  const ciphertexts = createHash('shake128', { outputLength: 32 })
  let offset = 0
  const take = (length: number): Buffer => {
    offset += length
    return stream.subarray(offset - length, offset)
  }
  const takeVector = (): Buffer => take(take(1)[0] ?? 0)
  for (let index = 0; index < iterations; index += 1) {
    using bytes = Secret.copyOf(take(32))
    using key = KeyMaterial.fromBytes('AES-256', 'secret', bytes)
    const iv = take(24)
    const plaintext = takeVector()
    const aad = takeVector()
    const { ciphertext } = encrypt(key, plaintext, { iv, aad })
    assert.deepEqual(decrypt(key, { iv, ciphertext, aad }), plaintext)
    ciphertexts.update(ciphertext)
  }
  assert(offset <= stream.length)
  return ciphertexts.digest('hex')
}

suite('XAES-256-GCM', () => {
  test('10,000 accumulated cases give the published hash', () => {
    assert.equal(
      accumulated(10_000),
      'e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939',
    )
  })

  test('one key derives a different subkey for every nonce, in any order', async () => {
    using key = await KeyMaterial.generate('AES-256')
    const plaintext = Buffer.from('the same text')
    const aad = new Uint8Array()
    const made = Array.from({ length: 20 }, () => encrypt(key, plaintext, { aad }))
    assert.equal(new Set(made.map(({ iv }) => Buffer.from(iv).toString('hex'))).size, 20)
    for (const encrypted of made.reverse()) {
      assert.deepEqual(decrypt(key, { ...encrypted, aad }), plaintext)
    }
  })

  test('a nonce of any other length is refused', async () => {
    using key = await KeyMaterial.generate('AES-256')
    const aad = new Uint8Array()
    const { ciphertext } = encrypt(key, Buffer.alloc(5), { aad })
    for (const length of [0, 12, 23, 25]) {
      const iv = Buffer.alloc(length)
      const argument = { code: 'ARGUMENT_INVALID' } satisfies Partial<HsmError>
      assert.throws(() => encrypt(key, Buffer.alloc(5), { iv, aad }), argument)
      assert.throws(() => decrypt(key, { iv, ciphertext, aad }), { code: 'CIPHERTEXT_INVALID' })
    }
  })

  test('a disposed key encrypts nothing', async () => {
    const key = await KeyMaterial.generate('AES-256')
    const aad = new Uint8Array()
    encrypt(key, Buffer.alloc(5), { aad })
    key[Symbol.dispose]()
    assert.throws(() => encrypt(key, Buffer.alloc(5), { aad }), TypeError)
  })
})
