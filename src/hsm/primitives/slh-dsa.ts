/**
 * SLH-DSA (FIPS 205), hedged: algorithm 22 over a message with a context of at most 255 bytes, for all
 * twelve parameter sets. Signatures have 7,856 to 49,856 bytes. The `s` sets take up to a second for one,
 * so everything is on the thread pool; there is no ready digest and no pre-hash variant.
 */

import { sign, verify } from 'node:crypto'
import { assertContextSignature, type Implementation, onThreadPool } from './implementation.ts'

export const slhDsa: Implementation = {
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
