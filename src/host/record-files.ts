/**
 * The module's record as the host keeps it, in `record/`:
 *
 *   groups           groups of leaves (contract/leaf.ts), as records of an AppendFile
 *   heads            one record for each signed head: u64 offset in `groups` behind the leaves that it
 *                    covers, u16 length of the note, the note, the tree's frontier at that size, and
 *                    u32 length of the record once more, so that the last one is found from the end
 *   search           what the groups can be searched by (search/segment-index.ts)
 *   prelude.<size>   groups from before unlocking, while the record had this size
 *   hashes.<level>   derived: the tree's hashes, which tiles are read from (tile-files.ts)
 *
 * The frontier stands beside each head so that opening reads and hashes only what lies behind the last
 * one. It is a note to the host itself: the module checks that it hashes to the root that was signed.
 * The module also restarts its chain of MACs at each head, so a head has to be durable before anything
 * behind it is acknowledged (commit.ts sees to the order).
 */

import assert from 'node:assert/strict'
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { decodeLeafGroup } from '../hsm/contract/leaf.ts'
import { chunkBytesMax } from '../hsm/contract/limits.ts'
import { leafHash, MerkleTree } from '../hsm/contract/merkle.ts'
import { AppendFile, type DiskCalls, framingBytes, torn } from './append-file.ts'
import { isErrorCode, makeFolder, timeInName } from './durable-file.ts'
import type { LeafQuery } from './search/query.ts'
import { type FoundLeaves, RecordSearch } from './search/search.ts'
import { SparseReader } from './sparse-reader.ts'
import {
  cutHashes,
  decodeHead,
  encodeHead,
  isSignedByBoth,
  noteSize,
  type StoredHead,
} from './stored-head.ts'
import { TileFiles } from './tile-files.ts'

/** Leaves or heads in one answer to a reader. */
export const pageEntriesMax = 1_000

export interface LeafPage {
  readonly leaves: readonly Uint8Array[]
  /** Sequence to go on from; absent at the end of what is durable. */
  readonly next?: number
}

export interface HeadPage {
  /** Signed notes (C2SP tlog-checkpoint). */
  readonly heads: readonly string[]
  /** Number of the head to go on from; absent at the end. */
  readonly next?: number
}

/** What the module is handed at its start. */
export interface StagedRecord {
  readonly head: string | undefined
  /** The hashes one after the other; empty without a head. */
  readonly frontier: Uint8Array
  /** Groups behind the head, in batches. */
  readonly groups: () => AsyncGenerator<Uint8Array[]>
}

export interface ForeignChanges {
  /** One sentence for each file that is gone, another or shorter. */
  readonly broken: readonly string[]
  /** Somebody may have written into one. */
  readonly isTouched: boolean
}

/** What is shown of a record. */
export type RecordReader = Pick<
  RecordFiles,
  'readLeaves' | 'readHeads' | 'search' | 'shownHead' | 'foreignChanges'
>

/** The groups of modules that were not unlocked, since the record has its present size. */
export interface Prelude {
  readonly file: AppendFile
  readonly groups: readonly Buffer[]
}

/**
 * A quarter of what one `stage` takes, since the leaves come back as one group together with those that
 * the module adds, and that group has to be staged at the next start. A server that is started over and
 * over with a wrong secret gets there; so that the right one still opens the module, a fuller file is put
 * aside as `prelude.<size>.full-<time>`.
 */
const preludeBytesMax = chunkBytesMax / 4

export interface RecordFilesOptions {
  readonly calls: DiskCalls
  readonly now: Date
}

export class RecordFiles {
  readonly groups: AppendFile
  readonly heads: AppendFile
  readonly tiles: TileFiles
  readonly #folder: string
  readonly #leafReader: SparseReader
  readonly #headReader: SparseReader
  readonly #search: RecordSearch
  readonly #tree: MerkleTree
  #lastHead: StoredHead | undefined
  #headAt = 0
  /** The last head that is durable, and the last that ML-DSA-65 signed too. */
  #shownHead: string | undefined
  #receiptHead: string | undefined
  /** Where `groups` will end once everything that arrived is durable. */
  #end: number

  private constructor(
    folder: string,
    groups: AppendFile,
    heads: AppendFile,
    tiles: TileFiles,
    tree: MerkleTree,
    lastHead: StoredHead | undefined,
  ) {
    this.#folder = folder
    this.groups = groups
    this.heads = heads
    this.tiles = tiles
    this.#tree = tree
    this.#lastHead = lastHead
    if (lastHead) this.durableHead(lastHead.note)
    this.#end = groups.length
    this.#leafReader = new SparseReader(groups, (group) => group.readUInt16BE(0))
    this.#headReader = new SparseReader(heads, () => 1)
    this.#search = new RecordSearch(folder, groups, (mark) => this.#leafReader.learn(mark))
  }

