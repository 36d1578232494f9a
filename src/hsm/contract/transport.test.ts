/**
 * What is sealed to a transport key opens for that key and that purpose only. The module's side, and the
 * published vectors of X-Wing, are tested where the key is (src/hsm/transport.test.ts).
 */

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { suite, test } from 'node:test'
import {
  openSealed,
  rawX25519,
  sealToTransportKey,
  transportOverheadBytes,
  transportPublicKeyBytes,
  x25519FromRaw,
  xWingSecret,
} from './transport.ts'

suite('transport', () => {
  test("the combiner hashes in X-Wing's order with its label last", () => {
    const [mlKem, x25519, x25519Ciphertext, x25519PublicKey] = [1, 2, 3, 4].map((value) =>
      Buffer.alloc(32, value),
    ) as [Buffer, Buffer, Buffer, Buffer]
    const inOrder = [mlKem, x25519, x25519Ciphertext, x25519PublicKey, Buffer.from('\\.//^\\')]
    assert.deepEqual(
      xWingSecret({ mlKem, x25519, x25519Ciphertext, x25519PublicKey }),
      createHash('sha3-256').update(Buffer.concat(inOrder)).digest(),
    )
  })

  test('an X25519 public key comes back as the bytes that it was made from', () => {
    const bytes = randomBytes(32)
    bytes[31] = (bytes[31] ?? 0) & 0x7f
    assert.deepEqual(rawX25519(x25519FromRaw(bytes)), bytes)
  })

  test('a public key of another length is refused', () => {
    for (const length of [0, 32, transportPublicKeyBytes - 1, transportPublicKeyBytes + 1]) {
      assert.throws(() => sealToTransportKey(Buffer.alloc(length), 'import key', Buffer.alloc(1)), {
        code: 'ARGUMENT_INVALID',
      })
    }
  })

  test('what is too short or of another version is refused before any key is used', () => {
    const use = () => assert.fail('used the key')
    for (const bytes of [new Uint8Array(), Buffer.alloc(transportOverheadBytes - 1, 1)]) {
      assert.throws(() => openSealed(bytes, 'import key', use), { code: 'CIPHERTEXT_INVALID' })
    }
    const otherVersion = Buffer.alloc(transportOverheadBytes, 2)
    assert.throws(() => openSealed(otherVersion, 'import key', use), { code: 'CIPHERTEXT_INVALID' })
  })
})
