/**
 * Ed448 (RFC 8032 section 5.2, FIPS 186-5 section 7): the pure variant, over the message itself, with a
 * context of at most 255 bytes. There is no ready digest; a signature has 114 bytes and is deterministic.
 * Verifying takes longer than the calling thread may be held up, so both are on the thread pool.
 */

import { sign, verify } from 'node:crypto'
import { assertContextSignature, type Implementation, onThreadPool } from './implementation.ts'

export const ed448: Implementation = {
  sign: ({ keyObject: key }, message, options) => {
    assertContextSignature(options)
    const input = { key, context: options.context }
    return onThreadPool<Buffer>((callback) => sign(null, message, input, callback))
  },
  verify: ({ publicKey: key }, message, signature, options) => {
    assertContextSignature(options)
    const input = { key, context: options.context }
    return onThreadPool<boolean>((callback) => verify(null, message, input, signature, callback))
  },
}
