/**
 * The module's registry: how each algorithm works, one row per name of `contract/algorithms.ts`, which
 * says what each is for. The compiler refuses a missing row and one that is not in the contract. No
 * other file of the module compares the name of an algorithm.
 */

import { timingSafeEqual } from 'node:crypto'
import {
  type AlgorithmName,
  type AlgorithmRow,
  algorithms,
  type KeyTypeName,
} from './contract/algorithms.ts'
import { HsmError } from './contract/errors.ts'
import type { KeyMaterial } from './keys/material.ts'
import { aesCbc, aesCtr } from './primitives/aes-cbc-ctr.ts'
import { aesCcm } from './primitives/aes-ccm.ts'
import { aesGcm } from './primitives/aes-gcm.ts'
import { aesKw, aesKwp } from './primitives/aes-kw.ts'
import { aesXts } from './primitives/aes-xts.ts'
import { chacha20Poly1305 } from './primitives/chacha20-poly1305.ts'
import { aesCmac } from './primitives/cmac.ts'
import { ecdh, x448, x25519 } from './primitives/ecdh.ts'
import { ecdsa } from './primitives/ecdsa.ts'
import { ed448 } from './primitives/ed448.ts'
import { ed25519 } from './primitives/ed25519.ts'
import { hkdf } from './primitives/hkdf.ts'
import { hmac } from './primitives/hmac.ts'
import { hpke } from './primitives/hpke.ts'
import type { Implementation } from './primitives/implementation.ts'
import { kdfCounterCmac, kdfCounterHmac } from './primitives/kdf-counter.ts'
import { mlDsa } from './primitives/ml-dsa.ts'
import { mlKem } from './primitives/ml-kem.ts'
import { pbkdf2Hmac } from './primitives/pbkdf2.ts'
import { rsaAesKeyWrap } from './primitives/rsa-aes-key-wrap.ts'
import { rsaOaep } from './primitives/rsa-oaep.ts'
import { rsaPkcs1, rsaPss } from './primitives/rsa-signature.ts'
import { slhDsa } from './primitives/slh-dsa.ts'
import { xaes256Gcm } from './primitives/xaes-256-gcm.ts'

export type { Implementation } from './primitives/implementation.ts'

