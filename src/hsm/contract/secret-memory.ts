/**
 * Memory for secrets. Of a typed array of up to 64 bytes V8 keeps the bytes in its own heap, moves them about, and
 * copies them out as soon as native code asks for them: overwriting the array then leaves a copy behind. The
 * bytes of an ArrayBuffer that was made as such are in one place all their life.
 */

/** Zeros; whoever asked for them overwrites what was put there. */
export function secretMemory(lengthBytes: number): Buffer {
  return Buffer.from(new ArrayBuffer(lengthBytes))
}

/** A copy in such memory. */
export function secretCopy(bytes: Uint8Array): Buffer {
  const copy = secretMemory(bytes.length)
  copy.set(bytes)
  return copy
}
