/**
 * Cases from NIST's ACVP files (see acvp/SOURCE.md). What the module does not have (other curves and
 * hashes, pre-hash variants, inverse key wrap, short tags) is passed over.
 */

import type { AlgorithmName, KeyTypeName } from '../../src/hsm/contract/algorithms.ts'
import { acvpAsymmetric } from './acvp-asymmetric.ts'
import { type AcvpEntry, bytesOf } from './acvp-entry.ts'
import type { VectorCase } from './case.ts'
import { readText } from './files.ts'

type Reader = (entry: AcvpEntry) => readonly VectorCase[]

const symmetric: Readonly<Record<string, Reader>> = {
  'ACVP-AES-CCM-1.0': ccmCases,
  'ACVP-AES-CTR-1.0': ctrCases,
  'ACVP-AES-GCM-1.0': gcmCases,
  'ACVP-AES-KW-1.0': keyWrapCases('KW'),
  'ACVP-AES-KWP-1.0': keyWrapCases('KWP'),
  'ACVP-AES-XTS-2.0': xtsCases,
  'CMAC-AES-1.0': cmacCases,
  'HMAC-SHA-1-2.0': hmacCases('SHA-1'),
  'HMAC-SHA2-224-2.0': hmacCases('SHA-224'),
  'HMAC-SHA2-256-2.0': hmacCases('SHA-256'),
  'HMAC-SHA2-384-2.0': hmacCases('SHA-384'),
  'HMAC-SHA2-512-2.0': hmacCases('SHA-512'),
  'HMAC-SHA2-512-224-2.0': hmacCases('SHA-512/224'),
  'HMAC-SHA2-512-256-2.0': hmacCases('SHA-512/256'),
  'HMAC-SHA3-224-2.0': hmacCases('SHA3-224'),
  'HMAC-SHA3-256-2.0': hmacCases('SHA3-256'),
  'HMAC-SHA3-384-2.0': hmacCases('SHA3-384'),
  'HMAC-SHA3-512-2.0': hmacCases('SHA3-512'),
  'KDF-1.0': kdfCases,
}

export function* acvpCases(): Generator<VectorCase> {
  for (const [name, reader] of Object.entries({ ...symmetric, ...acvpAsymmetric })) {
    for (const entry of entries(name)) yield* reader(entry)
  }
}

function* entries(name: string): Generator<AcvpEntry> {
  const file = JSON.parse(readText(`acvp/${name}.json`)) as {
    testGroups: readonly (Record<string, unknown> & { tests: readonly Record<string, unknown>[] })[]
  }
  for (const group of file.testGroups) {
    for (const test of group.tests) yield { id: `acvp ${name} ${test.tcId}`, group, test }
  }
}

const none = new Uint8Array()

function aesKey({ id, group, test }: AcvpEntry) {
  return {
    id,
    keyType: `AES-${group.keyLen}` as KeyTypeName,
    keyClass: 'secret',
    material: bytesOf(test, 'key'),
    options: {},
  } as const
}

function ctrCases(entry: AcvpEntry): VectorCase[] {
  const { group, test } = entry
  const [iv, pt, ct] = [bytesOf(test, 'iv'), bytesOf(test, 'pt'), bytesOf(test, 'ct')]
  if (group.testType !== 'AFT' || iv.length !== 16) return []
  const algorithm = `AES-${group.keyLen}-CTR` as AlgorithmName
  const shared = { ...aesKey(entry), algorithm } as const
  const encrypt = { iv, plaintext: pt, aad: none }
  const decrypt = { iv, ciphertext: ct, aad: none }
  return [
    { ...shared, command: 'encrypt', inputs: encrypt, expect: { bytes: ct } },
    { ...shared, command: 'decrypt', inputs: decrypt, expect: { bytes: pt } },
  ]
}

/** Tags of 128 bits alone; the ciphertext has its tag behind it. */
function ccmCases(entry: AcvpEntry): VectorCase[] {
  const { group, test } = entry
  if (group.tagLen !== 128) return []
  const [iv, aad, ciphertext] = [bytesOf(test, 'iv'), bytesOf(test, 'aad'), bytesOf(test, 'ct')]
  const algorithm = `AES-${group.keyLen}-CCM` as AlgorithmName
  const shared = { ...aesKey(entry), algorithm } as const
  const decrypt = { ...shared, command: 'decrypt', inputs: { iv, ciphertext, aad } } as const
  if (test.testPassed === false) {
    return [{ ...decrypt, expect: { refused: ['CIPHERTEXT_INVALID'] } }]
  }
  const plaintext = bytesOf(test, 'pt')
  const inputs = { iv, plaintext, aad }
  return [
    { ...shared, command: 'encrypt', inputs, expect: { bytes: ciphertext } },
    { ...decrypt, expect: { bytes: plaintext } },
  ]
}

/** One data unit of whole bytes; a tweak that is a number is little-endian. */
function xtsCases(entry: AcvpEntry): VectorCase[] {
  const { group, test } = entry
  const { dataUnitLen, payloadLen } = test
  if (dataUnitLen !== payloadLen || Number(payloadLen) % 8 !== 0) return []
  const number = Buffer.alloc(16)
  number.writeBigUInt64LE(BigInt(Number(test.sequenceNumber ?? 0)))
  const iv = group.tweakMode === 'number' ? number : bytesOf(test, 'tweakValue')
  const [plaintext, ciphertext] = [bytesOf(test, 'pt'), bytesOf(test, 'ct')]
  const type = `AES-${group.keyLen}-XTS` as 'AES-128-XTS'
  const shared = { ...aesKey(entry), algorithm: type, keyType: type } as const
  const [encrypt, decrypt] = [
    { iv, plaintext, aad: none },
    { iv, ciphertext, aad: none },
  ]
  return [
    { ...shared, command: 'encrypt', inputs: encrypt, expect: { bytes: ciphertext } },
    { ...shared, command: 'decrypt', inputs: decrypt, expect: { bytes: plaintext } },
  ]
}