  /** Opens the record or makes an empty one. @throws HostError FOLDER_TORN */
  static async open(folder: string, options: RecordFilesOptions): Promise<RecordFiles> {
    await makeFolder(folder)
    const { heads, lastHead } = await openHeads(path.join(folder, 'heads'), options)
    try {
      const tree = lastHead
        ? MerkleTree.resume(lastHead.size, cutHashes(lastHead.frontier))
        : new MerkleTree()
      const head = { size: tree.size, root: tree.root() }
      const file = path.join(folder, 'groups')
      const behind: Buffer[] = []
      const groups = await AppendFile.open(file, {
        ...options,
        from: lastHead?.offset ?? 0,
        take: ({ offset, bytes }) => {
          try {
            behind.push(...appendGroup(tree, bytes))
          } catch (cause) {
            throw torn(file, offset, { cause })
          }
        },
      })
      const leafHashes = () => leafHashesIn(groups, lastHead?.offset ?? 0)
      const tiles = await TileFiles.open(folder, { head, leafHashes })
      for (const hash of behind) tiles.add(hash)
      tiles.durable(tree.size)
      return new RecordFiles(folder, groups, heads, tiles, tree, lastHead)
    } catch (error) {
      await heads.close()
      throw error
    }
  }

  /** Leaves that have arrived, durable or not yet. */
  get size(): number {
    return this.#tree.size
  }

  /** Leaves that the last head covers. */
  get signedSize(): number {
    return this.#lastHead?.size ?? 0
  }

  /** When the last head arrived, in milliseconds since 1970; 0 if none has since it was opened. */
  get headAt(): number {
    return this.#headAt
  }

