/**
 * The registry against its contract: every row has exactly the operations that its uses say, for every
 * key type that it names, and what one operation makes its inverse undoes.
 */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { suite, test } from 'node:test'
import { copied, isTooSlow, keyOf, must, names, none, usable } from './algorithms.testing.ts'
import { algorithmFor, implementations, verifyMac } from './algorithms.ts'
import { type AlgorithmRow, algorithms, type KeyUse } from './contract/algorithms.ts'
import { KeyMaterial } from './keys/material.ts'
import type { Implementation, SignatureOptions } from './primitives/implementation.ts'
import { Secret } from './secret.ts'

const iterated = names.filter((name) => name.startsWith('PBKDF2'))

const operationOf: Readonly<Record<KeyUse, keyof Implementation>> = {
  encrypt: 'encrypt',
  decrypt: 'decrypt',
  sign: 'sign',
  verify: 'verify',
  mac: 'mac',
  verifyMac: 'mac',
  wrap: 'wrap',
  unwrap: 'unwrap',
  derive: 'derive',
  agree: 'agree',
  encapsulate: 'encapsulate',
  decapsulate: 'decapsulate',
}

const roundTrips: Readonly<
  Partial<Record<keyof Implementation, (row: Implementation, key: KeyMaterial) => Promise<void>>>
> = {
  encrypt: async (row, key) => {
    const plaintext = randomBytes(33)
    const encrypted = await must(row.encrypt)(key, plaintext, { aad: none })
    const opened = await must(row.decrypt)(key, { ...encrypted, aad: none })
    assert.deepEqual(Buffer.from(opened), plaintext)
  },
  wrap: async (row, key) => {
    const bytes = randomBytes(32)
    using target = Secret.copyOf(bytes)
    const wrapped = await must(row.wrap)(key, target)
    assert.deepEqual(copied(await must(row.unwrap)(key, wrapped)), bytes)
  },
  sign: async (row, key) => {
    const message = randomBytes(100)
    const options: SignatureOptions = { input: 'message', format: 'der', context: none }
    const signature = await must(row.sign)(key, message, options)
    assert.equal(await must(row.verify)(key, message, signature, options), true)
    message[7] = (message[7] ?? 0) ^ 1
    assert.equal(await must(row.verify)(key, message, signature, options), false)
    assert.equal(await must(row.verify)(key, message, none, options), false)
    assert.equal(await must(row.verify)(key, message, randomBytes(5_000), options), false)
    assert.equal(await must(row.verify)(key, message, randomBytes(49_856), options), false)
  },
  mac: async (row, key) => {
    const data = randomBytes(40)
    const mac = must(row.mac)
    const full = mac(key, data)
    for (const length of [4, full.length]) {
      assert.equal(verifyMac(mac, key, { data, tag: full.subarray(0, length) }), true)
    }
    const longer = Buffer.concat([full, Buffer.alloc(1)])
    const altered = Buffer.from(full)
    altered[0] = (altered[0] ?? 0) ^ 0x80
    for (const tag of [none, full.subarray(0, 3), full.subarray(1), longer, altered]) {
      assert.equal(verifyMac(mac, key, { data, tag }), false)
    }
  },
  derive: async (row, key) => {
    const isIterated = iterated.some((name) => row === implementations[name])
    const given = isIterated ? { salt: Buffer.alloc(16), iterations: 1_000 } : { salt: none }
    const options = { ...given, info: none, label: none, context: none, lengthBytes: 100 }
    const long = copied(await must(row.derive)(key, options))
    assert.equal(long.length, 100)
    assert.deepEqual(copied(await must(row.derive)(key, options)), long)
    for (const lengthBytes of [0, -1, 1.5, 65_537, Number.NaN]) {
      const derive = async () => must(row.derive)(key, { ...options, lengthBytes })
      await assert.rejects(derive, { code: 'ARGUMENT_INVALID' })
    }
  },
  agree: async (row, key) => {
    using peer = await KeyMaterial.generate(key.typeName)
    const [here, there] = await Promise.all([
      must(row.agree)(key, peer.publicSpki()),
      must(row.agree)(peer, key.publicSpki()),
    ])
    assert.deepEqual(copied(here), copied(there))
  },
  encapsulate: async (row, key) => {
    const { sharedSecret, ciphertext } = await must(row.encapsulate)(key)
    const expected = copied(sharedSecret)
    assert.deepEqual(copied(await must(row.decapsulate)(key, ciphertext)), expected)
    const altered = Buffer.from(ciphertext)
    altered[0] = (altered[0] ?? 0) ^ 1
    assert.notDeepEqual(copied(await must(row.decapsulate)(key, altered)), expected)
    for (const wrong of [
      none,
      ciphertext.subarray(1),
      Buffer.concat([ciphertext, none, altered]),
    ]) {
      const decapsulate = async () => must(row.decapsulate)(key, wrong)
      await assert.rejects(decapsulate, { code: 'CIPHERTEXT_INVALID' })
    }
  },
}

suite('the registry', () => {
  for (const name of names) {
    const { keyTypes, uses }: AlgorithmRow = algorithms[name]
    if (isTooSlow(name)) continue
    test(`${name} has the operations of its uses, and they undo each other`, async () => {
      const expected = new Set(uses.map((use) => operationOf[use]))
      const present = new Set(Object.keys(implementations[name]))
      assert.deepEqual(expected.difference(present), new Set())
      // Legacy rows share the implementation of those that also protect; the uses decide.
      if (uses.length > 1 || expected.has('derive') || expected.has('agree')) {
        assert.deepEqual(present, expected)
      }
      for (const typeName of usable(keyTypes)) {
        const key = await keyOf(typeName)
        for (const [operation, roundTrip] of Object.entries(roundTrips)) {
          if (!expected.has(operation as keyof Implementation)) continue
          await roundTrip(algorithmFor(name, typeName), key)
        }
      }
    })
  }

  test('an algorithm does not take a key of another type', () => {
    assert.throws(() => algorithmFor('AES-128-GCM', 'AES-256'), {
      code: 'ALGORITHM_NOT_SUPPORTED',
    })
    assert.throws(() => algorithmFor('Ed25519', 'P-256'), { code: 'ALGORITHM_NOT_SUPPORTED' })
  })
})
