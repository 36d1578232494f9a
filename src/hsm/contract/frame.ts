/**
 * The frame: the only form in which anything crosses the door (docs/formats/door.md). Lengths are
 * big-endian: u32 length of what follows, u32 length of the header, the header (JSON exactly as
 * JSON.stringify prints it, so that duplicate members, odd numbers and white space have no second
 * reading), then the parts, whose lengths the header tells. FrameReader cuts a byte stream into
 * frames, bounds every length before it allocates, and never fails for good: what it cannot read it
 * reports and skips.
 */

import assert from 'node:assert/strict'
import { isUtf8 } from 'node:buffer'
import { HsmError } from './errors.ts'
import { frameBytesMax, headerBytesMax } from './limits.ts'

export type Json = Readonly<Record<string, unknown>>

export interface Frame {
  readonly header: Json
  /** Everything behind the header; cutParts cuts it. */
  readonly body: Uint8Array
}

/** One contiguous buffer for one frame. @throws HsmError FRAME_INVALID when it would be too large */
export function encodeFrame(header: object, parts: readonly Uint8Array[]): Buffer {
  const text = JSON.stringify(header)
  const headerBytes = Buffer.byteLength(text)
  let bodyBytes = 0
  for (const part of parts) bodyBytes += part.length
  const total = 4 + headerBytes + bodyBytes
  if (headerBytes > headerBytesMax) throw new HsmError('FRAME_INVALID', 'frame header too long')
  if (total > frameBytesMax) throw new HsmError('FRAME_INVALID', 'frame too long')
  const frame = Buffer.allocUnsafeSlow(4 + total)
  frame.writeUInt32BE(total, 0)
  frame.writeUInt32BE(headerBytes, 4)
  frame.write(text, 8, 'utf8')
  let offset = 8 + headerBytes
  for (const part of parts) {
    frame.set(part, offset)
    offset += part.length
  }
  return frame
}

/** Cuts a frame's body at the given lengths; all of it must be used. */
export function cutParts(body: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  let offset = 0
  const parts = lengths.map((length) => {
    if (!Number.isSafeInteger(length) || length < 0 || length > body.length - offset) {
      throw new HsmError('FRAME_INVALID', 'a part is longer than the frame')
    }
    offset += length
    return body.subarray(offset - length, offset)
  })
  if (offset !== body.length) throw new HsmError('FRAME_INVALID', 'bytes behind the last part')
  return parts
}

/** @throws HsmError FRAME_INVALID unless the text is one object exactly as JSON.stringify prints it */
export function parseHeader(bytes: Uint8Array): Json {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
    if (!isUtf8(bytes) || JSON.stringify(value) !== text) throw new SyntaxError('not canonical')
  } catch (cause) {
    throw new HsmError('FRAME_INVALID', 'frame header is not canonical JSON', { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new HsmError('FRAME_INVALID', 'frame header must be an object')
  }
  return value as Json
}

function parseFrame(bytes: Uint8Array): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const headerBytes = view.getUint32(0)
  if (headerBytes > headerBytesMax || headerBytes > bytes.length - 4) {
    throw new HsmError('FRAME_INVALID', 'frame header too long')
  }
  return {
    header: parseHeader(bytes.subarray(4, 4 + headerBytes)),
    body: bytes.subarray(4 + headerBytes),
  }
}

/** Cuts a stream into frames. Frames own their bytes: the chunk may be overwritten after push. */
export class FrameReader {
  readonly #take: (frame: Frame) => void
  readonly #refuse: (error: HsmError) => void
  /** The length field of the frame that is being read. */
  readonly #length = Buffer.alloc(4)
  #lengthBytes = 0
  #frame: Buffer | undefined
  #frameBytes = 0
  /** Bytes of a refused frame that are still to be passed over. */
  #skip = 0

  constructor(take: (frame: Frame) => void, refuse: (error: HsmError) => void) {
    this.#take = take
    this.#refuse = refuse
  }

  /** Bytes of a frame that has begun and not ended; 0 between frames. */
  get pendingBytes(): number {
    return this.#lengthBytes + this.#frameBytes + this.#skip
  }

  push(chunk: Uint8Array): void {
    let offset = 0
    while (offset < chunk.length) {
      if (this.#skip > 0) {
        const passed = Math.min(this.#skip, chunk.length - offset)
        this.#skip -= passed
        offset += passed
      } else if (this.#frame === undefined) {
        offset = this.#readLength(chunk, offset)
      } else {
        offset = this.#readFrame(this.#frame, chunk, offset)
      }
    }
  }

  #readLength(chunk: Uint8Array, offset: number): number {
    const missing = Math.min(4 - this.#lengthBytes, chunk.length - offset)
    this.#length.set(chunk.subarray(offset, offset + missing), this.#lengthBytes)
    this.#lengthBytes += missing
    if (this.#lengthBytes === 4) {
      const total = this.#length.readUInt32BE(0)
      this.#lengthBytes = 0
      if (total < 4 || total > frameBytesMax) {
        this.#skip = total
        this.#refuse(new HsmError('FRAME_INVALID', `frame of ${total} bytes`))
      } else {
        this.#frame = Buffer.allocUnsafeSlow(total)
        this.#frameBytes = 0
      }
    }
    return offset + missing
  }

  #readFrame(frame: Buffer, chunk: Uint8Array, offset: number): number {
    const missing = Math.min(frame.length - this.#frameBytes, chunk.length - offset)
    frame.set(chunk.subarray(offset, offset + missing), this.#frameBytes)
    this.#frameBytes += missing
    if (this.#frameBytes === frame.length) {
      this.#frame = undefined
      this.#frameBytes = 0
      let parsed: Frame | undefined
      try {
        parsed = parseFrame(frame)
      } catch (error) {
        assert(error instanceof HsmError)
        this.#refuse(error)
      }
      if (parsed) this.#take(parsed)
    }
    return offset + missing
  }
}
