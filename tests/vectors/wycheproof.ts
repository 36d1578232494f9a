/**
 * Cases from C2SP/wycheproof (see wycheproof/SOURCE.md). "acceptable" means that either answer is
 * right; ours is always the strict one: compressed points, curves by their parameters, loose DER,
 * small RSA exponents, zero shared secrets and missing NULLs are refused.
 */

import { readdirSync } from 'node:fs'
import path from 'node:path'
import type { AlgorithmName, KeyTypeName } from '../../src/hsm/contract/algorithms.ts'
import type { VectorCase } from './case.ts'
import { curveType, ecPrivate, ecSpki, hex, rawSpki, readText, seedPkcs8 } from './files.ts'
import { rsaOaepCases, rsaSignatureCases } from './wycheproof-rsa.ts'
import { ecdsaCases, eddsaCases, mlDsaCases } from './wycheproof-signatures.ts'

/** One test with its group: every member is text unless a reader knows better. */
export interface Entry {
  readonly id: string
  readonly group: Readonly<Record<string, unknown>>
  readonly test: Readonly<Record<string, string>>
  readonly flags: readonly string[]
  readonly isValid: boolean
  readonly isAcceptable: boolean
}

/** Which reader takes the tests of a file: the first whose beginning fits its name. */
const readers: readonly (readonly [string, (entry: Entry) => readonly VectorCase[]])[] = [
  ['aes_cbc_pkcs5', cbcCases],
  ['aes_gcm', aeadCases],
  ['aes_ccm', aeadCases],
  ['aes_xts', xtsCases],
  ['chacha20_poly1305', aeadCases],
  ['aes_wrap', keyWrapCases('KW')],
  ['aes_kwp', keyWrapCases('KWP')],
  ['aes_cmac', cmacCases],
  ['hmac_', hmacCases],
  ['hkdf_', hkdfCases],
  ['ecdh_', ecdhCases],
  ['x25519', xdhCases('X25519')],
  ['x448', xdhCases('X448')],
  ['pbkdf2_', pbkdf2Cases],
  ['mlkem_', mlKemCases],
  ['ecdsa_', ecdsaCases],
  ['ed25519', eddsaCases('Ed25519')],
  ['ed448', eddsaCases('Ed448')],
  ['mldsa_', mlDsaCases],
  ['rsa_oaep', rsaOaepCases],
  ['rsa_', rsaSignatureCases],
]

export function* wycheproofCases(): Generator<VectorCase> {
  for (const file of readdirSync(path.join(import.meta.dirname, 'wycheproof')).sort()) {
    if (!file.endsWith('.json.gz')) continue
    const name = file.slice(0, -'.json.gz'.length)
    const reader = readers.find(([beginning]) => name.startsWith(beginning))
    if (!reader) throw new Error(`no reader for ${file}`)
    for (const entry of entries(name)) yield* reader[1](entry)
  }
}

function* entries(name: string): Generator<Entry> {
  const file = JSON.parse(readText(`wycheproof/${name}.json`)) as {
    testGroups: readonly (Record<string, unknown> & { tests: readonly Record<string, string>[] })[]
  }
  for (const group of file.testGroups) {
    for (const test of group.tests) {
      yield {
        id: `wycheproof ${name} ${test.tcId}`,
        group,
        test,
        flags: (test.flags ?? []) as unknown as readonly string[],
        isValid: test.result === 'valid',
        isAcceptable: test.result === 'acceptable',
      }
    }
  }
}

const ciphertextRefused = { refused: ['CIPHERTEXT_INVALID'] } as const
const argumentRefused = { refused: ['ARGUMENT_INVALID'] } as const
const none = new Uint8Array()

function field(test: Entry['test'], name: string): Buffer {
  return hex(test[name] ?? '')
}

function cbcCases({ id, group, test, isValid }: Entry): VectorCase[] {
  const [iv, plaintext, ciphertext] = [field(test, 'iv'), field(test, 'msg'), field(test, 'ct')]
  const shared = {
    algorithm: `AES-${group.keySize}-CBC-PKCS7` as AlgorithmName,
    keyType: `AES-${group.keySize}` as KeyTypeName,
    keyClass: 'secret',
    material: field(test, 'key'),
    options: {},
  } as const
  const decrypt = { ...shared, command: 'decrypt', inputs: { iv, ciphertext, aad: none } } as const
  if (!isValid) return [{ ...decrypt, id, expect: ciphertextRefused }]
  const inputs = { iv, plaintext, aad: none }
  return [
    { ...shared, id, command: 'encrypt', inputs, expect: { bytes: ciphertext } },
    { ...decrypt, id, expect: { bytes: plaintext } },
  ]
}

