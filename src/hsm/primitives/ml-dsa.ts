/**
 * ML-DSA (FIPS 204), hedged: algorithm 2 over a message with a context of at most 255 bytes, or
 * algorithm 7 over mu, the 64 bytes that the caller hashed from public key, context and message
 * (section 6.2), for messages too large to send. The context of a mu is already inside it.
 */

import { sign, verify } from 'node:crypto'
import { HsmError } from '../contract/errors.ts'
import { signDigest, verifyDigest } from './digest-signature.ts'
import { type Implementation, onThreadPool, type SignatureOptions } from './implementation.ts'

const contextBytesMax = 255
const muBytes = 64

export const mlDsa: Implementation = {
  sign: (key, data, options) => {
    assertOptions(options, data)
    if (options.input === 'mu') return signDigest(key, { scheme: 'ml-dsa-mu' }, data)
    const input = { key: key.keyObject, context: options.context }
    return onThreadPool<Buffer>((callback) => sign(null, data, input, callback))
  },
  verify: (key, data, signature, options) => {
    assertOptions(options, data)
    if (options.input === 'mu') {
      return verifyDigest(key, { scheme: 'ml-dsa-mu' }, { digest: data, signature })
    }
    const input = { key: key.publicKey, context: options.context }
    return onThreadPool<boolean>((callback) => verify(null, data, input, signature, callback))
  },
}

function assertOptions({ input, format, context }: SignatureOptions, data: Uint8Array): void {
  if (format !== 'der') {
    throw new HsmError('ARGUMENT_INVALID', 'only ECDSA has the IEEE P1363 form')
  }
  if (input === 'digest') {
    throw new HsmError('ARGUMENT_INVALID', 'ML-DSA signs a message or its mu, not a digest')
  }
  if (context.length > (input === 'mu' ? 0 : contextBytesMax)) {
    const rule = input === 'mu' ? 'belongs inside mu' : `has at most ${contextBytesMax} bytes`
    throw new HsmError('ARGUMENT_INVALID', `the context ${rule}`)
  }
  if (input === 'mu' && data.length !== muBytes) {
    throw new HsmError('ARGUMENT_INVALID', `the mu of ML-DSA has ${muBytes} bytes`)
  }
}
