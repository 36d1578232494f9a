/** One head as the file `heads` of the record has it (docs/formats/record.md section 6). */

import { hashBytes, MerkleTree } from '../hsm/contract/merkle.ts'
import { recordBytesMax } from './append-file.ts'

export interface StoredHead {
  readonly note: string
  readonly size: number
  readonly frontier: Uint8Array
  /** Where in `groups` the leaves behind it begin. */
  readonly offset: number
}

const headFixedBytes = 8 + 2 + 4

export function encodeHead({ note, offset, frontier }: StoredHead): Buffer {
  const text = Buffer.from(note)
  const bytes = Buffer.alloc(headFixedBytes + text.length + frontier.length)
  bytes.writeBigUInt64BE(BigInt(offset), 0)
  bytes.writeUInt16BE(text.length, 8)
  text.copy(bytes, 10)
  bytes.set(frontier, 10 + text.length)
  bytes.writeUInt32BE(bytes.length, bytes.length - 4)
  return bytes
}

/** @throws Error when the bytes are no head as encodeHead writes them */
export function decodeHead(bytes: Buffer): StoredHead {
  if (bytes.length < headFixedBytes || bytes.length > recordBytesMax) throw new Error('length')
  const noteEnd = 10 + bytes.readUInt16BE(8)
  const end = bytes.length - 4
  if (noteEnd > end || bytes.readUInt32BE(end) !== bytes.length) throw new Error('lengths')
  const note = bytes.toString('utf8', 10, noteEnd)
  const size = noteSize(note)
  const frontier = bytes.subarray(noteEnd, end)
  if (frontier.length % hashBytes !== 0) throw new Error('frontier')
  // Whether the frontier fits the size: a head that does not cannot be gone on from.
  MerkleTree.resume(size, cutHashes(frontier))
  return { note, size, frontier, offset: Number(bytes.readBigUInt64BE(0)) }
}

export function cutHashes(frontier: Uint8Array): Uint8Array[] {
  return Array.from({ length: frontier.length / hashBytes }, (_, index) =>
    frontier.subarray(index * hashBytes, (index + 1) * hashBytes),
  )
}

/** A head that the module has just signed has one line of its own, or two. */
export function isSignedByBoth(note: string): boolean {
  return /\n\n(?:\u2014 [^\n]*\n){2}/.test(note)
}

/** The second line of a checkpoint. Whether it is signed is the module's to check, and the auditor's. */
export function noteSize(note: string): number {
  const size = /^[^\n]+\n(0|[1-9][0-9]{0,15})\n/.exec(note)?.[1]
  if (size === undefined) throw new Error('a head is no checkpoint')
  return Number(size)
}