export const implementations: { readonly [name in AlgorithmName]: Implementation } = {
  'AES-128-GCM': aesGcm(128),
  'AES-192-GCM': aesGcm(192),
  'AES-256-GCM': aesGcm(256),
  'AES-128-CBC-PKCS7': aesCbc(128),
  'AES-192-CBC-PKCS7': aesCbc(192),
  'AES-256-CBC-PKCS7': aesCbc(256),
  'AES-128-CTR': aesCtr(128),
  'AES-192-CTR': aesCtr(192),
  'AES-256-CTR': aesCtr(256),
  'AES-128-KW': aesKw(128),
  'AES-192-KW': aesKw(192),
  'AES-256-KW': aesKw(256),
  'AES-128-KWP': aesKwp(128),
  'AES-192-KWP': aesKwp(192),
  'AES-256-KWP': aesKwp(256),
  'XAES-256-GCM': xaes256Gcm,
  'ChaCha20-Poly1305': chacha20Poly1305,
  'AES-128-CCM': aesCcm(128),
  'AES-192-CCM': aesCcm(192),
  'AES-256-CCM': aesCcm(256),
  'AES-128-XTS': aesXts(128),
  'AES-256-XTS': aesXts(256),
  'AES-128-CMAC': aesCmac(128),
  'AES-192-CMAC': aesCmac(192),
  'AES-256-CMAC': aesCmac(256),
  'HMAC-SHA-1': hmac('sha1'),
  'HMAC-SHA-224': hmac('sha224'),
  'HMAC-SHA-256': hmac('sha256'),
  'HMAC-SHA-384': hmac('sha384'),
  'HMAC-SHA-512': hmac('sha512'),
  'HMAC-SHA-512/224': hmac('sha512-224'),
  'HMAC-SHA-512/256': hmac('sha512-256'),
  'HMAC-SHA3-224': hmac('sha3-224'),
  'HMAC-SHA3-256': hmac('sha3-256'),
  'HMAC-SHA3-384': hmac('sha3-384'),
  'HMAC-SHA3-512': hmac('sha3-512'),
  'RSASSA-PKCS1-v1_5-SHA-256': rsaPkcs1('sha256'),
  'RSASSA-PKCS1-v1_5-SHA-384': rsaPkcs1('sha384'),
  'RSASSA-PKCS1-v1_5-SHA-512': rsaPkcs1('sha512'),
  'RSASSA-PSS-SHA-256': rsaPss('sha256'),
  'RSASSA-PSS-SHA-384': rsaPss('sha384'),
  'RSASSA-PSS-SHA-512': rsaPss('sha512'),
  'RSAES-OAEP-SHA-1': rsaOaep('sha1'),
  'RSAES-OAEP-SHA-256': rsaOaep('sha256'),
  'RSAES-OAEP-SHA-384': rsaOaep('sha384'),
  'RSAES-OAEP-SHA-512': rsaOaep('sha512'),
  'RSA-AES-KEY-WRAP-SHA-256': rsaAesKeyWrap('sha256'),
  'RSA-AES-KEY-WRAP-SHA-384': rsaAesKeyWrap('sha384'),
  'RSA-AES-KEY-WRAP-SHA-512': rsaAesKeyWrap('sha512'),
  'ECDSA-SHA-256': ecdsa('sha256'),
  'ECDSA-SHA-384': ecdsa('sha384'),
  'ECDSA-SHA-512': ecdsa('sha512'),
  'ECDSA-SHA3-256': ecdsa('sha3-256'),
  'ECDSA-SHA3-384': ecdsa('sha3-384'),
  'ECDSA-SHA3-512': ecdsa('sha3-512'),
  'ECDSA-SHA-224': ecdsa('sha224'),
  Ed25519: ed25519,
  Ed448: ed448,
  ECDH: ecdh,
  X25519: x25519,
  X448: x448,
  'HPKE-P-256-HKDF-SHA-256-AES-128-GCM': hpke('P-256', 'aes-128-gcm'),
  'HPKE-P-384-HKDF-SHA-384-AES-256-GCM': hpke('P-384', 'aes-256-gcm'),
  'HPKE-P-521-HKDF-SHA-512-AES-256-GCM': hpke('P-521', 'aes-256-gcm'),
  'HPKE-X25519-HKDF-SHA-256-AES-128-GCM': hpke('X25519', 'aes-128-gcm'),
  'HPKE-X25519-HKDF-SHA-256-ChaCha20-Poly1305': hpke('X25519', 'chacha20-poly1305'),
  'HPKE-X448-HKDF-SHA-512-AES-256-GCM': hpke('X448', 'aes-256-gcm'),
  'ML-KEM-512': mlKem(512),
  'ML-KEM-768': mlKem(768),
  'ML-KEM-1024': mlKem(1024),
  'ML-DSA-44': mlDsa,
  'ML-DSA-65': mlDsa,
  'ML-DSA-87': mlDsa,
  'SLH-DSA-SHA2-128s': slhDsa,
  'SLH-DSA-SHA2-128f': slhDsa,
  'SLH-DSA-SHA2-192s': slhDsa,
  'SLH-DSA-SHA2-192f': slhDsa,
  'SLH-DSA-SHA2-256s': slhDsa,
  'SLH-DSA-SHA2-256f': slhDsa,
  'SLH-DSA-SHAKE-128s': slhDsa,
  'SLH-DSA-SHAKE-128f': slhDsa,
  'SLH-DSA-SHAKE-192s': slhDsa,
  'SLH-DSA-SHAKE-192f': slhDsa,
  'SLH-DSA-SHAKE-256s': slhDsa,
  'SLH-DSA-SHAKE-256f': slhDsa,
  'HKDF-SHA-256': hkdf('sha256'),
  'HKDF-SHA-384': hkdf('sha384'),
  'HKDF-SHA-512': hkdf('sha512'),
  'KDF-COUNTER-HMAC-SHA-256': kdfCounterHmac('sha256'),
  'KDF-COUNTER-HMAC-SHA-384': kdfCounterHmac('sha384'),
  'KDF-COUNTER-HMAC-SHA-512': kdfCounterHmac('sha512'),
  'KDF-COUNTER-CMAC-AES': kdfCounterCmac,
  'PBKDF2-HMAC-SHA-256': pbkdf2Hmac('sha256'),
  'PBKDF2-HMAC-SHA-384': pbkdf2Hmac('sha384'),
  'PBKDF2-HMAC-SHA-512': pbkdf2Hmac('sha512'),
}

/** @throws HsmError ALGORITHM_NOT_SUPPORTED when keys of this type cannot be used with it */
export function algorithmFor(name: AlgorithmName, typeName: KeyTypeName): Implementation {
  const { keyTypes }: AlgorithmRow = algorithms[name]
  if (!keyTypes.includes(typeName)) {
    throw new HsmError('ALGORITHM_NOT_SUPPORTED', `${name} does not work with ${typeName} keys`)
  }
  return implementations[name]
}

/** 32 bits: the least that SP 800-107 revision 1 section 5.3.3 lets a truncated HMAC tag have. */
export const macBytesMin = 4

/**
 * True when the tag is the leftmost 4 or more bytes of the MAC (SP 800-107 section 5.3.1, SP 800-38B
 * section 6.3). The comparison takes as long for a wrong tag as for a right one.
 */
export function verifyMac(
  mac: NonNullable<Implementation['mac']>,
  key: KeyMaterial,
  { data, tag }: { readonly data: Uint8Array; readonly tag: Uint8Array },
): boolean {
  const expected = mac(key, data)
  if (tag.length < macBytesMin || tag.length > expected.length) return false
  return timingSafeEqual(expected.subarray(0, tag.length), tag)
}
