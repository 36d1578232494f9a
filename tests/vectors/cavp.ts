/**
 * NIST's CAVS file for SP 800-108 in counter mode (see cavp/SOURCE.md): the sections with a counter of
 * 32 bits before the fixed input, whose bytes are given ready.
 */

import type { AlgorithmName, KeyTypeName } from '../../src/hsm/contract/algorithms.ts'
import type { VectorCase } from './case.ts'
import { hex, readText } from './files.ts'

const prfs: Readonly<Record<string, readonly [AlgorithmName, KeyTypeName]>> = {
  CMAC_AES128: ['KDF-COUNTER-CMAC-AES', 'AES-128'],
  CMAC_AES192: ['KDF-COUNTER-CMAC-AES', 'AES-192'],
  CMAC_AES256: ['KDF-COUNTER-CMAC-AES', 'AES-256'],
  HMAC_SHA256: ['KDF-COUNTER-HMAC-SHA-256', 'generic-secret'],
  HMAC_SHA384: ['KDF-COUNTER-HMAC-SHA-384', 'generic-secret'],
  HMAC_SHA512: ['KDF-COUNTER-HMAC-SHA-512', 'generic-secret'],
}

export function* cavpCases(): Generator<VectorCase> {
  const members = new Map<string, string>()
  let number = 0
  for (const line of readText('cavp/nist-800-108-KBKDF-CTR.txt').split('\n')) {
    const [, name, value] = /^\[?\s*(\w+)\s*=\s*([^\]]*?)\]?\s*$/.exec(line) ?? []
    if (name === undefined || value === undefined) continue
    members.set(name, value)
    if (name !== 'KO') continue
    number += 1
    const prf = prfs[members.get('PRF') ?? '']
    const isOurs =
      members.get('CTRLOCATION') === 'BEFORE_FIXED' && members.get('RLEN') === '32_BITS'
    if (!isOurs || !prf) continue
    yield {
      algorithm: prf[0],
      id: `cavp nist-800-108-KBKDF-CTR ${number}`,
      keyType: prf[1],
      keyClass: 'secret',
      material: hex(members.get('KI') ?? ''),
      options: { lengthBytes: Number(members.get('L')) / 8 },
      command: 'derive',
      inputs: { info: hex(members.get('FixedInputData') ?? '') },
      expect: { bytes: hex(value) },
    }
  }
}