/** The two keys of XTS are one; the tweak is a number, little-endian, of which the rest is zero. */
function xtsCases({ id, group, test, isValid }: Entry): VectorCase[] {
  const bits = Number(group.keySize) / 2
  if (bits !== 128 && bits !== 256) return []
  const iv = Buffer.concat([field(test, 'iv'), Buffer.alloc(16)]).subarray(0, 16)
  const [plaintext, ciphertext] = [field(test, 'msg'), field(test, 'ct')]
  const shared = {
    algorithm: `AES-${bits}-XTS`,
    keyType: `AES-${bits}-XTS`,
    keyClass: 'secret',
    id,
    material: field(test, 'key'),
    options: {},
  } as const
  const decrypt = { ...shared, command: 'decrypt', inputs: { iv, ciphertext, aad: none } } as const
  if (!isValid) return [{ ...decrypt, expect: ciphertextRefused }]
  const inputs = { iv, plaintext, aad: none }
  return [
    { ...shared, command: 'encrypt', inputs, expect: { bytes: ciphertext } },
    { ...decrypt, expect: { bytes: plaintext } },
  ]
}

/** GCM takes IVs of 1 to 128 bytes; Wycheproof has longer ones, which are refused, not misread. */
function aeadCases({ id, group, test, isValid }: Entry): VectorCase[] {
  const isChaCha = id.includes('chacha20')
  const mode = id.includes('aes_ccm') ? 'CCM' : 'GCM'
  if (mode === 'CCM' && group.tagSize !== 128) return []
  const [iv, aad, plaintext] = [field(test, 'iv'), field(test, 'aad'), field(test, 'msg')]
  const ciphertext = Buffer.concat([field(test, 'ct'), field(test, 'tag')])
  const shared = {
    algorithm: isChaCha ? 'ChaCha20-Poly1305' : (`AES-${group.keySize}-${mode}` as AlgorithmName),
    keyType: isChaCha ? 'ChaCha20' : (`AES-${group.keySize}` as KeyTypeName),
    keyClass: 'secret',
    material: field(test, 'key'),
    options: {},
  } as const
  const decrypt = { ...shared, id, command: 'decrypt', inputs: { iv, ciphertext, aad } } as const
  if (!isValid) return [{ ...decrypt, expect: ciphertextRefused }]
  const encrypt = { ...shared, id, command: 'encrypt', inputs: { iv, plaintext, aad } } as const
  if (iv.length > 128) {
    return [
      { ...encrypt, expect: argumentRefused },
      { ...decrypt, expect: ciphertextRefused },
    ]
  }
  return [
    { ...encrypt, expect: { bytes: ciphertext } },
    { ...decrypt, expect: { bytes: plaintext } },
  ]
}

function keyWrapCases(mode: 'KW' | 'KWP'): (entry: Entry) => VectorCase[] {
  return ({ id, group, test, isValid }) => {
    const [target, ciphertext] = [field(test, 'msg'), field(test, 'ct')]
    const shared = {
      algorithm: `AES-${group.keySize}-${mode}` as AlgorithmName,
      keyType: `AES-${group.keySize}` as KeyTypeName,
      keyClass: 'secret',
      material: field(test, 'key'),
      options: {},
      id,
    } as const
    const unwrap = { ...shared, command: 'unwrapKey', inputs: { ciphertext } } as const
    if (!isValid) return [{ ...unwrap, expect: ciphertextRefused }]
    return [
      { ...shared, command: 'wrapKey', inputs: { target }, expect: { bytes: ciphertext } },
      { ...unwrap, expect: { bytes: target } },
    ]
  }
}

function cmacCases(entry: Entry): VectorCase[] {
  const bits = field(entry.test, 'key').length * 8
  // Keys of no AES length are tried, and refused, as AES-128.
  const size = [128, 192, 256].includes(bits) ? bits : 128
  const algorithm = `AES-${size}-CMAC` as AlgorithmName
  return macCases(entry, { algorithm, keyType: `AES-${size}` as KeyTypeName, isKeyLong: true })
}

function hmacCases(entry: Entry): VectorCase[] {
  const name = /hmac_(\w+)_test/.exec(entry.id)?.[1] ?? ''
  const hash = name
    .replace(/^sha3_/, 'SHA3-')
    .replace(/^sha/, 'SHA-')
    .replace('_', '/')
  const algorithm = `HMAC-${hash}` as AlgorithmName
  const isKeyLong = field(entry.test, 'key').length >= 14
  const cases = macCases(entry, { algorithm, keyType: 'generic-secret', isKeyLong })
  return algorithm === 'HMAC-SHA-1' ? cases.filter(({ command }) => command !== 'mac') : cases
}

interface MacKey {
  readonly algorithm: AlgorithmName
  readonly keyType: KeyTypeName
  readonly isKeyLong: boolean
}

