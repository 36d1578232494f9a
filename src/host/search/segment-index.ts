/**
 * The index of the record: `record/search`, one segment a record (segment.ts), each beginning where the
 * one before ends. It is derived: written behind what is durable, never synced, and made anew from the
 * record when it is missing, damaged or does not fit. In memory it takes some 100 bytes for each 4,096
 * leaves, and the texts of the segment that is still growing.
 */

import { rm } from 'node:fs/promises'
import path from 'node:path'
import { decodeLeafGroup } from '../../hsm/contract/leaf.ts'
import { AppendFile, disk, frameRecords } from '../append-file.ts'
import type { Mark } from '../sparse-reader.ts'
import { mayHold } from './filter.ts'
import { decodeSegment, type Segment, SegmentBuilder } from './segment.ts'

/** How long the end of the record may go unread. */
const followMs = 1_000
const indexName = 'search'
/** Nothing is acknowledged by it. */
const unsynced = { ...disk, fdatasync: (_: number, done: (error: null) => void) => done(null) }

export interface PlacedSegment extends Segment {
  /** Where it begins in the index. */
  readonly place: number
}

export class SegmentIndex {
  readonly #path: string
  readonly #groups: AppendFile
  readonly #learn: (mark: Mark) => void
  readonly #timer: NodeJS.Timeout
  #file: AppendFile | undefined
  #segments: PlacedSegment[] = []
  #growing = new SegmentBuilder(0, 0)
  #pass: Promise<void> | undefined
  #closed = false

  /** `learn` is told where segments begin. */
  constructor(folder: string, groups: AppendFile, learn: (mark: Mark) => void) {
    this.#path = path.join(folder, indexName)
    this.#groups = groups
    this.#learn = learn
    // What goes wrong is tried again, and comes to light where somebody searches.
    this.#timer = setInterval(() => this.follow().catch(() => undefined), followMs)
    this.#timer.unref()
  }

  get segments(): readonly PlacedSegment[] {
    return this.#segments
  }

  /** Where what is in no segment yet begins. */
  get tail(): { readonly first: number; readonly offset: number } {
    const last = this.#segments.at(-1)
    return { first: last?.end ?? 0, offset: last?.endOffset ?? 0 }
  }

  /** Reads what the record has become. @throws HostError FOLDER_TORN; Error of the disk */
  follow(): Promise<void> {
    this.#pass ??= this.#readOn().finally(() => {
      this.#pass = undefined
    })
    return this.#pass
  }

  /** Of these segments, which follow each other, those that may hold all of the texts. */
  async thoseWith(
    hashes: readonly number[],
    segments: readonly PlacedSegment[],
  ): Promise<PlacedSegment[]> {
    const [next, ...others] = segments
    if (next === undefined || hashes.length === 0 || !this.#file) return [...segments]
    const found: PlacedSegment[] = []
    let wanted: PlacedSegment | undefined = next
    for await (const records of this.#file.read(next.place)) {
      for (const { bytes } of records) {
        const { filter } = decodeSegment(bytes)
        if (hashes.every((hash) => mayHold(filter, hash))) found.push(wanted)
        wanted = others.shift()
        if (wanted === undefined) return found
      }
    }
    return found
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    await this.#pass?.catch(() => undefined)
    await this.#file?.close()
  }

  async #readOn(): Promise<void> {
    if (this.#closed) return
    this.#file ??= await this.#open()
    try {
      for await (const records of this.#groups.read(this.#growing.segment.endOffset)) {
        if (this.#closed) return
        for (const record of records) {
          this.#growing.add(record)
          if (this.#growing.isFull) await this.#end(this.#file)
        }
      }
    } catch (error) {
      this.#growing = this.#next()
      throw error
    }
  }

  /** Writes the segment that is full, and begins the next. */
  async #end(file: AppendFile): Promise<void> {
    const place = file.length
    const record = frameRecords([this.#growing.encode()])
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    file.append(record, (error) => (error ? reject(error) : resolve()))
    await promise
    const { segment } = this.#growing
    this.#segments.push({ ...segment, place })
    this.#learn(segment)
    this.#growing = this.#next()
  }

  #next(): SegmentBuilder {
    const { first, offset } = this.tail
    return new SegmentBuilder(first, offset)
  }

  async #open(): Promise<AppendFile> {
    try {
      return await this.#openFitting()
    } catch (error) {
      const isOfTheDisk = error instanceof Error && 'syscall' in error
      if (isOfTheDisk) throw error
      await rm(this.#path, { force: true })
      return await this.#openFitting()
    }
  }

  /** @throws Error when it is damaged or not of this record */
  async #openFitting(): Promise<AppendFile> {
    this.#segments = []
    let lastMac: Buffer | undefined
    const file = await AppendFile.open(this.#path, {
      calls: unsynced,
      now: new Date(),
      derived: true,
      from: 0,
      take: ({ offset, bytes }) => {
        const { segment, mac } = decodeSegment(bytes)
        const { first, offset: at } = this.tail
        if (segment.first !== first || segment.offset !== at) throw new Error('a gap')
        this.#segments.push({ ...segment, place: offset })
        lastMac = mac
      },
    })
    try {
      if (lastMac) await this.#assertFits(lastMac)
    } catch (error) {
      await file.close()
      throw error
    }
    for (const segment of this.#segments) this.#learn(segment)
    this.#growing = this.#next()
    return file
  }

  async #assertFits(mac: Buffer): Promise<void> {
    const offset = this.#segments.at(-1)?.lastGroupOffset ?? 0
    for await (const [record] of this.#groups.read(offset)) {
      if (record && mac.equals(decodeLeafGroup(record.bytes).mac)) return
      break
    }
    throw new Error('of another record')
  }
}
