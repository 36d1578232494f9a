/**
 * A file that only grows, of records that each follow their framing: length, CRC-32 of the record, CRC-32
 * of these eight bytes (docs/formats/record.md section 6). What an append has acknowledged is durable;
 * what a failed one left behind is cut off before the next is tried. When the file is opened, an
 * incomplete last record, which a power loss leaves and nobody was ever told of, is moved into
 * `<name>.torn-<time>`; anything else that is wrong is refused, there or when it is read. The framing has
 * a CRC of its own so that a damaged length is not taken for an incomplete record: what stands behind it
 * was acknowledged. CRCs find accidents; who changes a record on purpose is found by the module.
 */

import assert from 'node:assert/strict'
import { constants, fdatasync, ftruncate, write } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { frameBytesMax } from '../hsm/contract/limits.ts'
import { fileMode, syncFolder, timeInName, writeDurably } from './durable-file.ts'
import { HostError } from './errors.ts'

type Done = (error: Error | null) => void

/** The calls of node:fs that decide what is durable: an argument, so that a test delays or fails them. */
export interface DiskCalls {
  readonly write: (
    descriptor: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
    done: (error: Error | null, written: number) => void,
  ) => void
  readonly fdatasync: (descriptor: number, done: Done) => void
  readonly ftruncate: (descriptor: number, length: number, done: Done) => void
}

export const disk: DiskCalls = { write, fdatasync, ftruncate }

/** A record holds at most what a frame brought. */
export const recordBytesMax = frameBytesMax
/** In front of each record: its length, its CRC-32, and the CRC-32 of both. */
export const framingBytes = 12
const readBytes = 1024 * 1024
/** The clock of a file system may be behind or before ours by so much. */
const clockMs = 20

/** Where a record begins in its file, and what it holds. */
export interface StoredRecord {
  readonly offset: number
  readonly bytes: Buffer
}

export interface OpenOptions {
  readonly calls: DiskCalls
  readonly now: Date
  /** Called once for each record from this offset on; there must be a record or the end. */
  readonly from: number
  readonly take: (record: StoredRecord) => void
  /** What it holds can be made anew: an incomplete end is dropped, not set aside. */
  readonly derived?: boolean
}

export class AppendFile {
  readonly path: string
  readonly #descriptor: FileHandle
  readonly #calls: DiskCalls
  #length: number
  /** Something may stand behind #length that was never acknowledged. */
  #dirty = false
  /** Appends that were begun and that have ended, and when the last one did, in milliseconds since 1970. */
  #begun = 0
  #ended = 0
  #endedMs = Date.now()
  /** Of the last change by somebody else that was told. */
  #touchedMs = 0

  private constructor(file: string, descriptor: FileHandle, calls: DiskCalls, length: number) {
    this.path = file
    this.#descriptor = descriptor
    this.#calls = calls
    this.#length = length
  }

  /** Opens the file or makes it. @throws HostError FOLDER_TORN */
  static async open(file: string, options: OpenOptions): Promise<AppendFile> {
    const flags = constants.O_RDWR | constants.O_CREAT
    const descriptor = await open(file, flags, fileMode)
    try {
      await syncFolder(path.dirname(file))
      let length = options.from
      for await (const records of readRecords(descriptor, file, options.from)) {
        for (const record of records) {
          options.take(record)
          length = record.offset + framingBytes + record.bytes.length
        }
      }
      await setAsideTail(descriptor, file, length, options)
      return new AppendFile(file, descriptor, options.calls, length)
    } catch (error) {
      await descriptor.close()
      throw error
    }
  }

  /** Bytes that are durable. */
  get length(): number {
    return this.#length
  }

