/** HPKE makes what is published when the ephemeral key is the published one, and opens nothing that was altered. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { hex } from '../../../tests/vectors/files.ts'
import { hpkePrivate, hpkeVectors } from '../../../tests/vectors/hpke.ts'
import { copied } from '../algorithms.testing.ts'
import { KeyMaterial } from '../keys/material.ts'
import { Secret } from '../secret.ts'
import { type HpkeKem, hpke } from './hpke.ts'

const none = new Uint8Array()
const target = Buffer.from('a key of some length')

function privateKey(type: HpkeKem, key: string): KeyMaterial {
  using bytes = Secret.copyOf(hpkePrivate(type, key))
  return KeyMaterial.fromBytes(type, 'private', bytes)
}

function publicHalf(key: KeyMaterial): KeyMaterial {
  using bytes = Secret.copyOf(key.publicSpki())
  return KeyMaterial.fromBytes(key.typeName, 'public', bytes)
}

suite('HPKE', () => {
  for (const vector of hpkeVectors()) {
    const { id, kemName, aeadName, info, aad, skEm, skRm, pkRm, enc, pt, ct } = vector

    test(`${id}: sealed from the published ephemeral key`, async () => {
      const recipient = publicHalf(privateKey(kemName, skRm))
      assert(Buffer.from(recipient.publicSpki()).toString('hex').endsWith(pkRm))
      using bytes = Secret.copyOf(hex(pt))
      const given = { ephemeral: privateKey(kemName, skEm), info: hex(info), aad: hex(aad) }
      const { iv, ciphertext } = await hpke(kemName, aeadName).wrap(recipient, bytes, given)
      assert.equal(iv.length, 0)
      assert.equal(Buffer.from(ciphertext).toString('hex'), enc + ct)
    })
  }

  test('each wrapping has an ephemeral key of its own', async () => {
    using key = await KeyMaterial.generate('X25519')
    using bytes = Secret.copyOf(target)
    const { wrap, unwrap } = hpke('X25519', 'aes-128-gcm')
    const made = await Promise.all([wrap(key, bytes), wrap(key, bytes)])
    assert.notDeepEqual(made[0].ciphertext.subarray(0, 32), made[1].ciphertext.subarray(0, 32))
    for (const wrapped of made) assert.deepEqual(copied(await unwrap(key, wrapped)), target)
  })

  test('a key that is let go meanwhile does what was begun with it', async () => {
    for (const type of ['P-256', 'P-384'] as const) {
      using key = await KeyMaterial.generate(type)
      using bytes = Secret.copyOf(target)
      const { wrap, unwrap } = hpke(type, 'aes-128-gcm')
      const recipient = publicHalf(key)
      const wrapping = wrap(recipient, bytes)
      recipient[Symbol.dispose]()
      const unwrapping = unwrap(key, await wrapping)
      key[Symbol.dispose]()
      assert.deepEqual(copied(await unwrapping), target)
    }
  })

  for (const type of ['P-256', 'P-384', 'P-521', 'X25519', 'X448'] as const) {
    test(`${type}: one flipped bit anywhere, more, less or another suite is refused`, async () => {
      using key = await KeyMaterial.generate(type)
      using bytes = Secret.copyOf(target)
      const row = hpke(type, 'aes-256-gcm')
      const { ciphertext } = await row.wrap(publicHalf(key), bytes)
      const refused = (changed: Uint8Array, by = row, iv = none) =>
        assert.rejects(async () => by.unwrap(key, { iv, ciphertext: changed }), {
          code: 'CIPHERTEXT_INVALID',
        })
      // RFC 7748 section 5: the highest bit of an X25519 public key says nothing, and is bound all the same.
      await fc.assert(
        fc.asyncProperty(fc.nat(ciphertext.length * 8 - 1), async (bit) => {
          const changed = Buffer.from(ciphertext)
          changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
          await refused(changed)
        }),
        { numRuns: 40 },
      )
      for (const length of [0, 1, 31, ciphertext.length - 1, ciphertext.length - target.length - 1])
        await refused(ciphertext.subarray(0, length))
      await refused(Buffer.concat([ciphertext, Buffer.alloc(1)]))
      await refused(ciphertext, hpke(type, 'chacha20-poly1305'))
      await refused(ciphertext, row, Buffer.alloc(12))
    })
  }

  test('an ephemeral key of small order, at infinity or in another form is refused', async () => {
    const refused = async (type: HpkeKem, enc: Uint8Array) => {
      using key = await KeyMaterial.generate(type)
      const ciphertext = Buffer.concat([enc, Buffer.alloc(48)])
      const opening = async () => hpke(type, 'aes-128-gcm').unwrap(key, { iv: none, ciphertext })
      await assert.rejects(opening, { code: 'CIPHERTEXT_INVALID' })
    }
    await refused('X25519', Buffer.alloc(32))
    await refused('X25519', Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]))
    await refused('X448', Buffer.alloc(56))
    await refused('P-256', Buffer.alloc(65))
    using other = await KeyMaterial.generate('P-256')
    const point = Buffer.from(other.publicSpki().subarray(-65))
    const isOdd = (point[64] ?? 0) & 1
    await refused('P-256', Buffer.concat([Buffer.from([6 | isOdd]), point.subarray(1)]))
    const compressed = Buffer.concat([Buffer.from([2 | isOdd]), point.subarray(1, 33)])
    await refused('P-256', Buffer.concat([compressed, Buffer.alloc(32)]))
  })
})
