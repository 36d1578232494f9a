/**
 * Random bytes of the module: keys, seeds, nonces, salts. Every caller comes here, so that what feeds
 * it can change in one place. Today it is the generator of node:crypto, OpenSSL's SP 800-90A
 * CTR_DRBG seeded by the operating system. What OpenSSL generates by itself (primes of RSA, EC
 * scalars, nonces of ECDSA) comes from the same generator, but not through this file.
 */

import assert from 'node:assert/strict'
import { randomFillSync } from 'node:crypto'

/** Fresh memory outside the shared pool, so that filling it with zero leaves no copy behind. */
export function randomBytes(length: number): Buffer {
  assert(Number.isSafeInteger(length) && length >= 0)
  return randomFillSync(Buffer.allocUnsafeSlow(length))
}

const nonceBlockBytes = 4_096
let nonceBlock: Buffer = Buffer.alloc(0)
let noncesUsed = 0

/**
 * Random bytes that are going to be public: IVs and nonces. They are cut from a larger block, because
 * asking the generator each time would cost as much as encrypting a short message does.
 */
export function randomNonce(length: number): Buffer {
  assert(length > 0 && length <= nonceBlockBytes)
  if (noncesUsed + length > nonceBlock.length) {
    nonceBlock = randomBytes(nonceBlockBytes)
    noncesUsed = 0
  }
  noncesUsed += length
  return nonceBlock.subarray(noncesUsed - length, noncesUsed)
}
