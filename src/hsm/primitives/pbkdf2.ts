/**
 * PBKDF2 with HMAC (SP 800-132, RFC 8018 section 5.2): a key from a generic secret that a person may have
 * chosen. Of salt and iterations SP 800-132 asks 128 bits and 1,000 (sections 5.1, 5.2), of the key 112
 * bits; against guessing, 600,000 iterations are usual with SHA-256 and 210,000 with SHA-512. The work is
 * bounded, and on the thread pool: ten million rounds of HMAC take seconds.
 *
 * A secret of at least 14 bytes is not yet one with 112 bits of entropy: what is derived is as strong as
 * the passphrase, and is for protecting stored data alone (SP 800-132 section 4).
 */

import { pbkdf2 } from 'node:crypto'
import { HsmError } from '../contract/errors.ts'
import { Secret } from '../secret.ts'
import { type DeriveOptions, type Implementation, onThreadPool } from './implementation.ts'

const saltBytesMin = 16
const iterationsMin = 1_000
/** Iterations times blocks of output. */
const roundsMax = 10_000_000
const lengthRange = { min: 14, max: 512 }
const hashBytes = { sha256: 32, sha384: 48, sha512: 64 }

export function pbkdf2Hmac(hash: keyof typeof hashBytes): Implementation {
  return {
    derive: async ({ keyObject }, options) => {
      assertOptions(options, hashBytes[hash])
      const { salt, iterations = 0, lengthBytes } = options
      const passphrase = keyObject.export()
      const derived = onThreadPool<Buffer>((callback) =>
        pbkdf2(passphrase, salt, iterations, lengthBytes, hash, callback),
      )
      // The call has a copy of its own, which OpenSSL cleanses.
      passphrase.fill(0)
      return new Secret(await derived)
    },
  }
}

function assertOptions(options: DeriveOptions, blockBytes: number): void {
  const { salt, info, label, context, lengthBytes, iterations = 0 } = options
  if (info.length > 0 || label.length > 0 || context.length > 0) {
    throw new HsmError('ARGUMENT_INVALID', 'PBKDF2 takes salt and iterations alone')
  }
  if (salt.length < saltBytesMin) {
    throw new HsmError('ARGUMENT_INVALID', `PBKDF2 takes at least ${saltBytesMin} bytes of salt`)
  }
  if (
    !Number.isSafeInteger(lengthBytes) ||
    lengthBytes < lengthRange.min ||
    lengthBytes > lengthRange.max
  ) {
    const { min, max } = lengthRange
    throw new HsmError('ARGUMENT_INVALID', `PBKDF2 makes ${min} to ${max} bytes`)
  }
  const rounds = iterations * Math.ceil(lengthBytes / blockBytes)
  if (!Number.isSafeInteger(iterations) || iterations < iterationsMin || rounds > roundsMax) {
    const range = `${iterationsMin} iterations, and at most ${roundsMax} over all blocks`
    throw new HsmError('ARGUMENT_INVALID', `PBKDF2 takes at least ${range}`)
  }
}