  /**
   * Appends whole records (frameRecords), one append at a time. After an error nothing was appended,
   * and the same append may be tried again: it writes the bytes anew, because a sync that follows a
   * failed sync says nothing about pages that the kernel has already given up.
   */
  append(records: Uint8Array, done: Done): void {
    this.#begun += 1
    const end = (error: Error | null): void => {
      this.#ended += 1
      this.#endedMs = Date.now()
      done(error)
    }
    const fail = (error: Error): void => {
      this.#dirty = true
      end(error)
    }
    const sync = (): void =>
      this.#calls.fdatasync(this.#descriptor.fd, (error) => {
        if (error) return fail(error)
        this.#length += records.length
        end(null)
      })
    const writeFrom = (offset: number): void =>
      this.#calls.write(
        this.#descriptor.fd,
        records,
        offset,
        records.length - offset,
        this.#length + offset,
        (error, written) => {
          if (error) return fail(error)
          if (written === 0) return fail(new Error(`nothing could be written to ${this.path}`))
          if (offset + written === records.length) return sync()
          writeFrom(offset + written)
        },
      )
    if (!this.#dirty) {
      writeFrom(0)
      return
    }
    this.#calls.ftruncate(this.#descriptor.fd, this.#length, (error) => {
      if (error) return fail(error)
      this.#dirty = false
      writeFrom(0)
    })
  }

  /** Batches of whole records from an offset, up to what is durable when it is called. */
  read(from: number): AsyncGenerator<StoredRecord[]> {
    return readRecords(this.#descriptor, this.path, from, this.#length)
  }

  /**
   * What somebody else has done to the file. Whether it was written to shows by its time of change, which nobody can
   * set, as long as nothing is appended meanwhile.
   */
  async foreignChange(): Promise<{ broken: string | undefined; isTouched: boolean }> {
    const name = path.basename(this.path)
    const { length } = this
    const begun = this.#begun
    const isIdle = begun === this.#ended
    const own = await this.#descriptor.stat()
    const named = await stat(this.path).catch(() => undefined)
    const isSame = named?.ino === own.ino && named.dev === own.dev
    const isTouched =
      isIdle &&
      begun === this.#begun &&
      own.ctimeMs > Math.max(this.#endedMs + clockMs, this.#touchedMs)
    if (isTouched) this.#touchedMs = own.ctimeMs
    if (!named) return { broken: `${name} is gone`, isTouched }
    if (!isSame) return { broken: `${name} is another file than it was`, isTouched }
    const broken = own.size < length ? `${name} was cut from ${length} to ${own.size}` : undefined
    return { broken, isTouched }
  }

  async close(): Promise<void> {
    await this.#descriptor.close()
  }
}

/** Each piece behind its framing, in one buffer. */
export function frameRecords(pieces: readonly Uint8Array[]): Buffer {
  let total = 0
  for (const piece of pieces) total += framingBytes + piece.length
  const framed = Buffer.allocUnsafeSlow(total)
  let offset = 0
  for (const piece of pieces) {
    assert(piece.length > 0 && piece.length <= recordBytesMax)
    framed.writeUInt32BE(piece.length, offset)
    framed.writeUInt32BE(crc32(piece), offset + 4)
    framed.writeUInt32BE(crc32(framed.subarray(offset, offset + 8)), offset + 8)
    framed.set(piece, offset + framingBytes)
    offset += framingBytes + piece.length
  }
  return framed
}

/** The records of one complete buffer. @throws HostError FOLDER_TORN */
export function cutRecords(bytes: Buffer, file: string): Buffer[] {
  const { records, rest } = cut(bytes, 0, file)
  if (rest !== bytes.length) throw torn(file, rest)
  return records.map((record) => record.bytes)
}

/** Ends in front of an incomplete last record. */
async function* readRecords(
  handle: FileHandle,
  file: string,
  from: number,
  to = Number.MAX_SAFE_INTEGER,
): AsyncGenerator<StoredRecord[]> {
  let position = from
  let chunk = Buffer.alloc(0)
  for (;;) {
    const wanted = Math.min(readBytes, to - position - chunk.length)
    const next = Buffer.allocUnsafeSlow(chunk.length + wanted)
    chunk.copy(next)
    const { bytesRead } = await handle.read(next, chunk.length, wanted, position + chunk.length)
    if (bytesRead === 0) return
    const filled = next.subarray(0, chunk.length + bytesRead)
    const { records, rest } = cut(filled, position, file)
    if (records.length > 0) yield records
    position += rest
    chunk = filled.subarray(rest)
  }
}

/** The complete records at the beginning of the bytes, and where they end. */
function cut(
  bytes: Buffer,
  position: number,
  file: string,
): { records: StoredRecord[]; rest: number } {
  const records: StoredRecord[] = []
  let rest = 0
  while (rest + framingBytes <= bytes.length) {
    const length = bytes.readUInt32BE(rest)
    const isFraming = bytes.readUInt32BE(rest + 8) === crc32(bytes.subarray(rest, rest + 8))
    if (!isFraming || length === 0 || length > recordBytesMax) throw torn(file, position + rest)
    const end = rest + framingBytes + length
    if (end > bytes.length) break
    const record = bytes.subarray(rest + framingBytes, end)
    if (bytes.readUInt32BE(rest + 4) !== crc32(record)) throw torn(file, position + rest)
    records.push({ offset: position + rest, bytes: record })
    rest = end
  }
  return { records, rest }
}

async function setAsideTail(
  handle: FileHandle,
  file: string,
  length: number,
  { now, derived }: OpenOptions,
): Promise<void> {
  const { size } = await handle.stat()
  if (size < length) throw torn(file, size)
  if (size === length) return
  if (!derived) {
    const tail = Buffer.allocUnsafeSlow(size - length)
    const { bytesRead } = await handle.read(tail, 0, tail.length, length)
    assert.equal(bytesRead, tail.length)
    await writeDurably(`${file}.torn-${timeInName(now)}`, [tail])
  }
  await handle.truncate(length)
  await handle.sync()
}

/** What is kept is damaged: says where, and that nothing was changed. */
export function torn(file: string, position: number, options?: ErrorOptions): HostError {
  return new HostError(
    'FOLDER_TORN',
    `${file} is damaged at byte ${position}. Restore the folder from its backup; nothing was changed.`,
    options,
  )
}
