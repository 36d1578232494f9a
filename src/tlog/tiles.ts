/**
 * Tiles (c2sp.org/tlog-tiles): the hashes of a log's tree, 256 to a tile, and its entries, as resources with paths. A
 * tree is read through them; a tile that is full never changes.
 */

import { HsmError } from '../hsm/contract/errors.ts'
import { hashBytes, nodeHash } from '../hsm/contract/merkle.ts'
import type { SubtreeHash } from './merkle-proof.ts'

export const tileWidth = 256
/** Levels of the tree in one tile. */
const tileHeight = 8
const levelMax = 63

export interface Tile {
  /** Of hashes, or "entries". */
  readonly level: number | 'entries'
  readonly index: number
  /** Hashes or entries in it, 1 to 256. */
  readonly width: number
}

/** Behind the prefix of the log. */
export function tilePath({ level, index, width }: Tile): string {
  const digits = String(index)
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/[0-9]{3}/g) ?? []
  const path = groups.map((group, place) => (place < groups.length - 1 ? `x${group}` : group))
  return `tile/${level}/${path.join('/')}${width < tileWidth ? `.p/${width}` : ''}`
}

const pathPattern =
  /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/

/** Undefined unless it is the one path of a tile. */
export function parseTilePath(path: string): Tile | undefined {
  const [, levelText, indexText = '', widthText] = pathPattern.exec(path) ?? []
  const level = levelText === 'entries' ? levelText : Number(levelText)
  const index = Number(indexText.replaceAll(/[x/]/g, ''))
  const width = widthText === undefined ? tileWidth : Number(widthText)
  const isTile = level === 'entries' || level <= levelMax
  return isTile && tilePath({ level, index, width }) === path ? { level, index, width } : undefined
}

/** Of a tree of this size, the full width of a tile; 0 when there is nothing in it. */
export function tileWidthIn(size: number, { level, index }: Omit<Tile, 'width'>): number {
  const hashes = Math.floor(size / tileWidth ** (level === 'entries' ? 0 : level))
  return Math.max(0, Math.min(tileWidth, hashes - index * tileWidth))
}

/** Entries, each behind its length (u16). */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    entries.flatMap((entry) => {
      const length = Buffer.alloc(2)
      length.writeUInt16BE(entry.length)
      return [length, entry]
    }),
  )
}

/** A tile's hashes one after the other, as many as it has or more. */
export type ReadTile = (level: number, index: number) => Promise<Uint8Array>

/**
 * The tree's subtrees through its tiles: each stands in one, or is hashed from a row of one.
 * @throws HsmError RECORD_INVALID for a tile that is too short
 */
export function subtreesOf(readTile: ReadTile): SubtreeHash {
  return async (height, index) => {
    const level = Math.floor(height / tileHeight)
    const count = 2 ** (height % tileHeight)
    const first = index * count
    const tile = await readTile(level, Math.floor(first / tileWidth))
    const start = (first % tileWidth) * hashBytes
    const row = tile.subarray(start, start + count * hashBytes)
    if (row.length !== count * hashBytes) throw invalid('a tile is too short')
    return rootOfRow(row)
  }
}

/** MTH over a row of 2^n hashes. */
export function rootOfRow(row: Uint8Array): Uint8Array {
  if (row.length === hashBytes) return row
  const middle = row.length / 2
  return nodeHash(rootOfRow(row.subarray(0, middle)), rootOfRow(row.subarray(middle)))
}

function invalid(message: string): HsmError {
  return new HsmError('RECORD_INVALID', message)
}
