/**
 * RSASSA-PKCS1-v1_5 and RSASSA-PSS (RFC 8017 section 8, FIPS 186-5 section 5), over a message or over a
 * ready digest of the algorithm's hash. PSS uses MGF1 over the same hash and a salt as long as the
 * digest, for signing and for verifying alike. Signing runs on the thread pool, verifying is fast.
 */

import { constants, type KeyObject, sign, verify } from 'node:crypto'
import { HsmError } from '../contract/errors.ts'
import { signDigest, verifyDigest } from './digest-signature.ts'
import {
  assertPlainSignature,
  type Implementation,
  onThreadPool,
  synchronousBytesMax,
} from './implementation.ts'

const hashBytes = { sha256: 32, sha384: 48, sha512: 64 }

export type RsaHash = keyof typeof hashBytes

export function rsaPkcs1(hash: RsaHash): Implementation {
  return rsaSignature(hash, 'rsa-pkcs1', (key) => ({
    key,
    padding: constants.RSA_PKCS1_PADDING,
  }))
}

export function rsaPss(hash: RsaHash): Implementation {
  return rsaSignature(hash, 'rsa-pss', (key) => ({
    key,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  }))
}

interface Padded {
  readonly key: KeyObject
  readonly padding: number
  readonly saltLength?: number
}

function rsaSignature(
  hash: RsaHash,
  scheme: 'rsa-pkcs1' | 'rsa-pss',
  padded: (key: KeyObject) => Padded,
): Implementation {
  return {
    sign: (key, data, options) => {
      assertPlainSignature(options, { digest: true })
      if (options.input === 'digest') {
        assertDigestLength(hash, data)
        return signDigest(key, { scheme, hash }, data)
      }
      const input = padded(key.keyObject)
      return onThreadPool<Buffer>((callback) => sign(hash, data, input, callback))
    },
    verify: (key, data, signature, options) => {
      assertPlainSignature(options, { digest: true })
      if (options.input === 'digest') {
        assertDigestLength(hash, data)
        return verifyDigest(key, { scheme, hash }, { digest: data, signature })
      }
      const input = padded(key.publicKey)
      if (data.length <= synchronousBytesMax) return verify(hash, data, input, signature)
      return onThreadPool<boolean>((callback) => verify(hash, data, input, signature, callback))
    },
  }
}

function assertDigestLength(hash: RsaHash, digest: Uint8Array): void {
  if (digest.length === hashBytes[hash]) return
  throw new HsmError('ARGUMENT_INVALID', `a digest of ${hash} has ${hashBytes[hash]} bytes`)
}
