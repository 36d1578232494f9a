/**
 * JSON lines in a file. A batch is there when it is synced; what a failed write or a crash left of a
 * line is cut off. A file of bytesMax or more is put aside as `<path>.<sequence of the next entry>`, and
 * a new one begun: files that are complete are whoever's who moves or removes them.
 */

import { constants } from 'node:fs'
import { type FileHandle, open, rename, stat } from 'node:fs/promises'
import path from 'node:path'
import { syncFolder, timeInName } from '../../host/durable-file.ts'
import type { FileSettings } from './configuration.ts'
import type { Line, Sink } from './sink.ts'

/** Its group may read it, as a log shipper has to. */
const mode = 0o640
const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW
const lineBegin = '{"sequence":'
/** Longer than any line. */
const tailBytes = 64 * 1024

export class FileSink implements Sink {
  readonly entriesMax = 1_000
  readonly #settings: FileSettings
  #file: FileHandle | undefined
  #length = 0

  constructor(settings: FileSettings) {
    this.#settings = settings
  }

  async deliver(lines: readonly Line[]): Promise<void> {
    try {
      const file = await this.#opened(lines[0]?.entry.sequence ?? 0)
      const bytes = Buffer.from(lines.map(({ json }) => `${json}\n`).join(''))
      for (let written = 0; written < bytes.length; ) {
        const at = this.#length + written
        written += (await file.write(bytes, written, bytes.length - written, at)).bytesWritten
      }
      await file.datasync()
      this.#length += bytes.length
    } catch (error) {
      await this.#file?.truncate(this.#length).catch(() => undefined)
      await this[Symbol.asyncDispose]()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }

  /** The file that has the name, with room for the entry and what follows it. */
  async #opened(sequence: number): Promise<FileHandle> {
    if (this.#file && !(await this.#isThere(this.#file))) await this[Symbol.asyncDispose]()
    this.#file ??= await this.#open()
    if (this.#length < this.#settings.bytesMax) return this.#file
    await this[Symbol.asyncDispose]()
    await putAside(this.#settings.path, sequence)
    this.#file = await this.#open()
    return this.#file
  }

  /** @throws Error when what is there is no file of entries: nothing of it is cut off */
  async #open(): Promise<FileHandle> {
    const { path: name } = this.#settings
    const file = await open(name, flags, mode)
    try {
      const found = await file.stat()
      const { size } = found
      const from = Math.max(0, size - tailBytes)
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
      const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1
      const rest = buffer.toString('latin1', end, Math.min(bytesRead, end + lineBegin.length))
      if (!found.isFile() || !lineBegin.startsWith(rest)) throw notOurs(name)
      this.#length = from + end
      if (this.#length < size) await file.truncate(this.#length)
      await syncFolder(path.dirname(name))
      return file
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Whether the file still has its name: what is written to one that was removed is lost. */
  async #isThere(file: FileHandle): Promise<boolean> {
    const named = await stat(this.#settings.path).catch(() => undefined)
    const { dev, ino } = await file.stat()
    return named?.dev === dev && named.ino === ino
  }
}

function notOurs(name: string): Error {
  return new Error(`${name} holds something else than entries`)
}

/** A sink that was begun again comes by the same sequences: what is there already stays. */
async function putAside(name: string, sequence: number): Promise<void> {
  const aside = `${name}.${sequence}`
  const isTaken = await stat(aside).then(
    () => true,
    () => false,
  )
  await rename(name, isTaken ? `${aside}.${timeInName(new Date())}` : aside)
}
