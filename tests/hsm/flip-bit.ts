/** Bytes with one bit changed, for tests that show that no such change goes unnoticed. */

import assert from 'node:assert/strict'

/** A copy with the bit at this position changed; positions beyond the end count from the start again. */
export function flipBit(bytes: Uint8Array, position: number): Buffer {
  assert(bytes.length > 0)
  const copy = Buffer.from(bytes)
  const bit = position % (bytes.length * 8)
  copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  return copy
}
