/**
 * Checks a record as an auditor does, with nothing but what the server hands out: each leaf decodes, is
 * in its place and not earlier than the one before; each head is signed by the module and is the root
 * of the Merkle tree (RFC 6962) over the leaves up to it. Leaves and heads are taken one after the
 * other, in constant memory. What does not hold throws RECORD_BROKEN and names the first bad entry.
 *
 * A leaf that was altered and is still well-formed shows at the next head: then the error names the
 * leaves between the two heads.
 */

import { clientError } from '../client/errors.ts'
import { type Checkpoint, type LogKeys, verifyCheckpoint } from '../hsm/contract/checkpoint.ts'
import { HsmError } from '../hsm/contract/errors.ts'
import { decodeLeaf, type Leaf } from '../hsm/contract/leaf.ts'
import { leafHash, MerkleTree } from '../hsm/contract/merkle.ts'

export interface RecordSource {
  /** The head as it is now. */
  readonly head: string
  /** All heads, the oldest first; those beyond the head do not matter. */
  readonly heads: AsyncIterable<string>
  /** All leaves from 0 on; those beyond the head do not matter. */
  readonly leaves: AsyncIterable<Uint8Array>
  /** A head that was kept from an earlier time: it must be one of this record. */
  readonly knownHead?: string | undefined
}

export interface RecordRules {
  /** Whose signatures count. */
  readonly keys: LogKeys
  /** "keyhold/" domain id "/" module id. */
  readonly origin: string
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

export interface VerifiedRecord {
  readonly size: number
  readonly heads: number
  readonly root: Uint8Array
  /** Microseconds since 1970; undefined in an empty record. */
  readonly firstMicros: number | undefined
  readonly lastMicros: number | undefined
}

/** @throws ClientError RECORD_BROKEN */
export async function verifyRecord(
  source: RecordSource,
  rules: RecordRules,
): Promise<VerifiedRecord> {
  const check = new RecordCheck(rules)
  const head = check.head(source.head, 'the head')
  const known =
    source.knownHead === undefined ? undefined : check.head(source.knownHead, 'the kept head')
  if (known && known.size > head.size) {
    throw broken(`the record has ${head.size} leaves and once had ${known.size}: it was cut`)
  }
  await using heads = await HeadReader.open(source.heads, check)
  for await (const leaf of source.leaves) {
    if (check.size >= head.size) break
    heads.assertUpTo(check)
    if (known?.size === check.size) check.assertRoot(known, 'the kept head')
    check.leaf(leaf)
    await heads.goOn(check)
    rules.onProgress?.(check.size, head.size)
  }
  if (check.size < head.size) throw broken(`leaf ${check.size} is missing, of ${head.size}`)
  heads.assertUpTo(check)
  check.assertRoot(head, 'the head')
  if (known?.size === check.size) check.assertRoot(known, 'the kept head')
  const { firstMicros, lastMicros } = check
  return { size: head.size, heads: heads.count, root: head.root, firstMicros, lastMicros }
}

/** The tree so far, and the rules for what may come next. */
class RecordCheck {
  readonly #rules: RecordRules
  readonly #tree = new MerkleTree()
  readonly #moduleId: string
  /** Size of the last head that was right. */
  #signed = 0
  firstMicros: number | undefined
  lastMicros: number | undefined

  constructor(rules: RecordRules) {
    this.#rules = rules
    this.#moduleId = rules.origin.split('/').at(-1) ?? ''
  }

  get size(): number {
    return this.#tree.size
  }

  leaf(bytes: Uint8Array): void {
    const place = `leaf ${this.size}`
    const leaf = decoded(place, () => decodeLeaf(bytes))
    if (leaf.sequence !== this.size) throw broken(`${place}: says that it is leaf ${leaf.sequence}`)
    if (Buffer.from(leaf.moduleId).toString('hex') !== this.#moduleId) {
      throw broken(`${place}: is of another module`)
    }
    if (leaf.timeMicros < (this.lastMicros ?? 0)) {
      throw broken(`${place}: is earlier than the leaf before it`)
    }
    this.firstMicros ??= leaf.timeMicros
    this.lastMicros = leaf.timeMicros
    this.#tree.append(leafHash(bytes))
  }

  head(note: string, place: string): Checkpoint {
    const head = decoded(place, () => verifyCheckpoint(note, this.#rules.keys))
    if (head.origin !== this.#rules.origin) throw broken(`${place}: is of another record`)
    return head
  }

  assertRoot({ size, root }: Checkpoint, place: string): void {
    if (!this.#tree.root().equals(root)) {
      const first = this.#signed
      const which =
        size - first <= 1 ? `leaf ${first}` : `one of the leaves ${first} to ${size - 1}`
      throw broken(`${place} (${size} leaves): ${which} is not what the module signed`)
    }
    this.#signed = size
  }
}

/** Reads the heads beside the leaves, never further than they reach. */
class HeadReader implements AsyncDisposable {
  readonly #notes: AsyncIterator<string>
  #next: { readonly head: Checkpoint; readonly place: string } | undefined
  #last = 0
  count = 0

  private constructor(notes: AsyncIterator<string>) {
    this.#notes = notes
  }

  static async open(notes: AsyncIterable<string>, check: RecordCheck): Promise<HeadReader> {
    const reader = new HeadReader(notes[Symbol.asyncIterator]())
    await reader.#read(check)
    await reader.goOn(check)
    return reader
  }

  /** Checks the heads of the size that the tree has now. */
  async goOn(check: RecordCheck): Promise<void> {
    while (this.#next?.head.size === check.size) {
      check.assertRoot(this.#next.head, this.#next.place)
      this.count += 1
      await this.#read(check)
    }
  }

  /** None was left out because its size was passed. */
  assertUpTo(check: RecordCheck): void {
    if (this.#next && this.#next.head.size < check.size) {
      throw broken(`${this.#next.place}: is smaller than the head before it`)
    }
  }

  async #read(check: RecordCheck): Promise<void> {
    const { value, done } = await this.#notes.next()
    if (done) {
      this.#next = undefined
      return
    }
    const place = `head ${this.#last}`
    this.#next = { head: check.head(value, place), place }
    this.#last += 1
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#notes.return?.()
  }
}

function decoded<T extends Checkpoint | Leaf>(place: string, decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    if (!(cause instanceof HsmError)) throw cause
    throw broken(`${place}: ${cause.message}`, cause)
  }
}

function broken(message: string, cause?: unknown): Error {
  return clientError('RECORD_BROKEN', message, cause === undefined ? {} : { cause })
}
