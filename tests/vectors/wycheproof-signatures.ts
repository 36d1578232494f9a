/**
 * Wycheproof's signature verifications on curves and lattices. Every eighth ECDSA case is also put as a
 * ready digest, which takes another path through the module.
 */

import { hash } from 'node:crypto'
import type { AlgorithmName } from '../../src/hsm/contract/algorithms.ts'
import type { VectorCase } from './case.ts'
import { curveType, hex, rawSpki } from './files.ts'
import type { Entry } from './wycheproof.ts'

/** What node:crypto calls the hash that Wycheproof calls so. */
export function nodeHash(name: string): string {
  return name.replace(/^SHA-/, 'sha').replace(/^SHA3-/, 'sha3-')
}

export function ecdsaCases({ id, group, test, isValid }: Entry): VectorCase[] {
  const keyType = curveType((group.publicKey as { curve: string }).curve)
  const sha = String(group.sha)
  if (!keyType) return []
  const message = hex(test.msg ?? '')
  const signature = hex(test.sig ?? '')
  const format = group.type === 'EcdsaP1363Verify' ? 'p1363' : 'der'
  const shared = {
    algorithm: `ECDSA-${sha}` as AlgorithmName,
    keyType,
    keyClass: 'public',
    material: hex(String(group.publicKeyDer)),
    command: 'verify',
    expect: { valid: isValid },
  } as const
  const inputs = { data: message, signature, context: new Uint8Array() }
  const onMessage: VectorCase = { ...shared, id, options: { input: 'message', format }, inputs }
  if (Number(test.tcId) % 8 !== 0) return [onMessage]
  const data = hash(nodeHash(sha), message, 'buffer')
  const onDigest: VectorCase = {
    ...shared,
    id: `${id} digest`,
    options: { input: 'digest', format },
    inputs: { ...inputs, data },
  }
  return [onMessage, onDigest]
}

export function eddsaCases(type: 'Ed25519' | 'Ed448'): (entry: Entry) => VectorCase[] {
  return ({ id, group, test, isValid }) => [
    {
      algorithm: type,
      id,
      keyType: type,
      keyClass: 'public',
      material: hex(String(group.publicKeyDer)),
      options: { input: 'message' },
      command: 'verify',
      inputs: { data: hex(test.msg ?? ''), signature: hex(test.sig ?? '') },
      expect: { valid: isValid },
    },
  ]
}

export function mlDsaCases({ id, group, test, flags, isValid }: Entry): VectorCase[] {
  const keyType = `ML-DSA-${/mldsa_(\d+)/.exec(id)?.[1]}` as 'ML-DSA-44' | 'ML-DSA-65' | 'ML-DSA-87'
  const isRefused = flags.some((flag) => /^(InvalidContext|IncorrectPublicKeyLength)$/.test(flag))
  return [
    {
      algorithm: keyType,
      id,
      keyType,
      keyClass: 'public',
      material: rawSpki(keyType, hex(String(group.publicKey))),
      options: { input: 'message' },
      command: 'verify',
      inputs: {
        data: hex(test.msg ?? ''),
        signature: hex(test.sig ?? ''),
        context: hex(test.ctx ?? ''),
      },
      expect: isRefused ? { refused: ['ARGUMENT_INVALID'] } : { valid: isValid },
    },
  ]
}
