/** ACVP's signatures, ML-KEM and X25519. */

import {
  type AlgorithmName,
  type AlgorithmRow,
  algorithms,
  type KeyTypeName,
} from '../../src/hsm/contract/algorithms.ts'
import { type AcvpEntry, bytesOf } from './acvp-entry.ts'
import type { Expectation, VectorCase } from './case.ts'
import {
  curveType,
  ecPoint,
  ecSpki,
  expandedPkcs8,
  fieldElement,
  rawSpki,
  rsaSpki,
  rsaType,
  seedPkcs8,
} from './files.ts'

export const acvpAsymmetric: Readonly<Record<string, (entry: AcvpEntry) => readonly VectorCase[]>> =
  {
    'ECDSA-SigVer-FIPS186-5': ecdsaCases,
    'ECDSA-SigGen-FIPS186-5': ecdsaCases,
    'EDDSA-SigGen-1.0': eddsaSignCases,
    'EDDSA-SigVer-1.0': eddsaVerifyCases,
    'RSA-SigGen-FIPS186-5': rsaCases,
    'RSA-SigVer-FIPS186-5': rsaCases,
    'XECDH-SSC-RFC7748': xdhCases,
    'SLH-DSA-keyGen-FIPS205': slhDsaKeyCases,
    'SLH-DSA-sigGen-FIPS205': slhDsaSignatureCases,
    'ML-DSA-sigGen-FIPS204-tr1': mlDsaCases,
    'ML-DSA-sigVer-FIPS204': mlDsaCases,
    'ML-KEM-encapDecap-FIPS203-tr1': mlKemCases,
  }

const hashes: Readonly<Record<string, string>> = {
  'SHA2-224': 'SHA-224',
  'SHA2-256': 'SHA-256',
  'SHA2-384': 'SHA-384',
  'SHA2-512': 'SHA-512',
  'SHA3-256': 'SHA3-256',
  'SHA3-384': 'SHA3-384',
  'SHA3-512': 'SHA3-512',
}

/** Of generated signatures too: the nonce is random, so they are verified, not repeated. */
function ecdsaCases({ id, group, test }: AcvpEntry): VectorCase[] {
  const keyType = curveType(String(group.curve))
  const hash = hashes[String(group.hashAlg)]
  if (!keyType || !hash) return []
  const algorithm = `ECDSA-${hash}` as AlgorithmName
  const { keyTypes }: AlgorithmRow = algorithms[algorithm]
  if (!keyTypes.includes(keyType)) return []
  const [x, y] = [String(group.qx ?? test.qx), String(group.qy ?? test.qy)]
  const signature = Buffer.concat([
    fieldElement(keyType, String(test.r)),
    fieldElement(keyType, String(test.s)),
  ])
  return [
    {
      algorithm,
      id,
      keyType,
      keyClass: 'public',
      material: ecSpki(keyType, ecPoint(keyType, x, y)),
      options: { input: 'message', format: 'p1363' },
      command: 'verify',
      inputs: { data: bytesOf(test, 'message'), signature },
      expect: { valid: test.testPassed !== false },
    },
  ]
}

/** Without a pre-hash; Ed25519 has no context then, Ed448 has one. */
function eddsaType({ group }: AcvpEntry): 'Ed25519' | 'Ed448' | undefined {
  if (group.preHash !== false) return undefined
  return group.curve === 'ED-25519' ? 'Ed25519' : 'Ed448'
}

function eddsaSignCases(entry: AcvpEntry): VectorCase[] {
  const { id, group, test } = entry
  const type = eddsaType(entry)
  if (!type) return []
  return [
    {
      algorithm: type,
      id,
      keyType: type,
      keyClass: 'private',
      material: seedPkcs8(type, bytesOf(group, 'd')),
      options: { input: 'message' },
      command: 'sign',
      inputs: { data: bytesOf(test, 'message'), context: bytesOf(test, 'context') },
      expect: { bytes: bytesOf(test, 'signature') },
    },
  ]
}

function eddsaVerifyCases(entry: AcvpEntry): VectorCase[] {
  const { id, test } = entry
  const type = eddsaType(entry)
  if (!type) return []
  const inputs = { data: bytesOf(test, 'message'), context: bytesOf(test, 'context') }
  return [
    {
      algorithm: type,
      id,
      keyType: type,
      keyClass: 'public',
      material: rawSpki(type, bytesOf(test, 'q')),
      options: { input: 'message' },
      command: 'verify',
      inputs: { ...inputs, signature: bytesOf(test, 'signature') },
      expect: { valid: test.testPassed === true },
    },
  ]
}

/** The small sets take long to compute a root again: one case each, the long form has all. */
function slhDsaKeyCases({ id, group, test }: AcvpEntry): VectorCase[] {
  const type = String(group.parameterSet) as 'SLH-DSA-SHA2-128s'
  const isLong = process.env.KEYHOLD_LONG !== undefined
  const isFirst = (group.tests as readonly { tcId: unknown }[])[0]?.tcId === test.tcId
  if (!isFirst && !isLong) return []
  const sk = bytesOf(test, 'sk')
  const shared = {
    algorithm: type,
    id,
    keyType: type,
    keyClass: 'private',
    options: {},
    command: 'publicKey',
    inputs: {},
  } as const
  const expect = { bytes: rawSpki(type, bytesOf(test, 'pk')) }
  const right: VectorCase = { ...shared, material: seedPkcs8(type, sk), expect }
  if (type.endsWith('s') && !isLong) return [right]
  const altered = Buffer.from(sk)
  altered.writeUInt8(altered.readUInt8(sk.length - 1) ^ 1, sk.length - 1)
  const refused: Expectation = { refused: ['ARGUMENT_INVALID'] }
  return [right, { ...shared, material: seedPkcs8(type, altered), expect: refused }]
}

