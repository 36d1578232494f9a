/**
 * A key from a file, sealed to the module's transport key together with what it is to be, so that neither
 * the network nor the manager sees it or changes anything of it on its way in (src/hsm/contract/import.ts).
 */

import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto'
import { clientError } from '../client/errors.ts'
import { sealKeyToImport } from '../hsm/contract/import.ts'
import { type KeyShape, templateFor } from '../kms/keys/template.ts'
import type { SealingKey } from './transport-key.ts'

type ImportClass = 'secret' | 'private' | 'public'

interface ToImport {
  readonly shape: KeyShape
  readonly class: ImportClass
  /** Security level of the domain, on which it depends what is best for a key. */
  readonly level: number | undefined
}

/**
 * What the server takes: the sealed bytes, and what they are sealed with, nothing left out that a server
 * could fill in. Overwrites the bytes.
 * @throws ClientError FILE_INVALID; KmsError for a key that there cannot be
 */
export function sealedKeyFrom(bytes: Buffer, to: SealingKey, wanted: ToImport) {
  const { class: keyClass } = wanted
  const template = templateFor(wanted.shape, keyClass, wanted.level)
  const id = `key_${randomBytes(16).toString('hex')}`
  const encoded = encode(bytes, keyClass)
  try {
    const terms = { key: id, version: 1, class: keyClass, template }
    const sealed = sealKeyToImport(to.publicKey, to.challenge, terms, encoded)
    const { lengthBytes, ...rest } = template
    return { id, class: keyClass, sealed, ...rest, ...(lengthBytes === 0 ? {} : { lengthBytes }) }
  } finally {
    encoded.fill(0)
    bytes.fill(0)
  }
}

/** What the module expects: raw bytes, PKCS#8 or SPKI in DER. */
function encode(bytes: Buffer, keyClass: ImportClass): Buffer {
  if (keyClass === 'secret') return Buffer.from(bytes)
  const isPem = bytes.subarray(0, 11).toString('latin1') === '-----BEGIN '
  try {
    if (keyClass === 'private') {
      const source = isPem ? bytes : { key: bytes, format: 'der' as const, type: 'pkcs8' as const }
      return createPrivateKey(source).export({ type: 'pkcs8', format: 'der' })
    }
    const source = isPem ? bytes : { key: bytes, format: 'der' as const, type: 'spki' as const }
    return createPublicKey(source).export({ type: 'spki', format: 'der' })
  } catch (cause) {
    const form = keyClass === 'private' ? 'an unencrypted PKCS#8 private key' : 'an SPKI public key'
    throw clientError('FILE_INVALID', `the file does not hold ${form}`, { cause })
  }
}
