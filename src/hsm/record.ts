/**
 * The module's own record of what it was asked (design section 9, docs/formats/record.md): a leaf for
 * each command, a group of leaves for each answer, closed by a MAC that is chained to the one before,
 * and heads of the Merkle tree, signed. A head restarts the chain, so that a restart needs only the last
 * head, its frontier and the groups behind it. Before unlocking there is no key to chain with: the
 * prelude takes the leaves then, and its groups carry a MAC of zeros.
 */

import {
  createHmac,
  createSecretKey,
  generateKeySync,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto'
import { type Checkpoint, verifyCheckpoint } from './contract/checkpoint.ts'
import { HsmError } from './contract/errors.ts'
import {
  decodeLeaf,
  decodeLeafGroup,
  encodeLeaf,
  encodeLeafGroup,
  type Leaf,
  leafFlagClaimed,
} from './contract/leaf.ts'
import {
  chunkBytesMax,
  headIntervalMs,
  leavesPerHeadMax,
  preludeLeavesMax,
} from './contract/limits.ts'
import { hashBytes, leafHash, MerkleTree } from './contract/merkle.ts'
import type { Domain } from './domain.ts'
import type { RecordProgress } from './sealed-state.ts'

/** What a command says of itself; time, sequence and module are the record's own. */
export type LeafEntry = Omit<Leaf, 'flags' | 'sequence' | 'timeMicros' | 'moduleId'>

/** Where leaves go: the record, or before unlocking the prelude. */
export interface LeafSink {
  /** HMAC-SHA-256 over the pieces, each preceded by its length, under a key that never leaves. */
  digest(pieces: readonly Uint8Array[]): Buffer
  add(entry: LeafEntry): void
  /** All leaves since the last group, encoded as one group. */
  closeGroup(): Buffer
}

/** What the host kept of a record, as it was staged. */
export interface StoredRecord {
  /** The last head's note, or nothing when none was signed yet. */
  readonly head: string | undefined
  /** The hashes of the frontier at that head, one after the other. */
  readonly frontier: Uint8Array
  /** Encoded groups behind the head, in order. */
  readonly groups: Iterable<Uint8Array>
}

/** Microseconds since 1970. */
export type Clock = () => number

/**
 * The later of two clocks: the one that began with the process, which nobody turns back but which
 * stands still while the machine sleeps, and the system's.
 */
export const systemClock: Clock = () =>
  Math.floor(Math.max(performance.timeOrigin + performance.now(), Date.now()) * 1000)

/** The system's alone, which can be turned back: to notice that it was. */
export const wallClock: Clock = () => Date.now() * 1000

export class ModuleRecord implements LeafSink {
  #domain: Domain
  readonly #clock: Clock
  readonly #chainKey: KeyObject
  readonly #argumentsKey: KeyObject
  /** The leaves whose groups are closed. */
  #tree = new MerkleTree()
  #chain: Buffer
  #lastMicros = 0
  #headSize = 0
  #headMicros = 0
  /** When ML-DSA-65 signed last. */
  #postQuantumMicros = Number.NEGATIVE_INFINITY
  #storedSize = 0
  #open: Buffer[] = []

  private constructor(domain: Domain, clock: Clock) {
    this.#domain = domain
    this.#clock = clock
    this.#headMicros = clock()
    this.#chainKey = domain.recordKey.expose((bytes) => createSecretKey(bytes))
    this.#argumentsKey = domain.argumentsKey.expose((bytes) => createSecretKey(bytes))
    this.#chain = this.#chainStart({ size: 0, root: this.#tree.root() })
  }

  /** A new record of size 0. */
  static start(domain: Domain, clock: Clock): ModuleRecord {
    return new ModuleRecord(domain, clock)
  }

  /**
   * Goes on where the stored record ends: the head is this module's, the frontier hashes to its root,
   * each group continues the chain, sequence numbers have no gap, times do not go back, and nothing is
   * missing of what the sealed state has seen.
   * @throws HsmError RECORD_INVALID
   */
  static resume(
    domain: Domain,
    stored: StoredRecord,
    least: RecordProgress,
    clock: Clock,
  ): ModuleRecord {
    const record = new ModuleRecord(domain, clock)
    if (stored.head !== undefined) record.#resumeHead(stored.head, stored.frontier)
    else if (stored.frontier.length > 0) throw invalid('a frontier without a head')
    for (const group of stored.groups) record.#resumeGroup(group)
    if (record.size < least.storedSize) throw invalid('the record is shorter than it was')
    record.#storedSize = record.size
    record.#lastMicros = Math.max(record.#lastMicros, least.lastMicros)
    return record
  }

  /** The same domain and module with other keys of its epoch. */
  useDomain(domain: Domain): void {
    this.#domain = domain
  }

  /** Number of leaves, those included whose group is not closed yet. */
  get size(): number {
    return this.#tree.size + this.#open.length
  }

  /** Over the closed groups, not signed. */
  get head(): { readonly size: number; readonly root: Buffer } {
    return { size: this.#tree.size, root: this.#tree.root() }
  }

  /** Number of leaves that the host has durably, by its own word. */
  get storedSize(): number {
    return this.#storedSize
  }

  /** Leaves that the host has not yet said it stored. */
  get unstored(): number {
    return this.size - this.#storedSize
  }

  /** Time of the last leaf, microseconds. */
  get lastMicros(): number {
    return this.#lastMicros
  }

  digest(pieces: readonly Uint8Array[]): Buffer {
    return digestOf(this.#argumentsKey, pieces)
  }

  add(entry: LeafEntry): void {
    this.#add(entry, 0, this.#clock())
  }

  /**
   * Takes in the leaves from before unlocking: first the groups that the host kept from earlier
   * processes, as its word (leafFlagClaimed), then this process's own. They keep their texts, and their
   * times as far as those are neither in the future nor before the record's last.
   * @throws HsmError RECORD_INVALID when the host's are not groups of a prelude; nothing is added then
   */
  takePrelude(claimed: Iterable<Uint8Array>, own: Prelude): void {
    const earlier = [...claimed].flatMap(decodePreludeGroup)
    const nowMicros = this.#clock()
    for (const leaf of earlier) {
      this.#add(leaf, leafFlagClaimed, Math.min(leaf.timeMicros, nowMicros))
    }
    for (const leaf of own.leaves) this.#add(leaf, 0, leaf.timeMicros)
  }

  closeGroup(): Buffer {
    const hashes = this.#open.map(leafHash)
    this.#chain = this.#nextMac(hashes)
    const group = encodeLeafGroup({ leaves: this.#open, mac: this.#chain })
    for (const hash of hashes) this.#tree.append(hash)
    this.#open = []
    return group
  }

  /** True when a second has passed or enough leaves have come since the last head. */
  headDue(): boolean {
    const behind = this.#tree.size - this.#headSize
    if (behind === 0) return false
    const sinceMs = (this.#clock() - this.#headMicros) / 1000
    return behind >= leavesPerHeadMax || sinceMs >= headIntervalMs
  }

  /**
   * The head over all closed groups. The chain restarts with it: it goes to the host before any group
   * that is closed later. ML-DSA-65 signs with Ed25519, unless it did within the last second: a head that
   * is due because a second has passed has both, and so does the last head before nothing more is asked.
   */
  signHead(): string {
    const checkpoint = {
      origin: this.#domain.origin,
      size: this.#tree.size,
      root: this.#tree.root(),
    }
    const now = this.#clock()
    const isPostQuantum = now - this.#postQuantumMicros >= headIntervalMs * 1000
    if (isPostQuantum) this.#postQuantumMicros = now
    this.#headSize = checkpoint.size
    this.#headMicros = now
    this.#chain = this.#chainStart(checkpoint)
    return this.#domain.signHead(checkpoint, { isPostQuantum })
  }

  /** The host says that the record is durable up to this size. @throws HsmError ARGUMENT_INVALID */
  stored(size: number): void {
    if (!Number.isSafeInteger(size) || size < 0 || size > this.#tree.size) {
      throw new HsmError('ARGUMENT_INVALID', 'the record is not of that size')
    }
    this.#storedSize = Math.max(this.#storedSize, size)
  }

  #add(entry: LeafEntry, flags: number, atMicros: number): void {
    const timeMicros = Math.max(this.#lastMicros, atMicros)
    const { moduleId } = this.#domain
    this.#open.push(encodeLeaf({ ...entry, flags, sequence: this.size, timeMicros, moduleId }))
    this.#lastMicros = timeMicros
  }

  #nextMac(hashes: readonly Buffer[]): Buffer {
    const hmac = createHmac('sha256', this.#chainKey).update(this.#chain)
    for (const hash of hashes) hmac.update(hash)
    return hmac.digest()
  }

  #chainStart({ size, root }: Pick<Checkpoint, 'size' | 'root'>): Buffer {
    return createHmac('sha256', this.#chainKey)
      .update(`keyhold record head\n${size}\n`)
      .update(root)
      .digest()
  }

  #resumeHead(note: string, frontier: Uint8Array): void {
    const checkpoint = verifyCheckpoint(note, this.#domain.logKeys)
    if (checkpoint.origin !== this.#domain.origin) throw invalid('a head of another record')
    const hashes = Array.from({ length: Math.ceil(frontier.length / hashBytes) }, (_, index) =>
      frontier.subarray(index * hashBytes, (index + 1) * hashBytes),
    )
    try {
      this.#tree = MerkleTree.resume(checkpoint.size, hashes)
    } catch (cause) {
      throw new HsmError('RECORD_INVALID', 'the frontier does not fit its head', { cause })
    }
    if (!this.#tree.root().equals(checkpoint.root)) throw invalid('the frontier is not of its head')
    this.#headSize = checkpoint.size
    this.#chain = this.#chainStart(checkpoint)
  }

  #resumeGroup(bytes: Uint8Array): void {
    const { leaves, mac } = decodeLeafGroup(bytes)
    const hashes = leaves.map(leafHash)
    const expected = this.#nextMac(hashes)
    if (!timingSafeEqual(expected, mac)) throw invalid('a group does not continue the record')
    for (const [index, leafBytes] of leaves.entries()) {
      const leaf = decodeLeaf(leafBytes)
      const hash = hashes[index]
      if (!hash || leaf.sequence !== this.#tree.size || leaf.timeMicros < this.#lastMicros) {
        throw invalid('a leaf is out of order')
      }
      this.#tree.append(hash)
      this.#lastMicros = leaf.timeMicros
    }
    this.#chain = expected
  }
}

/** Bytes of own leaves that a prelude takes, so that with what is staged they fit one answer. */
const preludeBytesMax = chunkBytesMax / 2

/**
 * The leaves from before unlocking, when there is no key to chain with: the host keeps their groups,
 * whose MACs are zeros, and the module remembers them until they become leaves of its record.
 */
export class Prelude implements LeafSink {
  readonly #clock: Clock
  /**
   * Fresh for each process: digests of the prelude are comparable within it only. OpenSSL's own, so that a
   * module whose generator failed can still record what it was asked.
   */
  readonly #argumentsKey = generateKeySync('hmac', { length: hashBytes * 8 })
  readonly #leaves: Leaf[] = []
  #bytes = 0
  #lastMicros = 0
  #open: Buffer[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** True when no more commands may be taken before the module is unlocked. */
  get full(): boolean {
    return this.#leaves.length >= preludeLeavesMax || this.#bytes >= preludeBytesMax
  }

  /** All leaves so far, in order. */
  get leaves(): readonly Leaf[] {
    return this.#leaves
  }

  digest(pieces: readonly Uint8Array[]): Buffer {
    return digestOf(this.#argumentsKey, pieces)
  }

  add(entry: LeafEntry): void {
    this.#lastMicros = Math.max(this.#lastMicros, this.#clock())
    const leaf = {
      ...entry,
      flags: leafFlagClaimed,
      sequence: this.#leaves.length,
      timeMicros: this.#lastMicros,
      moduleId: noModule,
    }
    const bytes = encodeLeaf(leaf)
    this.#leaves.push(leaf)
    this.#bytes += bytes.length
    this.#open.push(bytes)
  }

  closeGroup(): Buffer {
    const group = encodeLeafGroup({ leaves: this.#open, mac: noMac })
    this.#open = []
    return group
  }
}

const noMac = Buffer.alloc(hashBytes)
const noModule = Buffer.alloc(16)

function decodePreludeGroup(bytes: Uint8Array): Leaf[] {
  const { leaves, mac } = decodeLeafGroup(bytes)
  if (!noMac.equals(mac)) throw invalid('not a group from before unlocking')
  return leaves.map(decodeLeaf)
}

function digestOf(key: KeyObject, pieces: readonly Uint8Array[]): Buffer {
  const hmac = createHmac('sha256', key)
  const length = Buffer.allocUnsafe(4)
  for (const piece of pieces) {
    length.writeUInt32BE(piece.length)
    hmac.update(length).update(piece)
  }
  return hmac.digest()
}

function invalid(message: string): HsmError {
  return new HsmError('RECORD_INVALID', message)
}
