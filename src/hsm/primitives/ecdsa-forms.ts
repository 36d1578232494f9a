/**
 * The two forms of an ECDSA signature: ECDSA-Sig-Value (RFC 3279 section 2.2.3), the DER sequence of the
 * integers r and s, and IEEE P1363, r || s at fixed length. Signatures are public, so plain code does.
 */

import assert from 'node:assert/strict'

/** From DER that OpenSSL made. @param integerBytes length of r and of s */
export function p1363FromDer(der: Uint8Array, integerBytes: number): Buffer {
  const result = Buffer.alloc(2 * integerBytes)
  // The sequence of a P-521 signature is longer than 127 bytes, and so its length has two octets.
  let offset = der[1] === 0x81 ? 3 : 2
  for (const end of [integerBytes, 2 * integerBytes]) {
    assert(der[offset] === 2)
    const length = der[offset + 1] ?? 0
    const first = offset + 2 + (der[offset + 2] === 0 ? 1 : 0)
    offset += 2 + length
    assert(offset - first <= integerBytes)
    result.set(der.subarray(first, offset), end - (offset - first))
  }
  assert(offset === der.length)
  return result
}

/** Of any two numbers of one length, whether they can be a signature or not. */
export function derFromP1363(signature: Uint8Array): Buffer {
  const half = signature.length / 2
  const integers = [derInteger(signature.subarray(0, half)), derInteger(signature.subarray(half))]
  const body = Buffer.concat(integers)
  const header = body.length < 0x80 ? [0x30, body.length] : [0x30, 0x81, body.length]
  return Buffer.concat([Buffer.from(header), body])
}

function derInteger(number: Uint8Array): Buffer {
  let start = 0
  while (start < number.length - 1 && number[start] === 0) start += 1
  const digits = number.subarray(start)
  const sign = (digits[0] ?? 0) >= 0x80 ? [0] : []
  return Buffer.from([2, sign.length + digits.length, ...sign, ...digits])
}
