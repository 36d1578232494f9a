/** Public keys in the three forms that people ask for: SPKI (RFC 5280, DER), PEM, and JWK (RFC 7517). */

import { createPublicKey } from 'node:crypto'
import { z } from 'zod'
import type { KeyTypeName } from '../../hsm/contract/algorithms.ts'
import { KmsError } from '../../kms/errors.ts'
import { bytes, keyId, keyTypeName, version } from './schemas.ts'

export const publicKeyFormats = ['spki', 'pem', 'jwk'] as const

export const publicKeyAnswerSchema = z.strictObject({
  key: keyId,
  version,
  type: keyTypeName,
  spki: bytes(16 * 1024).optional(),
  pem: z.string().optional(),
  jwk: z.record(z.string(), z.string()).optional(),
})

interface Found {
  readonly key: string
  readonly version: number
  readonly type: KeyTypeName
  /** DER. */
  readonly spki: Uint8Array
}

/** @throws KmsError ARGUMENT_INVALID when there is no JWK for the type of key */
export function publicKeyAnswer(
  { key, version: number, type, spki }: Found,
  format: (typeof publicKeyFormats)[number],
): z.output<typeof publicKeyAnswerSchema> {
  const found = { key, version: number, type }
  if (format === 'spki') return { ...found, spki }
  const publicKey = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
  if (format === 'pem') {
    return { ...found, pem: String(publicKey.export({ format: 'pem', type: 'spki' })) }
  }
  try {
    const jwk = Object.entries(publicKey.export({ format: 'jwk' }))
    return { ...found, jwk: Object.fromEntries(jwk.map(([member, value]) => [member, `${value}`])) }
  } catch (cause) {
    throw new KmsError('ARGUMENT_INVALID', `there is no JWK for ${type}`, { cause })
  }
}