  /** Takes note of a group on its way to `groups`, in the order of arrival. @throws HsmError RECORD_INVALID */
  arrived(group: Uint8Array): void {
    for (const hash of appendGroup(this.#tree, group)) this.tiles.add(hash)
    this.#end += framingBytes + group.length
  }

  /** Whether a head is of the record as it has arrived so far. */
  isOfSize(note: string): boolean {
    return noteSize(note) === this.#tree.size
  }

  /**
   * The record for `heads` of a head that has arrived, behind everything that it covers.
   * @throws AssertionError when the head is not of the record as it arrived here
   */
  arrivedHead(note: string): Buffer {
    const size = noteSize(note)
    assert.equal(size, this.#tree.size, 'a head of other leaves than arrived')
    const frontier = Buffer.concat(this.#tree.frontier)
    this.#lastHead = { note, size, frontier, offset: this.#end }
    this.#headAt = Date.now()
    return encodeHead(this.#lastHead)
  }

  /** The last head that is durable, as it was signed; undefined until there is one. */
  get shownHead(): string | undefined {
    return this.#shownHead
  }

  /** The last of them with both signatures. */
  get receiptHead(): string | undefined {
    return this.#receiptHead
  }

  /** A head that arrived is durable, with everything that it covers. */
  durableHead(note: string): void {
    this.#shownHead = note
    if (isSignedByBoth(note)) this.#receiptHead = note
  }

  /** What a module needs to go on from here. Only while nothing is on its way to the files. */
  staged(): StagedRecord {
    const head = this.#lastHead
    const { groups } = this
    return {
      head: head?.note,
      frontier: head?.frontier ?? new Uint8Array(),
      groups: async function* () {
        for await (const records of groups.read(head?.offset ?? 0)) {
          yield records.map((record) => record.bytes)
        }
      },
    }
  }

  /** A file for the groups of a module that is not unlocked yet, and those that it holds already. */
  async openPrelude(options: RecordFilesOptions): Promise<Prelude> {
    await this.removeTakenPreludes()
    const name = path.join(this.#folder, `prelude.${this.size}`)
    const prelude = await openPreludeFile(name, options)
    if (prelude.file.length <= preludeBytesMax) return prelude
    await prelude.file.close()
    await rename(name, `${name}.full-${timeInName(options.now)}`)
    return openPreludeFile(name, options)
  }

  /** A prelude of a smaller size than the record was taken into the record by the unlock that followed. */
  async removeTakenPreludes(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const size = /^prelude\.([0-9]{1,16})$/.exec(name)?.[1]
      if (size !== undefined && Number(size) < this.size) await rm(path.join(this.#folder, name))
    }
  }

  /** At most `limit` leaves from this sequence on. */
  async readLeaves(from: number, limit: number): Promise<LeafPage> {
    const { first, count } = page(from, limit)
    const leaves: Uint8Array[] = []
    let more = false
    await this.#leafReader.read(first, (group, firstLeaf) => {
      const wanted = decodeLeafGroup(group).leaves.slice(Math.max(0, first - firstLeaf))
      more = leaves.length + wanted.length > count
      leaves.push(...wanted.slice(0, count - leaves.length))
      return !more
    })
    return more ? { leaves, next: first + count } : { leaves }
  }

  /** At most `limit` heads from this number on, counted from 0. */
  async readHeads(from: number, limit: number): Promise<HeadPage> {
    const { first, count } = page(from, limit)
    const heads: string[] = []
    let more = false
    await this.#headReader.read(first, (record) => {
      more = heads.length === count
      if (!more) heads.push(decodeHead(record).note)
      return !more
    })
    return more ? { heads, next: first + count } : { heads }
  }

  /** Undefined while the index is being made. @throws HostError FOLDER_TORN */
  search(query: LeafQuery): Promise<FoundLeaves | undefined> {
    return this.#search.search(query)
  }

  /** What somebody else did to the files since the last look (sensors/record.ts). */
  async foreignChanges(): Promise<ForeignChanges> {
    const files = [this.groups, this.heads]
    const changes = await Promise.all(files.map((file) => file.foreignChange()))
    return {
      broken: changes.flatMap(({ broken }) => broken ?? []),
      isTouched: changes.some(({ isTouched }) => isTouched),
    }
  }

  async close(): Promise<void> {
    await this.#search.close()
    await this.tiles.close()
    await this.groups.close()
    await this.heads.close()
  }
}

function page(from: number, limit: number): { first: number; count: number } {
  const first = Number.isSafeInteger(from) && from > 0 ? from : 0
  const count = Math.min(Math.max(1, Math.trunc(limit) || 1), pageEntriesMax)
  return { first, count }
}

/** @returns the hashes of its leaves. @throws HsmError RECORD_INVALID */
function appendGroup(tree: MerkleTree, group: Uint8Array): Buffer[] {
  const hashes = decodeLeafGroup(group).leaves.map(leafHash)
  for (const hash of hashes) tree.append(hash)
  return hashes
}

/** Of the groups in front of an offset. @throws HostError FOLDER_TORN */
async function* leafHashesIn(groups: AppendFile, end: number): AsyncGenerator<Buffer[]> {
  for await (const records of groups.read(0)) {
    const wanted = records.filter(({ offset }) => offset < end)
    yield wanted.flatMap(({ bytes }) => decodeLeafGroup(bytes).leaves.map(leafHash))
    if (wanted.length < records.length) return
  }
}

async function openPreludeFile(file: string, options: RecordFilesOptions): Promise<Prelude> {
  const groups: Buffer[] = []
  const take = ({ bytes }: { bytes: Buffer }): number => groups.push(bytes)
  return { file: await AppendFile.open(file, { ...options, from: 0, take }), groups }
}

async function openHeads(
  file: string,
  options: RecordFilesOptions,
): Promise<{ heads: AppendFile; lastHead: StoredHead | undefined }> {
  let lastHead: StoredHead | undefined
  const heads = await AppendFile.open(file, {
    ...options,
    from: await lastRecordOffset(file),
    take: ({ offset, bytes }) => {
      try {
        lastHead = decodeHead(bytes)
      } catch (cause) {
        throw torn(file, offset, { cause })
      }
    },
  })
  return { heads, lastHead }
}

/** Where the last record begins; 0, so that all are read, when the end of the file does not tell. */
async function lastRecordOffset(file: string): Promise<number> {
  let handle: FileHandle
  try {
    handle = await open(file, 'r')
  } catch (error) {
    if (isErrorCode(error, 'ENOENT')) return 0
    throw error
  }
  try {
    const { size } = await handle.stat()
    const length = await readLength(handle, size - 4)
    const offset = size - length - framingBytes
    return length > 0 && (await readLength(handle, offset)) === length ? offset : 0
  } finally {
    await handle.close()
  }
}

async function readLength(handle: FileHandle, offset: number): Promise<number> {
  if (offset < 0) return 0
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, offset)
  return bytesRead === 4 ? buffer.readUInt32BE(0) : 0
}
