/**
 * Ed25519 (RFC 8032 section 5.1, FIPS 186-5 section 7): the pure variant, over the message itself.
 * There is no context and no ready digest; a signature has 64 bytes and is deterministic.
 */

import { sign, verify } from 'node:crypto'
import {
  assertPlainSignature,
  type Implementation,
  onThreadPool,
  synchronousBytesMax,
} from './implementation.ts'

export const ed25519: Implementation = {
  sign: ({ keyObject }, message, options) => {
    assertPlainSignature(options)
    if (message.length <= synchronousBytesMax) return sign(null, message, keyObject)
    return onThreadPool((callback) => sign(null, message, keyObject, callback))
  },
  verify: ({ publicKey }, message, signature, options) => {
    assertPlainSignature(options)
    if (message.length <= synchronousBytesMax) return verify(null, message, publicKey, signature)
    return onThreadPool((callback) => verify(null, message, publicKey, signature, callback))
  },
}