function gcmCases(entry: AcvpEntry): VectorCase[] {
  const { group, test } = entry
  if (group.tagLen !== 128) return []
  const [iv, aad, plaintext] = [bytesOf(test, 'iv'), bytesOf(test, 'aad'), bytesOf(test, 'pt')]
  const ciphertext = Buffer.concat([bytesOf(test, 'ct'), bytesOf(test, 'tag')])
  const algorithm = `AES-${group.keyLen}-GCM` as AlgorithmName
  const shared = { ...aesKey(entry), algorithm } as const
  const decrypt = { ...shared, command: 'decrypt', inputs: { iv, ciphertext, aad } } as const
  if (test.testPassed === false) {
    return [{ ...decrypt, expect: { refused: ['CIPHERTEXT_INVALID'] } }]
  }
  const inputs = { iv, plaintext, aad }
  return [
    { ...shared, command: 'encrypt', inputs, expect: { bytes: ciphertext } },
    { ...decrypt, expect: { bytes: plaintext } },
  ]
}

function keyWrapCases(mode: 'KW' | 'KWP'): Reader {
  return (entry) => {
    const { group, test } = entry
    if (group.kwCipher !== 'cipher') return []
    const algorithm = `AES-${group.keyLen}-${mode}` as AlgorithmName
    const shared = { ...aesKey(entry), algorithm } as const
    const [target, ciphertext] = [bytesOf(test, 'pt'), bytesOf(test, 'ct')]
    const unwrap = { ...shared, command: 'unwrapKey', inputs: { ciphertext } } as const
    if (test.testPassed === false) {
      return [{ ...unwrap, expect: { refused: ['CIPHERTEXT_INVALID'] } }]
    }
    return [
      { ...shared, command: 'wrapKey', inputs: { target }, expect: { bytes: ciphertext } },
      { ...unwrap, expect: { bytes: target } },
    ]
  }
}

function cmacCases(entry: AcvpEntry): VectorCase[] {
  const algorithm = `AES-${entry.group.keyLen}-CMAC` as AlgorithmName
  return macCases(entry, { ...aesKey(entry), algorithm }, 'message')
}

function hmacCases(hash: string): Reader {
  return (entry) => {
    const { id, test } = entry
    const algorithm = `HMAC-${hash}` as AlgorithmName
    const material = bytesOf(test, 'key')
    const shared = {
      id,
      algorithm,
      keyType: 'generic-secret',
      keyClass: 'secret',
      material,
    } as const
    const cases = macCases(entry, { ...shared, options: {} }, 'msg')
    return algorithm === 'HMAC-SHA-1' ? cases.filter(({ command }) => command !== 'mac') : cases
  }
}

type Started = Pick<
  VectorCase,
  'id' | 'algorithm' | 'keyType' | 'keyClass' | 'material' | 'options'
>

function macCases({ test }: AcvpEntry, key: Started, message: string): VectorCase[] {
  const [data, mac] = [bytesOf(test, message), bytesOf(test, 'mac')]
  const shared = { ...key, options: { lengthBytes: mac.length } }
  const verify = { ...shared, command: 'verifyMac', inputs: { data, mac } } as const
  if (key.keyType === 'generic-secret' && key.material.length < 14) {
    return [{ ...verify, expect: { refused: ['KEY_TOO_WEAK'] } }]
  }
  if (test.testPassed === false) return [{ ...verify, expect: { valid: false } }]
  return [
    { ...shared, command: 'mac', inputs: { data }, expect: { bytes: mac } },
    { ...verify, expect: { valid: true } },
  ]
}

const prfs: Readonly<Record<string, readonly [AlgorithmName, KeyTypeName]>> = {
  'CMAC-AES128': ['KDF-COUNTER-CMAC-AES', 'AES-128'],
  'CMAC-AES192': ['KDF-COUNTER-CMAC-AES', 'AES-192'],
  'CMAC-AES256': ['KDF-COUNTER-CMAC-AES', 'AES-256'],
  'HMAC-SHA2-256': ['KDF-COUNTER-HMAC-SHA-256', 'generic-secret'],
  'HMAC-SHA2-384': ['KDF-COUNTER-HMAC-SHA-384', 'generic-secret'],
  'HMAC-SHA2-512': ['KDF-COUNTER-HMAC-SHA-512', 'generic-secret'],
}

function kdfCases({ id, group, test }: AcvpEntry): VectorCase[] {
  const isOurs =
    group.kdfMode === 'counter' &&
    group.counterLength === 32 &&
    group.counterLocation === 'before fixed data'
  const prf = prfs[String(group.macMode)]
  if (!isOurs || !prf) return []
  const [algorithm, keyType] = prf
  const bytes = bytesOf(test, 'keyOut')
  const material = bytesOf(test, 'keyIn')
  return [
    {
      algorithm,
      id,
      keyType,
      keyClass: 'secret',
      material,
      options: { lengthBytes: bytes.length },
      command: 'derive',
      inputs: { info: bytesOf(test, 'fixedData') },
      expect: material.length < 14 ? { refused: ['KEY_TOO_WEAK'] } : { bytes },
    },
  ]
}
