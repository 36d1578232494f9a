/**
 * The published answers of XAES-256-GCM: the two spelled-out cases of the specification (see
 * c2sp/SOURCE.md). The accumulated ones are a test of their own, `src/hsm/primitives/xaes-256-gcm.test.ts`.
 */

import type { VectorCase } from './case.ts'
import { hex, readText } from './files.ts'

interface Published {
  readonly id: string
  readonly key: string
  readonly nonce: string
  readonly plaintext: string
  readonly aad: string
  readonly ciphertext: string
}

export function* c2spCases(): Generator<VectorCase> {
  const file = JSON.parse(readText('c2sp/xaes-256-gcm.json')) as readonly Published[]
  for (const published of file) {
    const [iv, aad] = [hex(published.nonce), hex(published.aad)]
    const [plaintext, ciphertext] = [hex(published.plaintext), hex(published.ciphertext)]
    const shared = {
      algorithm: 'XAES-256-GCM',
      id: `c2sp ${published.id}`,
      keyType: 'AES-256',
      keyClass: 'secret',
      material: hex(published.key),
      options: {},
    } as const
    const altered = Buffer.from(ciphertext)
    altered[0] = (altered[0] ?? 0) ^ 1
    const decrypt = { ...shared, command: 'decrypt' } as const
    const encrypted = { iv, plaintext, aad }
    yield { ...shared, command: 'encrypt', inputs: encrypted, expect: { bytes: ciphertext } }
    yield { ...decrypt, inputs: { iv, ciphertext, aad }, expect: { bytes: plaintext } }
    yield {
      ...decrypt,
      id: `${shared.id} altered`,
      inputs: { iv, ciphertext: altered, aad },
      expect: { refused: ['CIPHERTEXT_INVALID'] },
    }
  }
}
