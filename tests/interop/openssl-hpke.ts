/**
 * HPKE of the OpenSSL in the pinned Node (OSSL_HPKE_CTX_new(3)), base mode, as another implementation: no
 * command of the openssl program does it.
 */

import assert from 'node:assert/strict'
import { dlopen, getRawPointer } from 'node:ffi'

const p = 'pointer'
const b = 'buffer'
const size = 'uint64'
const int = 'int32'

const { functions: openssl } = dlopen(null, {
  OSSL_HPKE_CTX_new: { return: p, arguments: [int, size, int, p, p] },
  OSSL_HPKE_CTX_free: { return: 'void', arguments: [p] },
  OSSL_HPKE_encap: { return: int, arguments: [p, b, b, b, size, b, size] },
  OSSL_HPKE_seal: { return: int, arguments: [p, b, b, b, size, b, size] },
  OSSL_HPKE_decap: { return: int, arguments: [p, b, size, p, b, size] },
  OSSL_HPKE_open: { return: int, arguments: [p, b, b, b, size, b, size] },
  d2i_AutoPrivateKey: { return: p, arguments: [p, b, 'int64'] },
  EVP_PKEY_free: { return: 'void', arguments: [p] },
})

/** The numbers of RFC 9180 section 7. */
export interface HpkeSuite {
  readonly kem: number
  readonly kdf: number
  readonly aead: number
}

interface Given {
  readonly info: Uint8Array
  readonly aad: Uint8Array
}

const modeBase = 0
const [sender, receiver] = [0, 1]
/** Info and aad may be empty, a buffer may not. */
const room = (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.alloc(1)])

/** enc || ciphertext. */
export function opensslSeal(
  suite: HpkeSuite,
  publicKey: Uint8Array,
  given: Given,
  plaintext: Uint8Array,
) {
  return withContext(suite, sender, (context) => {
    const enc = Buffer.alloc(256)
    const encBytes = lengthOf(enc)
    const { info, aad } = given
    const encapsulated = openssl.OSSL_HPKE_encap(
      ...([context, enc, encBytes, publicKey, BigInt(publicKey.length)] as const),
      ...([room(info), BigInt(info.length)] as const),
    )
    assert.equal(encapsulated, 1)
    const ciphertext = Buffer.alloc(plaintext.length + 16)
    const sealed = openssl.OSSL_HPKE_seal(
      ...([context, ciphertext, lengthOf(ciphertext), room(aad), BigInt(aad.length)] as const),
      ...([plaintext, BigInt(plaintext.length)] as const),
    )
    assert.equal(sealed, 1)
    return Buffer.concat([enc.subarray(0, Number(encBytes.readBigUInt64LE())), ciphertext])
  })
}

/** @param encBytes length of enc, which stands first */
export function opensslOpen(
  suite: HpkeSuite,
  pkcs8: Uint8Array,
  given: Given,
  sealed: { readonly bytes: Uint8Array; readonly encBytes: number },
) {
  const { info, aad } = given
  const [enc, ciphertext] = [
    sealed.bytes.slice(0, sealed.encBytes),
    sealed.bytes.slice(sealed.encBytes),
  ]
  const cursor = Buffer.alloc(8)
  cursor.writeBigUInt64LE(getRawPointer(pkcs8))
  const key = openssl.d2i_AutoPrivateKey(0n, cursor, BigInt(pkcs8.length))
  assert.notEqual(key, 0n)
  try {
    return withContext(suite, receiver, (context) => {
      const plaintext = Buffer.alloc(ciphertext.length)
      const length = lengthOf(plaintext)
      const decapsulated = openssl.OSSL_HPKE_decap(
        ...([context, enc, BigInt(enc.length), key, room(info), BigInt(info.length)] as const),
      )
      assert.equal(decapsulated, 1)
      const opened = openssl.OSSL_HPKE_open(
        ...([context, plaintext, length, room(aad), BigInt(aad.length)] as const),
        ...([ciphertext, BigInt(ciphertext.length)] as const),
      )
      assert.equal(opened, 1)
      return plaintext.subarray(0, Number(length.readBigUInt64LE()))
    })
  } finally {
    openssl.EVP_PKEY_free(key)
  }
}

function withContext<T>(
  { kem, kdf, aead }: HpkeSuite,
  role: number,
  use: (context: bigint) => T,
): T {
  // OSSL_HPKE_SUITE is three 16-bit numbers, passed by value in one register.
  const suite = BigInt(kem) | (BigInt(kdf) << 16n) | (BigInt(aead) << 32n)
  const context = openssl.OSSL_HPKE_CTX_new(modeBase, suite, role, 0n, 0n)
  assert.notEqual(context, 0n)
  try {
    return use(context)
  } finally {
    openssl.OSSL_HPKE_CTX_free(context)
  }
}

function lengthOf(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(bytes.length))
  return length
}
