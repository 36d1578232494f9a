/**
 * Search in the record. The index says which segments may hold what is looked for; what is answered is
 * read from the record itself, so that the index can be slow or miss, and never invent. One search runs
 * at a time, for a bounded time and in bounded memory; what is left is for the next page.
 */

import { decodeLeafGroup } from '../../hsm/contract/leaf.ts'
import type { AppendFile } from '../append-file.ts'
import { HostError } from '../errors.ts'
import type { Mark } from '../sparse-reader.ts'
import { isMatch, type LeafQuery, type ParsedQuery, parseQuery } from './query.ts'
import type { Segment } from './segment.ts'
import { SegmentIndex } from './segment-index.ts'

/** After which a search answers with what it has. */
const searchMs = 2_000
/** How long a search waits for an index that is being made. */
const indexWaitMs = 3_000
/** Filters that are read in one go. */
const blockSegments = 128

export interface FoundLeaves {
  readonly leaves: readonly Uint8Array[]
  /** Sequence to go on from; perhaps to an empty page. Absent when all was looked through. */
  readonly next?: number
}

/** A stretch of `groups`. */
interface Span {
  readonly first: number
  readonly end: number
  readonly offset: number
  readonly endOffset: number
}

interface FoundLeaf {
  readonly sequence: number
  readonly leaf: Uint8Array
}

export class RecordSearch {
  readonly #groups: AppendFile
  readonly #index: SegmentIndex
  #last: Promise<unknown> = Promise.resolve()

  constructor(folder: string, groups: AppendFile, learn: (mark: Mark) => void) {
    this.#groups = groups
    this.#index = new SegmentIndex(folder, groups, learn)
  }

  /** Undefined while the index is being made anew. @throws HostError FOLDER_TORN */
  search(query: LeafQuery): Promise<FoundLeaves | undefined> {
    const found = this.#last.then(() => this.#search(parseQuery(query)))
    this.#last = found.catch(() => undefined)
    return found
  }

  async close(): Promise<void> {
    await this.#index.close()
    await this.#last
  }

  async #search(query: ParsedQuery): Promise<FoundLeaves | undefined> {
    if (!(await this.#isRead())) return undefined
    const deadline = performance.now() + searchMs
    const leaves: Uint8Array[] = []
    for await (const span of this.#spans(query)) {
      if (performance.now() > deadline) {
        const { from, newestFirst } = query
        const next = newestFirst ? Math.min(from, span.end - 1) : Math.max(from, span.first)
        return { leaves, next }
      }
      const room = query.limit - leaves.length
      const found = await this.#scan(span, query, room + 1)
      for (const { leaf } of found.slice(0, room)) leaves.push(leaf)
      const next = found[room]?.sequence
      if (next !== undefined) return { leaves, next }
    }
    return { leaves }
  }

  /** The first so many leaves of the span that are looked for, in the order of the query. */
  async #scan(span: Span, query: ParsedQuery, count: number): Promise<FoundLeaf[]> {
    const { newestFirst, from } = query
    const found: FoundLeaf[] = []
    let sequence = span.first
    reading: for await (const records of this.#groups.read(span.offset)) {
      for (const { offset, bytes } of records) {
        if (offset >= span.endOffset || (!newestFirst && found.length >= count)) break reading
        for (const leaf of decodeLeafGroup(bytes).leaves) {
          const isAhead = newestFirst ? sequence <= from : sequence >= from
          // A copy, so that no whole chunk is kept for it.
          if (isAhead && isMatch(leaf, query)) found.push({ sequence, leaf: Buffer.from(leaf) })
          sequence += 1
        }
      }
    }
    return newestFirst ? found.slice(-count).reverse() : found.slice(0, count)
  }

  async #isRead(): Promise<boolean> {
    const { promise: late, resolve } = Promise.withResolvers<boolean>()
    const timer = setTimeout(resolve, indexWaitMs, false)
    try {
      return await Promise.race([this.#index.follow().then(() => true), late])
    } catch (error) {
      if (error instanceof HostError) throw error
      // The disk takes no index at present.
      return false
    } finally {
      clearTimeout(timer)
    }
  }

  /** Those that may hold something, in the order of the query. */
  async *#spans(query: ParsedQuery): AsyncGenerator<Span> {
    const { newestFirst, wanted } = query
    const { segments, tail: end } = this.#index
    const count = segments.length
    const tail = { ...end, end: Number.MAX_SAFE_INTEGER, endOffset: this.#groups.length }
    const hashes = wanted.map(({ hash }) => hash)
    if (newestFirst && tail.first <= query.from) yield tail
    for (let passed = 0; passed < count; passed += blockSegments) {
      const begin = newestFirst ? Math.max(0, count - passed - blockSegments) : passed
      const block = segments
        .slice(begin, newestFirst ? count - passed : Math.min(count, passed + blockSegments))
        .filter((segment) => isInReach(segment, query))
      const spans = await this.#index.thoseWith(hashes, block)
      yield* newestFirst ? spans.reverse() : spans
    }
    if (!newestFirst) yield tail
  }
}

function isInReach(segment: Segment, query: ParsedQuery): boolean {
  const { newestFirst, from, sinceMicros, untilMicros } = query
  const isAhead = newestFirst ? segment.first <= from : segment.end > from
  return isAhead && segment.lastMicros >= sinceMicros && segment.firstMicros <= untilMicros
}
