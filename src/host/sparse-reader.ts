/**
 * Reading a page out of the middle of an append-only file whose records each hold a number of entries:
 * where every 1,024th record begins is remembered when a reader passes it, so that the first page far
 * behind costs one pass over what lies before it and later ones cost next to nothing.
 */

import assert from 'node:assert/strict'
import type { AppendFile } from './append-file.ts'

const recordsPerMark = 1024

/** A record begins at this offset, and its first entry has this number. */
export interface Mark {
  readonly offset: number
  readonly first: number
}

export class SparseReader {
  readonly #file: AppendFile
  readonly #entriesOf: (record: Buffer) => number
  readonly #marks: Mark[] = [{ offset: 0, first: 0 }]

  constructor(file: AppendFile, entriesOf: (record: Buffer) => number) {
    this.#file = file
    this.#entriesOf = entriesOf
  }

  /** Shows the record that holds the entry, and those behind it, until `take` answers false. */
  async read(entry: number, take: (record: Buffer, firstEntry: number) => boolean): Promise<void> {
    const mark = this.#markBefore(entry)
    let first = mark.first
    let passed = 0
    for await (const records of this.#file.read(mark.offset)) {
      for (const { offset, bytes } of records) {
        if (passed > 0 && passed % recordsPerMark === 0) this.learn({ offset, first })
        passed += 1
        const next = first + this.#entriesOf(bytes)
        if (next > entry && !take(bytes, first)) return
        first = next
      }
    }
  }

  #markBefore(entry: number): Mark {
    let low = 0
    let high = this.#marks.length
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if ((this.#marks[middle]?.first ?? 0) <= entry) low = middle
      else high = middle
    }
    const mark = this.#marks[low]
    assert(mark)
    return mark
  }

  /** Readers that run side by side pass the same places; others may know of places, too. */
  learn({ offset, first }: Mark): void {
    if (offset > (this.#marks.at(-1)?.offset ?? 0)) this.#marks.push({ offset, first })
  }
}
