/**
 * HPKE against that of OpenSSL, in both directions, for every row of the registry: keys that were wrapped
 * here open there, and keys that were sealed there are unwrapped here. Info and associated data are
 * empty, as in the commands.
 */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { suite, test } from 'node:test'
import { copied, must } from '../../src/hsm/algorithms.testing.ts'
import { algorithmFor } from '../../src/hsm/algorithms.ts'
import type { AlgorithmName, KeyTypeName } from '../../src/hsm/contract/algorithms.ts'
import { KeyMaterial } from '../../src/hsm/keys/material.ts'
import { Secret } from '../../src/hsm/secret.ts'
import { opensslOpen, opensslSeal } from './openssl-hpke.ts'

/** Algorithm, its key type, KEM, KDF and AEAD by their numbers, and the length of a public key. */
const rows: readonly (readonly [AlgorithmName, KeyTypeName, number, number, number, number])[] = [
  ['HPKE-P-256-HKDF-SHA-256-AES-128-GCM', 'P-256', 0x10, 1, 1, 65],
  ['HPKE-P-384-HKDF-SHA-384-AES-256-GCM', 'P-384', 0x11, 2, 2, 97],
  ['HPKE-P-521-HKDF-SHA-512-AES-256-GCM', 'P-521', 0x12, 3, 2, 133],
  ['HPKE-X25519-HKDF-SHA-256-AES-128-GCM', 'X25519', 0x20, 1, 1, 32],
  ['HPKE-X25519-HKDF-SHA-256-ChaCha20-Poly1305', 'X25519', 0x20, 1, 3, 32],
  ['HPKE-X448-HKDF-SHA-512-AES-256-GCM', 'X448', 0x21, 3, 2, 56],
]
const none = new Uint8Array()
const empty = { info: none, aad: none }

suite('HPKE', () => {
  for (const [algorithm, type, kem, kdf, aead, publicBytes] of rows) {
    test(`${algorithm}: OpenSSL opens what was wrapped here, and the other way`, async () => {
      using key = await KeyMaterial.generate(type)
      const row = algorithmFor(algorithm, type)
      for (const length of [1, 32, 2_400]) {
        const bytes = randomBytes(length)
        using target = Secret.copyOf(bytes)
        const wrapped = await must(row.wrap)(key, target)
        using pkcs8 = key.toBytes()
        const sealedHere = { bytes: wrapped.ciphertext, encBytes: publicBytes }
        const opened = pkcs8.expose((der) =>
          opensslOpen({ kem, kdf, aead }, der, empty, sealedHere),
        )
        assert.deepEqual(opened, bytes)
        const publicKey = key.publicSpki().subarray(-publicBytes)
        const ciphertext = opensslSeal({ kem, kdf, aead }, publicKey, empty, bytes)
        assert.deepEqual(copied(await must(row.unwrap)(key, { iv: none, ciphertext })), bytes)
      }
    })
  }
})
