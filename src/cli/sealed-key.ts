/**
 * A key from a file, sealed to the module's transport key (src/hsm/contract/transport.ts), so that
 * neither the network nor the manager sees it on its way in.
 */

import { createPrivateKey, createPublicKey } from 'node:crypto'
import { clientError } from '../client/errors.ts'
import { sealToTransportKey } from '../hsm/contract/transport.ts'

type ImportClass = 'secret' | 'private' | 'public'

/** Overwrites the bytes. @throws ClientError FILE_INVALID */
export function sealedKeyFrom(
  bytes: Buffer,
  keyClass: ImportClass,
  transportKey: Uint8Array,
): Buffer {
  const encoded = encode(bytes, keyClass)
  try {
    return sealToTransportKey(transportKey, 'import key', encoded)
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
