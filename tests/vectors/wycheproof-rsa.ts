/** Wycheproof's RSA sets: OAEP decryption, PKCS#1 v1.5 signing (deterministic), and verification. */

import { hash } from 'node:crypto'
import type { AlgorithmName } from '../../src/hsm/contract/algorithms.ts'
import type { VectorCase } from './case.ts'
import { canonicalPkcs8, hex, rsaSpki, rsaType } from './files.ts'
import type { Entry } from './wycheproof.ts'
import { nodeHash } from './wycheproof-signatures.ts'

export function rsaOaepCases({ id, group, test, isValid }: Entry): VectorCase[] {
  const keyType = rsaType(Number(group.keySize))
  if (!keyType || group.sha !== group.mgfSha) return []
  return [
    {
      algorithm: `RSAES-OAEP-${group.sha}` as AlgorithmName,
      id,
      keyType,
      keyClass: 'private',
      material: canonicalPkcs8(hex(String(group.privateKeyPkcs8))),
      options: {},
      command: 'decrypt',
      inputs: {
        ciphertext: hex(test.ct ?? ''),
        iv: new Uint8Array(),
        aad: hex(test.label ?? ''),
      },
      expect: isValid ? { bytes: hex(test.msg ?? '') } : { refused: ['CIPHERTEXT_INVALID'] },
    },
  ]
}

const hashes = ['SHA-256', 'SHA-384', 'SHA-512']

/** Keys with e = 3 must be refused; SHA-1 and SHA-224 are not offered. */
export function rsaSignatureCases({ id, group, test, isValid }: Entry): VectorCase[] {
  const keyType = rsaType(Number(group.keySize))
  const sha = String(group.sha)
  if (!keyType || !hashes.includes(sha)) return []
  const scheme = group.type === 'RsassaPssVerify' ? 'PSS' : 'PKCS1-v1_5'
  const algorithm = `RSASSA-${scheme}-${sha}` as AlgorithmName
  const key = (group.publicKey ?? group.privateKey) as Record<'modulus' | 'publicExponent', string>
  const isSmall = BigInt(`0x${key.publicExponent}`) < 65537n
  const [message, signature] = [hex(test.msg ?? ''), hex(test.sig ?? '')]
  const publicKey = {
    algorithm,
    id,
    keyType,
    keyClass: 'public',
    material: rsaSpki(key.modulus, key.publicExponent),
  } as const
  const verify = { ...publicKey, command: 'verify', inputs: { data: message, signature } } as const
  const options = { input: 'message' } as const
  if (isSmall) return [{ ...verify, options, expect: { refused: ['ARGUMENT_INVALID'] } }]
  if (group.type === 'RsassaPkcs1Generate') {
    const material = canonicalPkcs8(hex(String(group.privateKeyPkcs8)))
    const sign = { algorithm, keyType, keyClass: 'private', material, command: 'sign' } as const
    const expect = { bytes: signature }
    const data = hash(nodeHash(sha), message, 'buffer')
    return [
      { ...sign, id, options, inputs: { data: message }, expect },
      { ...sign, id: `${id} digest`, options: { input: 'digest' }, inputs: { data }, expect },
    ]
  }
  const onMessage: VectorCase = { ...verify, options, expect: { valid: isValid } }
  if (Number(test.tcId) % 8 !== 0) return [onMessage]
  const data = hash(nodeHash(sha), message, 'buffer')
  const onDigest: VectorCase = {
    ...onMessage,
    id: `${id} digest`,
    options: { input: 'digest' },
    inputs: { data, signature },
  }
  return [onMessage, onDigest]
}
