/**
 * The destruction floor: for each key version that was tightened or destroyed, the lowest revision that
 * is still accepted. It only grows and is capped; it is why an old wrapped copy of a destroyed key is
 * refused (design section 3). Entries stand one after the other in one array, in the order in which they
 * came, and an open-addressing index of places finds them: a million cost 32 MB and copy in
 * milliseconds, where a Map of strings would cost over 100 MB.
 *
 * From the beginning of a new epoch until keys of the one before do not open any more, the entries of
 * both are held: the older ones come first, and are dropped together when their epoch is shredded.
 */

import { randomInt } from 'node:crypto'
import { HsmError } from './contract/errors.ts'
import { type KeyId, keyIdBytes } from './contract/keys.ts'
import { floorEntriesMax } from './contract/limits.ts'

/** The revision that no wrapped key reaches: a key version with this floor is destroyed. */
export const destroyedRevision = 0xffff_ffff

/** Key id (16), version (u32), lowest revision accepted (u32). */
export const floorEntryBytes = 24
const prefixBytes = 20

export class Floor {
  readonly #entriesMax: number
  /** Key ids are the caller's to choose: a secret start keeps anybody from making them collide. */
  #hashStart = randomInt(2 ** 32)
  #entries = Buffer.alloc(floorEntryBytes * 512)
  /** 1 + the entry's index, at the place that its hash says or the next free one; 0 where free. */
  #places = new Uint32Array(1024)
  #size = 0
  /** Entries of the epoch before: the first so many. */
  #sizeBefore = 0

  constructor({ entriesMax = floorEntriesMax }: { readonly entriesMax?: number } = {}) {
    this.#entriesMax = entriesMax
  }

  get size(): number {
    return this.#size
  }

  /** Of them, those of the epoch before. */
  get sizeBefore(): number {
    return this.#sizeBefore
  }

  /** A copy with which another epoch begins. */
  forNextEpoch(): Floor {
    const next = new Floor({ entriesMax: this.#entriesMax })
    next.#hashStart = this.#hashStart
    next.#entries = Buffer.from(this.#entries)
    next.#places = this.#places.slice()
    next.#size = this.#size
    next.beginEpoch()
    return next
  }

  /** What there is belongs to the epoch before from here on. */
  beginEpoch(): void {
    this.#sizeBefore = this.#size
  }

  /** The epoch before is shredded: its entries refuse nothing that could still be opened. */
  endEpoch(): void {
    if (this.#sizeBefore === 0) return
    this.#entries = Buffer.from(this.#entries.subarray(this.#sizeBefore * floorEntryBytes))
    this.#size -= this.#sizeBefore
    this.#sizeBefore = 0
    this.#index(this.#places.length)
  }

  /** 0 when the floor says nothing of it. */
  lowest(key: KeyId, version: number): number {
    const index = this.#places[this.#place(encodeFloorEntry(key, version, 0))]
    return index ? this.#entries.readUInt32BE((index - 1) * floorEntryBytes + prefixBytes) : 0
  }

  /**
   * Raises the floor at once. Answers the change, which is to be sealed and stored; where the floor was
   * as high before, sealing it again does no harm.
   * @throws HsmError FLOOR_FULL when there is no room for another key version; nothing has changed then
   */
  raise(key: KeyId, version: number, revision: number): Uint8Array {
    const change = encodeFloorEntry(key, version, revision)
    this.apply(change)
    return change
  }

  /** Takes a change or an entry. @throws HsmError STATE_INVALID, FLOOR_FULL */
  apply(change: Uint8Array): void {
    const entry = Buffer.from(change)
    if (entry.length !== floorEntryBytes || entry.readUInt32BE(prefixBytes) === 0) {
      throw new HsmError('STATE_INVALID', 'not an entry of the destruction floor')
    }
    const place = this.#place(entry)
    const index = this.#places[place]
    if (index && index > this.#sizeBefore) {
      const offset = (index - 1) * floorEntryBytes + prefixBytes
      const revision = Math.max(entry.readUInt32BE(prefixBytes), this.#entries.readUInt32BE(offset))
      this.#entries.writeUInt32BE(revision, offset)
      return
    }
    if (this.#size - this.#sizeBefore >= this.#entriesMax) {
      throw new HsmError('FLOOR_FULL', 'the destruction floor is full: shred the epoch')
    }
    if (index) entry.writeUInt32BE(this.#atLeast(entry, index), prefixBytes)
    this.#append(entry, place)
  }

  /** The entry's revision, or that of an entry of the epoch before which is higher. */
  #atLeast(entry: Buffer, index: number): number {
    const before = this.#entries.readUInt32BE((index - 1) * floorEntryBytes + prefixBytes)
    return Math.max(entry.readUInt32BE(prefixBytes), before)
  }

  /** A copy of all entries, one after the other. */
  copyEntries(): Buffer {
    return Buffer.from(this.#entries.subarray(0, this.#size * floorEntryBytes))
  }

  #append(entry: Buffer, place: number): void {
    const offset = this.#size * floorEntryBytes
    if (offset === this.#entries.length) {
      const entriesMax = this.#entriesMax + this.#sizeBefore
      const entries = Math.min(Math.max(this.#size * 2, 512), entriesMax)
      const longer = Buffer.alloc(entries * floorEntryBytes)
      longer.set(this.#entries)
      this.#entries = longer
    }
    this.#entries.set(entry, offset)
    this.#size += 1
    this.#places[place] = this.#size
    if (this.#size * 2 > this.#places.length) this.#index(this.#places.length * 2)
  }

  /** Makes the index anew, with so many places. */
  #index(places: number): void {
    this.#places = new Uint32Array(places)
    for (let index = 0; index < this.#size; index += 1) {
      const entry = this.#entries.subarray(index * floorEntryBytes, (index + 1) * floorEntryBytes)
      this.#places[this.#place(entry)] = index + 1
    }
  }

  /** Where the index of this entry's key version stands, or the free place where it would. */
  #place(entry: Buffer): number {
    const mask = this.#places.length - 1
    let place = this.#hash(entry) & mask
    for (;;) {
      const index = this.#places[place]
      if (!index) return place
      const offset = (index - 1) * floorEntryBytes
      const known = this.#entries.compare(entry, 0, prefixBytes, offset, offset + prefixBytes)
      if (known === 0) return place
      place = (place + 1) & mask
    }
  }

  #hash(entry: Buffer): number {
    let hash = this.#hashStart
    for (let offset = 0; offset < prefixBytes; offset += 4) {
      hash = Math.imul(hash ^ entry.readUInt32BE(offset), 0x9e37_79b1)
      hash ^= hash >>> 15
    }
    return hash
  }
}

/** 24 bytes. */
export function encodeFloorEntry(key: KeyId, version: number, revision: number): Buffer {
  const entry = Buffer.alloc(floorEntryBytes)
  entry.set(keyIdBytes(key))
  entry.writeUInt32BE(version, 16)
  entry.writeUInt32BE(revision, prefixBytes)
  return entry
}