/** Signatures are hedged here: published ones are verified, and one of a changed message is not. */
function slhDsaSignatureCases({ id, group, test }: AcvpEntry): VectorCase[] {
  if (group.preHash !== 'pure') return []
  const type = String(group.parameterSet) as 'SLH-DSA-SHA2-128s'
  const data = bytesOf(test, 'message')
  const inputs = { context: bytesOf(test, 'context'), signature: bytesOf(test, 'signature') }
  const shared = {
    algorithm: type,
    id,
    keyType: type,
    keyClass: 'public',
    material: rawSpki(type, bytesOf(test, 'pk')),
    options: {},
    command: 'verify',
  } as const
  return [
    { ...shared, inputs: { ...inputs, data }, expect: { valid: true } },
    { ...shared, inputs: { ...inputs, data: data.subarray(1) }, expect: { valid: false } },
  ]
}

/** PKCS#1 v1.5 alone: the PSS groups have salts or hashes that the module does not make. */
function rsaCases({ id, group, test }: AcvpEntry): VectorCase[] {
  const keyType = rsaType(Number(group.modulo))
  const hash = hashes[String(group.hashAlg)]
  if (!keyType || !hash?.startsWith('SHA-') || group.sigType !== 'pkcs1v1.5') return []
  return [
    {
      algorithm: `RSASSA-PKCS1-v1_5-${hash}` as AlgorithmName,
      id,
      keyType,
      keyClass: 'public',
      material: rsaSpki(String(group.n), String(group.e)),
      options: { input: 'message' },
      command: 'verify',
      inputs: { data: bytesOf(test, 'message'), signature: bytesOf(test, 'signature') },
      expect: { valid: test.testPassed !== false },
    },
  ]
}

function xdhCases({ id, group, test }: AcvpEntry): VectorCase[] {
  const type = group.curve === 'Curve25519' ? 'X25519' : 'X448'
  return [
    {
      algorithm: type,
      id,
      keyType: type,
      keyClass: 'private',
      material: seedPkcs8(type, bytesOf(test, 'privateIut')),
      options: {},
      command: 'agree',
      inputs: { peer: rawSpki(type, bytesOf(test, 'publicServer')) },
      expect: { bytes: bytesOf(test, 'z') },
    },
  ]
}

/** Generated signatures are verified under the private key that they came from, seed or expanded. */
function mlDsaCases({ id, group, test }: AcvpEntry): VectorCase[] {
  const keyType = String(group.parameterSet) as 'ML-DSA-44' | 'ML-DSA-65' | 'ML-DSA-87'
  const isPure = group.signatureInterface === 'external' && group.preHash === 'pure'
  const isMu = group.signatureInterface === 'internal' && group.externalMu === true
  if (!isPure && !isMu) return []
  const isPublic = test.pk !== undefined
  return [
    {
      algorithm: keyType,
      id,
      keyType,
      keyClass: isPublic ? 'public' : 'private',
      material: isPublic
        ? rawSpki(keyType, bytesOf(test, 'pk'))
        : privateLattice(keyType, test, 'seed', 'sk'),
      options: { input: isMu ? 'mu' : 'message' },
      command: 'verify',
      inputs: {
        data: bytesOf(test, isMu ? 'mu' : 'message'),
        signature: bytesOf(test, 'signature'),
        context: bytesOf(test, 'context'),
      },
      expect: { valid: test.testPassed !== false },
    },
  ]
}

function privateLattice(
  keyType: KeyTypeName,
  test: AcvpEntry['test'],
  seed: string,
  expanded: string,
): Buffer {
  return test[seed] === undefined
    ? expandedPkcs8(keyType, bytesOf(test, expanded))
    : seedPkcs8(keyType, bytesOf(test, seed))
}

/** Decapsulation by seed and by expanded key; encapsulation, which is random here, by its inverse. */
function mlKemCases({ id, group, test }: AcvpEntry): VectorCase[] {
  const keyType = String(group.parameterSet) as 'ML-KEM-512' | 'ML-KEM-768' | 'ML-KEM-1024'
  const isKeyCheck = String(group.function).endsWith('KeyCheck')
  const refused: Expectation = { refused: ['ARGUMENT_INVALID'] }
  const shared = { algorithm: keyType, id, keyType, options: {}, command: 'decapsulate' } as const
  if (isKeyCheck) {
    if (test.testPassed !== false) return []
    const isPublic = group.function === 'encapsulationKeyCheck'
    const material = isPublic
      ? rawSpki(keyType, bytesOf(test, 'ek'))
      : expandedPkcs8(keyType, bytesOf(test, 'dk'))
    const keyClass = isPublic ? 'public' : 'private'
    return [
      { ...shared, keyClass, material, inputs: { ciphertext: Buffer.alloc(0) }, expect: refused },
    ]
  }
  const seed = Buffer.concat([bytesOf(test, 'd'), bytesOf(test, 'z')])
  const material =
    group.keyFormat === 'seed'
      ? seedPkcs8(keyType, seed)
      : expandedPkcs8(keyType, bytesOf(test, 'dk'))
  return [
    {
      ...shared,
      keyClass: 'private',
      material,
      inputs: { ciphertext: bytesOf(test, 'c') },
      expect: { bytes: bytesOf(test, 'k') },
    },
  ]
}
