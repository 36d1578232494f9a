/** The published answers of HPKE in base mode (see hpke/SOURCE.md), the first message of each. */

import type { AlgorithmName, KeyTypeName } from '../../src/hsm/contract/algorithms.ts'
import type { HpkeAead, HpkeKem } from '../../src/hsm/primitives/hpke.ts'
import type { VectorCase } from './case.ts'
import { ecPrivate, hex, readText, seedPkcs8 } from './files.ts'

interface Published {
  readonly id: string
  /** Numbers of RFC 9180 section 7. */
  readonly kem: number
  readonly aead: number
  readonly info: string
  readonly aad: string
  readonly skEm: string
  readonly skRm: string
  readonly pkRm: string
  readonly enc: string
  readonly pt: string
  readonly ct: string
}

export interface HpkeVector extends Published {
  readonly kemName: HpkeKem
  readonly aeadName: HpkeAead
  readonly algorithm: AlgorithmName
}

const suites: Readonly<Record<string, readonly [HpkeKem, HpkeAead, AlgorithmName]>> = {
  '16 1': ['P-256', 'aes-128-gcm', 'HPKE-P-256-HKDF-SHA-256-AES-128-GCM'],
  '18 2': ['P-521', 'aes-256-gcm', 'HPKE-P-521-HKDF-SHA-512-AES-256-GCM'],
  '32 1': ['X25519', 'aes-128-gcm', 'HPKE-X25519-HKDF-SHA-256-AES-128-GCM'],
  '32 3': ['X25519', 'chacha20-poly1305', 'HPKE-X25519-HKDF-SHA-256-ChaCha20-Poly1305'],
  '33 2': ['X448', 'aes-256-gcm', 'HPKE-X448-HKDF-SHA-512-AES-256-GCM'],
}

export function hpkeVectors(): HpkeVector[] {
  const file = JSON.parse(readText('hpke/base-mode.json')) as readonly Published[]
  return file.map((published) => {
    const suite = suites[`${published.kem} ${published.aead}`]
    if (!suite) throw new Error('a suite that no row has')
    const [kemName, aeadName, algorithm] = suite
    return { ...published, kemName, aeadName, algorithm }
  })
}

/** PKCS#8. */
export function hpkePrivate(type: KeyTypeName, key: string): Buffer {
  return type.startsWith('P-') ? ecPrivate(type, key) : seedPkcs8(type, hex(key))
}

export function* hpkeCases(): Generator<VectorCase> {
  for (const vector of hpkeVectors()) {
    const { kemName, algorithm, id, skRm, enc, ct } = vector
    const [info, aad] = [hex(vector.info), hex(vector.aad)]
    const ciphertext = hex(enc + ct)
    const opening = {
      ...({ algorithm, id, keyType: kemName, keyClass: 'private', options: {} } as const),
      ...({ material: hpkePrivate(kemName, skRm), command: 'unwrapKey' } as const),
    }
    yield { ...opening, inputs: { ciphertext, info, aad }, expect: { bytes: hex(vector.pt) } }
    const refused = { refused: ['CIPHERTEXT_INVALID'] } as const
    const other = Buffer.concat([info, hex('00')])
    yield { ...opening, inputs: { ciphertext, info: other, aad }, expect: refused }
    yield { ...opening, inputs: { ciphertext, info, aad: other }, expect: refused }
  }
}
