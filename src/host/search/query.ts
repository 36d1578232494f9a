/** What is looked for in the record, and whether a leaf as it stands in its file is it. */

import { leafTexts, leafTextsOffset } from '../../hsm/contract/leaf.ts'
import { refused, textHash } from './filter.ts'

export interface LeafQuery {
  readonly command?: string | undefined
  /** A code, "OK", or "refused" for everything else than "OK". */
  readonly outcome?: string | undefined
  readonly key?: string | undefined
  readonly identity?: string | undefined
  readonly requestId?: string | undefined
  readonly protocol?: string | undefined
  /** Microseconds since 1970, both inclusive. */
  readonly sinceMicros?: number | undefined
  readonly untilMicros?: number | undefined
  readonly order: 'newest' | 'oldest'
  /** Sequence to begin at, inclusive, in this order. */
  readonly from?: number | undefined
  readonly limit: number
}

/** One field's text. */
interface Wanted {
  readonly field: number
  readonly text: Buffer
  readonly hash: number
  /** Any other text than this. */
  readonly not: boolean
}

export interface ParsedQuery {
  readonly wanted: readonly Wanted[]
  readonly sinceMicros: number
  readonly untilMicros: number
  readonly newestFirst: boolean
  readonly from: number
  readonly limit: number
}

export function parseQuery(query: LeafQuery): ParsedQuery {
  const newestFirst = query.order === 'newest'
  const wanted = leafTexts.flatMap((name, field) => {
    const given = name === 'address' ? undefined : query[name]
    if (given === undefined) return []
    const searched = Buffer.from(given)
    const hash = textHash(field, searched, 0, searched.length)
    const not = name === 'outcome' && given === refused
    return [{ field, text: not ? Buffer.from('OK') : searched, hash, not }]
  })
  return {
    wanted,
    sinceMicros: query.sinceMicros ?? 0,
    untilMicros: query.untilMicros ?? Number.MAX_SAFE_INTEGER,
    newestFirst,
    from: query.from ?? (newestFirst ? Number.MAX_SAFE_INTEGER : 0),
    limit: query.limit,
  }
}

/** Whether its time and its texts are those that are wanted; without decoding it. */
export function isMatch(
  bytes: Uint8Array,
  { wanted, sinceMicros, untilMicros }: ParsedQuery,
): boolean {
  const micros = timeOf(bytes)
  if (micros < sinceMicros || micros > untilMicros) return false
  const leaf = asBuffer(bytes)
  let field = 0
  let offset = leafTextsOffset
  for (const { field: next, text, not } of wanted) {
    for (; field < next; field += 1) offset += 1 + (leaf[offset] ?? 0)
    const start = offset + 1
    const end = start + (leaf[offset] ?? 0)
    const isText =
      end - start === text.length && leaf.compare(text, 0, text.length, start, end) === 0
    if (isText === not) return false
  }
  return true
}

/** Microseconds since 1970; 0 of no leaf. */
export function timeOf(leaf: Uint8Array | undefined): number {
  if (leaf === undefined) return 0
  const bytes = asBuffer(leaf)
  return bytes.readUInt32BE(10) * 0x1_0000_0000 + bytes.readUInt32BE(14)
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