function macCases(entry: Entry, { isKeyLong, ...names }: MacKey): VectorCase[] {
  const { id, test, flags, isValid } = entry
  const [data, mac] = [field(test, 'msg'), field(test, 'tag')]
  const shared = {
    ...names,
    id,
    keyClass: 'secret',
    material: field(test, 'key'),
    options: { lengthBytes: mac.length },
  } as const
  const verify = { ...shared, command: 'verifyMac', inputs: { data, mac } } as const
  if (!isKeyLong) return [{ ...verify, expect: { refused: ['KEY_TOO_WEAK'] } }]
  if (flags.includes('InvalidKeySize')) return [{ ...verify, expect: argumentRefused }]
  if (!isValid) return [{ ...verify, expect: { valid: false } }]
  return [
    { ...shared, command: 'mac', inputs: { data }, expect: { bytes: mac } },
    { ...verify, expect: { valid: true } },
  ]
}

function hkdfCases({ id, test, isValid }: Entry): VectorCase[] {
  const hash = (/hkdf_sha(\d+)/.exec(id)?.[1] ?? '') as '256' | '384' | '512'
  const material = field(test, 'ikm')
  const expect =
    material.length < 14
      ? ({ refused: ['KEY_TOO_WEAK'] } as const)
      : isValid
        ? { bytes: field(test, 'okm') }
        : argumentRefused
  return [
    {
      algorithm: `HKDF-SHA-${hash}`,
      id,
      keyType: 'generic-secret',
      keyClass: 'secret',
      material,
      options: { lengthBytes: Number(test.size) },
      command: 'derive',
      inputs: { salt: field(test, 'salt'), info: field(test, 'info') },
      expect,
    },
  ]
}

/** Those that ask for too little are refused: a short passphrase, salt or key, few iterations. */
function pbkdf2Cases({ id, test }: Entry): VectorCase[] {
  const hash = (/pbkdf2_hmacsha(\d+)/.exec(id)?.[1] ?? '') as '256' | '384' | '512'
  const [material, salt] = [field(test, 'password'), field(test, 'salt')]
  const options = { lengthBytes: Number(test.dkLen), iterations: Number(test.iterationCount) }
  const isEnough = salt.length >= 16 && options.iterations >= 1_000 && options.lengthBytes >= 14
  const expect =
    material.length < 14
      ? ({ refused: ['KEY_TOO_WEAK'] } as const)
      : isEnough
        ? { bytes: field(test, 'dk') }
        : argumentRefused
  return [
    {
      algorithm: `PBKDF2-HMAC-SHA-${hash}`,
      id,
      keyType: 'generic-secret',
      keyClass: 'secret',
      material,
      options,
      command: 'derive',
      inputs: { salt },
      expect,
    },
  ]
}

function ecdhCases({ id, group, test, isValid }: Entry): VectorCase[] {
  const keyType = curveType(String(group.curve))
  if (!keyType) return []
  const given = field(test, 'public')
  return [
    {
      algorithm: 'ECDH',
      id,
      keyType,
      keyClass: 'private',
      material: ecPrivate(keyType, test.private ?? ''),
      options: {},
      command: 'agree',
      inputs: { peer: group.encoding === 'ecpoint' ? ecSpki(keyType, given) : given },
      expect: isValid ? { bytes: field(test, 'shared') } : argumentRefused,
    },
  ]
}

function xdhCases(type: 'X25519' | 'X448'): (entry: Entry) => VectorCase[] {
  return ({ id, group, test, flags, isValid, isAcceptable }) => {
    const isRaw = group.type === 'XdhComp'
    const [given, key] = [field(test, 'public'), field(test, 'private')]
    const isAgreed = isValid || (isAcceptable && !flags.includes('ZeroSharedSecret'))
    return [
      {
        algorithm: type,
        id,
        keyType: type,
        keyClass: 'private',
        material: isRaw ? seedPkcs8(type, key) : key,
        options: {},
        command: 'agree',
        inputs: { peer: isRaw ? rawSpki(type, given) : given },
        expect: isAgreed ? { bytes: field(test, 'shared') } : argumentRefused,
      },
    ]
  }
}

/** The seed is the key; one of a wrong length is put in as it is, to be refused. */
function mlKemCases({ id, group, test, isValid }: Entry): VectorCase[] {
  const keyType = String(group.parameterSet) as 'ML-KEM-512' | 'ML-KEM-768' | 'ML-KEM-1024'
  const seed = field(test, 'seed')
  const hasSeed = seed.length === 64
  return [
    {
      algorithm: keyType,
      id,
      keyType,
      keyClass: 'private',
      material: hasSeed ? seedPkcs8(keyType, seed) : seed,
      options: {},
      command: 'decapsulate',
      inputs: { ciphertext: field(test, 'c') },
      expect: isValid ? { bytes: field(test, 'K') } : hasSeed ? ciphertextRefused : argumentRefused,
    },
  ]
}
