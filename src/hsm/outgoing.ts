/**
 * What leaves by the door: the frames of one turn of the event loop go out in one write, in the order in
 * which they were added. They are put together in buffers that are used again, so that an answer costs
 * no memory of its own; a buffer that held a secret is overwritten as soon as it was written.
 */

import assert from 'node:assert/strict'
import type { Writable } from 'node:stream'
import { frameBytesMax, headerBytesMax } from './contract/limits.ts'

const bufferBytes = 128 * 1024
const spareBuffersMax = 8
/** Bytes that wait for the host to read; beyond it the door takes nothing in. */
export const unwrittenBytesMax = 8 * 1024 * 1024

export interface OutgoingFrame {
  /** Canonical JSON. */
  readonly header: string
  readonly body: readonly Uint8Array[]
  readonly erase: boolean
}

export class Outgoing {
  readonly #stream: Writable
  readonly #written: () => void
  #buffer: Buffer = Buffer.allocUnsafeSlow(bufferBytes)
  #used = 0
  #erase = false
  #spare: Buffer[] = []
  #flushDue = false
  #unwritten = 0

  /** @param written called each time that the host has taken something */
  constructor(stream: Writable, written: () => void) {
    this.#stream = stream
    this.#written = written
  }

  /** True while there is more to be read by the host than is good. */
  get isFull(): boolean {
    return this.#unwritten + this.#used > unwrittenBytesMax
  }

  /** @throws AssertionError when it is too long for a frame: whoever made it has to see to that */
  add({ header, body, erase }: OutgoingFrame): void {
    const headerBytes = Buffer.byteLength(header)
    let total = 4 + headerBytes
    for (const part of body) total += part.length
    assert(headerBytes <= headerBytesMax)
    assert(total <= frameBytesMax)
    if (this.#used + 4 + total > this.#buffer.length) this.flush()
    if (4 + total > this.#buffer.length) this.#replaceBuffer(4 + total)
    const buffer = this.#buffer
    let offset = this.#used
    buffer.writeUInt32BE(total, offset)
    buffer.writeUInt32BE(headerBytes, offset + 4)
    buffer.write(header, offset + 8, 'utf8')
    offset += 8 + headerBytes
    for (const part of body) {
      buffer.set(part, offset)
      offset += part.length
    }
    this.#used = offset
    this.#erase ||= erase
    if (!this.#flushDue) {
      this.#flushDue = true
      setImmediate(() => {
        this.#flushDue = false
        this.flush()
      })
    }
  }

  /** Writes what was added; `end` closes the stream behind it. */
  flush(end?: () => void): void {
    const [buffer, used, erase] = [this.#buffer, this.#used, this.#erase]
    if (used > 0) {
      this.#buffer = this.#spare.pop() ?? Buffer.allocUnsafeSlow(bufferBytes)
      this.#used = 0
      this.#erase = false
      this.#unwritten += used
      // An error means that the host is gone, which the end of the stream tells as well.
      this.#stream.write(buffer.subarray(0, used), () => {
        this.#unwritten -= used
        if (erase) buffer.fill(0, 0, used)
        this.#keep(buffer)
        this.#written()
      })
    }
    if (end) this.#stream.end(end)
  }

  #replaceBuffer(bytes: number): void {
    this.#keep(this.#buffer)
    this.#buffer = Buffer.allocUnsafeSlow(bytes)
  }

  #keep(buffer: Buffer): void {
    if (buffer.length !== bufferBytes || this.#spare.length >= spareBuffersMax) return
    this.#spare.push(buffer)
  }
}
