/**
 * A segment: a stretch of the record of some thousand leaves, as the index of it says. Binary,
 * big-endian: version 1 (u8); first sequence and the one behind the last; offset in `groups` of the first
 * group, behind the last, and of the last; first and last time (each u64); MAC of the last group (32);
 * the filter. The MAC is chained through everything before it, so that an index that belongs to another
 * record, or to one that was put back, does not fit.
 */

import { decodeLeafGroup } from '../../hsm/contract/leaf.ts'
import { framingBytes, type StoredRecord } from '../append-file.ts'
import { addTexts, filterOf } from './filter.ts'
import { timeOf } from './query.ts'

const version = 1
/** Leaves from which on a segment is closed, at the end of their group. */
export const segmentLeavesMin = 4_096
const numbers = 7
const macOffset = 1 + numbers * 8
const filterOffset = macOffset + 32

export interface Segment {
  /** Sequences: of the first leaf, and behind the last. */
  readonly first: number
  readonly end: number
  /** In `groups`: of the first group, behind the last, and of the last. */
  readonly offset: number
  readonly endOffset: number
  readonly lastGroupOffset: number
  readonly firstMicros: number
  readonly lastMicros: number
}

export function decodeSegment(bytes: Buffer): { segment: Segment; mac: Buffer; filter: Buffer } {
  if (bytes.length < filterOffset || bytes[0] !== version) throw new Error('not a segment')
  const number = (index: number) => Number(bytes.readBigUInt64BE(1 + index * 8))
  const segment: Segment = {
    first: number(0),
    end: number(1),
    offset: number(2),
    endOffset: number(3),
    lastGroupOffset: number(4),
    firstMicros: number(5),
    lastMicros: number(6),
  }
  return {
    segment,
    mac: bytes.subarray(macOffset, filterOffset),
    filter: bytes.subarray(filterOffset),
  }
}

/** Of a segment that is still growing. */
export class SegmentBuilder {
  readonly #hashes = new Set<number>()
  #segment: Segment
  #mac: Uint8Array = new Uint8Array(32)

  constructor(first: number, offset: number) {
    const place = { offset, endOffset: offset, lastGroupOffset: offset }
    this.#segment = { first, end: first, ...place, firstMicros: 0, lastMicros: 0 }
  }

  get segment(): Segment {
    return this.#segment
  }

  get isFull(): boolean {
    return this.#segment.end - this.#segment.first >= segmentLeavesMin
  }

  add({ offset, bytes }: StoredRecord): void {
    const { leaves, mac } = decodeLeafGroup(bytes)
    for (const leaf of leaves) addTexts(this.#hashes, leaf)
    const { first, end, firstMicros, lastMicros } = this.#segment
    this.#segment = {
      ...this.#segment,
      end: end + leaves.length,
      endOffset: offset + framingBytes + bytes.length,
      lastGroupOffset: offset,
      firstMicros: end === first ? timeOf(leaves[0]) : firstMicros,
      lastMicros: timeOf(leaves.at(-1)) || lastMicros,
    }
    this.#mac = Uint8Array.from(mac)
  }

  encode(): Buffer {
    const { first, end, offset, endOffset, lastGroupOffset } = this.#segment
    const { firstMicros, lastMicros } = this.#segment
    const filter = filterOf(this.#hashes)
    const bytes = Buffer.alloc(filterOffset + filter.length)
    bytes[0] = version
    const written = [first, end, offset, endOffset, lastGroupOffset, firstMicros, lastMicros]
    for (const [index, number] of written.entries()) {
      bytes.writeBigUInt64BE(BigInt(number), 1 + index * 8)
    }
    bytes.set(this.#mac, macOffset)
    filter.copy(bytes, filterOffset)
    return bytes
  }
}
