/**
 * The hashes of the record's tree by the levels of its tiles (c2sp.org/tlog-tiles), beside the record in files
 * `hashes.<level>`, one after the other: a tile is 256 of them in a row. All of it is derived. Nothing waits for it and
 * nothing is synced; when the files are opened they are hashed up to the last head, in the background, and made anew
 * from the record if that does not come out. In memory is what is not written yet, and one tile of each level.
 */

import assert from 'node:assert/strict'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import path from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { hashBytes } from '../hsm/contract/merkle.ts'
import { rangeHash, type Tree } from '../tlog/merkle-proof.ts'
import { type ReadTile, rootOfRow, subtreesOf, tileWidth, tileWidthIn } from '../tlog/tiles.ts'
import { fileMode } from './durable-file.ts'

/** Enough for 2^40 leaves. */
const levelsMax = 5
/** Hashes that are worth a write; hashed and written in one turn. */
const writeHashes = 1_024

export interface HashedRecord {
  /** The last head. */
  readonly head: Tree
  /** The hashes of its leaves, read from the record itself. */
  readonly leafHashes: () => AsyncIterable<readonly Uint8Array[]>
}

export class TileFiles {
  readonly #levels: readonly Level[]
  readonly #leaves: Level
  /** Resolves when the files are known to be those of the record; rejects when the record itself is not. */
  readonly #ready: Promise<void>
  /** Hashes of leaves that are not in the levels yet, in order of arrival. */
  #waiting: Uint8Array[] = []
  #durableSize = 0
  #writing: Promise<void> = Promise.resolve()
  /** A write that has not begun. */
  #next: Promise<void> | undefined
  #isBroken = false
  #isClosing = false

