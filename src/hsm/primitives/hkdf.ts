/**
 * HKDF (RFC 5869; SP 800-56C revision 2 section 5), extract and expand in one. Salt may be empty; info
 * has at most 1,024 bytes, which is what node:crypto takes; output at most 255 blocks of the hash.
 */

import { hkdfSync } from 'node:crypto'
import { HsmError } from '../contract/errors.ts'
import { Secret } from '../secret.ts'
import { assertNoIterations, type Implementation } from './implementation.ts'

const infoBytesMax = 1_024
const hashBytes = { sha256: 32, sha384: 48, sha512: 64 }

export function hkdf(hash: keyof typeof hashBytes): Implementation {
  const lengthMax = 255 * hashBytes[hash]
  return {
    derive: ({ keyObject }, options) => {
      assertNoIterations(options)
      const { salt, info, label, context, lengthBytes } = options
      if (label.length > 0 || context.length > 0) {
        throw new HsmError('ARGUMENT_INVALID', 'HKDF takes salt and info, no label or context')
      }
      if (info.length > infoBytesMax) {
        throw new HsmError('ARGUMENT_INVALID', `HKDF takes at most ${infoBytesMax} bytes of info`)
      }
      if (!Number.isSafeInteger(lengthBytes) || lengthBytes < 1 || lengthBytes > lengthMax) {
        throw new HsmError('ARGUMENT_INVALID', `HKDF makes 1 to ${lengthMax} bytes with ${hash}`)
      }
      return new Secret(new Uint8Array(hkdfSync(hash, keyObject, salt, info, lengthBytes)))
    },
  }
}