  private constructor(levels: readonly [Level, ...Level[]], record: HashedRecord) {
    this.#levels = levels
    this.#leaves = levels[0]
    this.#ready = this.#restore(record)
    this.#ready.catch(() => {
      this.#isBroken = true
      this.#waiting = []
    })
  }

  static async open(folder: string, record: HashedRecord): Promise<TileFiles> {
    const leaves = await Level.open(folder, 0)
    const upper = Array.from({ length: levelsMax - 1 }, (_, index) => Level.open(folder, index + 1))
    return new TileFiles([leaves, ...(await Promise.all(upper))], record)
  }

  /** The hash of the leaf that arrived next. */
  add(leaf: Uint8Array): void {
    if (!this.#isBroken) this.#waiting.push(leaf)
  }

  /** So many leaves are durable and may be shown. */
  durable(size: number): void {
    this.#durableSize = Math.max(this.#durableSize, size)
    if (this.#durableSize - this.#leaves.count >= writeHashes) {
      this.#write().catch(() => undefined)
    }
  }

  get size(): number {
    return this.#durableSize
  }

  /** Of a tree of this size, which is durable: as much of a tile as it has, which may be nothing. */
  readIn(size: number): ReadTile {
    assert(size <= this.#durableSize)
    return async (level, index) => {
      const width = tileWidthIn(size, { level, index })
      if (width === 0) return new Uint8Array()
      await this.#write()
      const file = this.#levels[level]
      assert(file)
      return file.read(index * tileWidth, width)
    }
  }

  /** What is durable is in the files then, if they can be written. */
  async close(): Promise<void> {
    this.#isClosing = true
    await this.#write().catch(() => undefined)
    for (const level of this.#levels) await level.close()
  }

  /** Everything durable goes into the files. What cannot be written is tried again with the next. */
  #write(): Promise<void> {
    this.#next ??= this.#writing
      .catch(() => undefined)
      .then(() => this.#ready)
      .then(async () => {
        this.#next = undefined
        this.#push(this.#waiting.splice(0, this.#durableSize - this.#leaves.count))
        await this.#writeLevels()
      })
    this.#writing = this.#next
    return this.#next
  }

  #push(leaves: readonly Uint8Array[]): void {
    for (const leaf of leaves) {
      let hash: Uint8Array | undefined = leaf
      for (const level of this.#levels) hash &&= level.push(hash)
    }
  }

  async #writeLevels(): Promise<void> {
    for (const level of this.#levels) await level.write()
  }

  /** @throws Error when what is made from the record is not what its head says either */
  async #restore({ head, leafHashes }: HashedRecord): Promise<void> {
    if (await this.#fits(head, this.#leaves.readAll(head.size))) return
    const isRight = await this.#fits(head, leafHashes())
    if (!isRight && !this.#isClosing) throw new Error('the record is not what its last head says')
  }

  /** Fills the levels from these hashes of leaves; whether that is the tree of the head. */
  async #fits(head: Tree, hashes: AsyncIterable<readonly Uint8Array[]>): Promise<boolean> {
    for (const level of this.#levels) level.reset()
    for await (const leaves of hashes) {
      if (this.#isClosing) return false
      this.#push(leaves)
      await this.#writeLevels()
      await setImmediate()
    }
    for (const level of this.#levels) await level.cut()
    if (this.#leaves.count !== head.size || head.size === 0) return this.#leaves.count === head.size
    const subtree = subtreesOf(async (level, index) => {
      const width = tileWidthIn(head.size, { level, index })
      return this.#levels[level]?.read(index * tileWidth, width) ?? new Uint8Array()
    })
    return Buffer.compare(await rangeHash(0, head.size, subtree), head.root) === 0
  }
}

/** The hashes of one level. */
class Level {
  readonly #file: FileHandle
  /** In the file. */
  #written = 0
  #unwritten: Uint8Array[] = []
  /** The last tile as far as it goes. */
  readonly #row = Buffer.alloc(tileWidth * hashBytes)

  private constructor(file: FileHandle) {
    this.#file = file
  }

  static async open(folder: string, level: number): Promise<Level> {
    const flags = constants.O_RDWR | constants.O_CREAT
    return new Level(await open(path.join(folder, `hashes.${level}`), flags, fileMode))
  }

  get count(): number {
    return this.#written + this.#unwritten.length
  }

  /** @returns the hash of the tile that it fills, for the level above */
  push(hash: Uint8Array): Uint8Array | undefined {
    const place = this.count % tileWidth
    this.#row.set(hash, place * hashBytes)
    this.#unwritten.push(hash)
    return place === tileWidth - 1 ? rootOfRow(this.#row) : undefined
  }

  async write(): Promise<void> {
    const hashes = this.#unwritten
    if (hashes.length === 0) return
    await writeFully(this.#file, Buffer.concat(hashes), this.#written * hashBytes)
    this.#written += hashes.length
    this.#unwritten = this.#unwritten.slice(hashes.length)
  }

  async read(first: number, count: number): Promise<Buffer> {
    const bytes = Buffer.alloc(count * hashBytes)
    const { bytesRead } = await this.#file.read(bytes, 0, bytes.length, first * hashBytes)
    return bytes.subarray(0, bytesRead)
  }

  /** The hashes that are in the file, up to this number. */
  async *readAll(size: number): AsyncGenerator<Buffer[]> {
    for (let first = 0; first < size; first += writeHashes) {
      const bytes = await this.read(first, Math.min(writeHashes, size - first))
      yield Array.from({ length: Math.floor(bytes.length / hashBytes) }, (_, index) =>
        bytes.subarray(index * hashBytes, (index + 1) * hashBytes),
      )
    }
  }

  /** Begins anew. The file keeps what it has. */
  reset(): void {
    this.#written = 0
    this.#unwritten = []
  }

  /** What stands behind in the file is of nothing. */
  async cut(): Promise<void> {
    await this.#file.truncate(this.#written * hashBytes)
  }

  async close(): Promise<void> {
    await this.#file.close()
  }
}

async function writeFully(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) {
    const { bytesWritten } = await file.write(
      bytes,
      offset,
      bytes.length - offset,
      position + offset,
    )
    offset += bytesWritten
  }
}
