/**
 * One outside witness of the record: the newest head is brought to it whenever there is a newer one than it has
 * cosigned, and the last that it has is kept in a file of the data folder. It never holds up anything: while it does not
 * answer it is asked less and less often, and what is wrong stands in the status.
 */

import { createHash } from 'node:crypto'
import path from 'node:path'
import { parseCheckpointText } from '../../hsm/contract/checkpoint.ts'
import { cosignedAt, encodeVerifierKey } from '../../hsm/contract/cosignature.ts'
import { encodeNote, type Note, parseNote } from '../../hsm/contract/signed-note.ts'
import {
  consistencyProof,
  rangeHash,
  type SubtreeHash,
  type Tree,
} from '../../tlog/merkle-proof.ts'
import { makeFolder, readIfThere, writeDurably } from '../durable-file.ts'
import { messageOf } from '../errors.ts'
import { type Cosignature, WitnessClient, type WitnessPlace } from './client.ts'
import { WitnessFailure, type WitnessFailureCode } from './errors.ts'

/** A witness's clock may differ from this one so far before the status says so. */
const clockSecondsMax = 300
const submissionsMax = 4

/** The log that is witnessed: what is durable of it. */
export interface WitnessedLog {
  readonly origin: string
  readonly size: number
  /** The newest signed head; undefined before the first. */
  readonly head: string | undefined
  readonly subtree: SubtreeHash
}

export interface WitnessStatus {
  /** Of its key. */
  readonly name: string
  readonly url: string
  /** Of the last head that it cosigned, and when, by its clock, in milliseconds since 1970; 0 before the first. */
  readonly size: number
  readonly time: number
  /** Why the newest head is not cosigned, or what else is wrong. */
  readonly error?: { readonly code: WitnessFailureCode | 'WITNESS_CLOCK'; readonly message: string }
}

interface Cosigned extends Tree {
  readonly note: Note
  /** Seconds since 1970. */
  readonly time: number
}

export class Witness implements Disposable {
  readonly #place: WitnessPlace
  readonly #file: string
  readonly #log: WitnessedLog
  readonly #client: WitnessClient
  readonly #now: () => number
  #last: Cosigned | undefined
  /** Whether the log goes on from that. */
  #isOfLog = false
  #error: WitnessStatus['error']

  private constructor(place: WitnessPlace, file: string, { log, now, answerMs }: WitnessOptions) {
    this.#place = place
    this.#file = file
    this.#log = log
    this.#now = now
    this.#client = new WitnessClient(place, answerMs)
  }

  /** With what it cosigned before. A file that is not so is as none: it is what the witness signed, or nothing. */
  static async open(
    folder: string,
    place: WitnessPlace,
    options: WitnessOptions,
  ): Promise<Witness> {
    await makeFolder(folder)
    const id = createHash('sha256')
      .update(`${encodeVerifierKey(place.key)}\n${options.log.origin}`)
      .digest('hex')
    const file = path.join(folder, `${id.slice(0, 16)}.note`)
    const witness = new Witness(place, file, options)
    const bytes = await readIfThere(file)
    if (bytes) witness.#last = witness.#open(bytes)
    return witness
  }

  get status(): WitnessStatus {
    const { key, url } = this.#place
    const { size = 0, time = 0 } = this.#last ?? {}
    const error = this.#error ?? this.#clockError()
    return { name: key.name, url, size, time: time * 1_000, ...(error && { error }) }
  }

  /** The last head of this log that it cosigned, with this cosignature alone beside the log's signatures. */
  get cosigned(): (Tree & { readonly note: Note }) | undefined {
    return this.#isOfLog ? this.#last : undefined
  }

  /** Brings the head to it, unless it has cosigned that one. Never rejects. */
  async bring(note: string): Promise<boolean> {
    try {
      await this.#bring(parseNote(note))
      this.#error = undefined
      return true
    } catch (error) {
      const code = error instanceof WitnessFailure ? error.code : 'WITNESS_ANSWER_INVALID'
      this.#error = { code, message: messageOf(error) }
      return false
    }
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]()
  }

  async #bring(note: Note): Promise<void> {
    const head = parseCheckpointText(note.text)
    if (this.#last) {
      await this.#assertOfLog(this.#last)
      if (head.size <= this.#last.size) return
    }
    const known = this.#last?.size ?? 0
    const reply = await cosign(this.#client, this.#log, note, known)
    if (reply === undefined) return
    const signatures = [...note.signatures, reply.cosignature]
    await writeDurably(this.#file, [Buffer.from(encodeNote({ ...note, signatures }))])
    this.#last = { ...head, note: { ...note, signatures }, time: reply.time }
    this.#isOfLog = true
  }

  /** That the log goes on from what was cosigned, whatever the witness says of it today. */
  async #assertOfLog({ size, root }: Tree): Promise<void> {
    const isThere = size <= this.#log.size
    const own = isThere && size > 0 ? await rangeHash(0, size, this.#log.subtree) : root
    this.#isOfLog = isThere && Buffer.compare(own, root) === 0
    if (!isThere) throw back(size, this.#log.size)
    if (!this.#isOfLog) throw forked(size)
  }

  #clockError(): WitnessStatus['error'] {
    const ahead = (this.#last?.time ?? 0) - this.#now() / 1_000
    if (ahead <= clockSecondsMax) return undefined
    return { code: 'WITNESS_CLOCK', message: `its clock is ${Math.round(ahead)} seconds ahead` }
  }

  #open(bytes: Uint8Array): Cosigned | undefined {
    try {
      const note = parseNote(bytes)
      const { origin, size, root } = parseCheckpointText(note.text)
      const time = cosignedAt(this.#place.key, note)
      return time === undefined || origin !== this.#log.origin
        ? undefined
        : { size, root, note, time }
    } catch {
      return undefined
    }
  }
}

export interface WitnessOptions {
  readonly log: WitnessedLog
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly answerMs?: number | undefined
}

/**
 * Has one head cosigned, proved from whatever the witness has seen. Undefined when it has seen a larger one that is this
 * log's own: it was brought a newer head meanwhile, under another key of it.
 * @param known what it has cosigned at least
 * @throws WitnessFailure
 */
export async function cosign(
  client: WitnessClient,
  log: WitnessedLog,
  note: Note,
  known: number,
): Promise<Cosignature | undefined> {
  const { size } = parseCheckpointText(note.text)
  let old = known
  for (let submission = 0; submission < submissionsMax; submission += 1) {
    const proof = await consistencyProof(old, size, log.subtree)
    const reply = await client.submit({ old, proof, note: encodeNote(note) })
    if (reply === 'not consistent') throw forked(old)
    if ('cosignature' in reply) return reply
    if (reply.size < known) {
      const message = `it knows ${reply.size} leaves, and has cosigned more`
      throw new WitnessFailure('WITNESS_FORGOT', message)
    }
    if (reply.size > size) {
      if (reply.size > log.size) throw back(reply.size, log.size)
      return undefined
    }
    if (reply.size === old) throw forked(old)
    old = reply.size
  }
  throw new WitnessFailure('WITNESS_ANSWER_INVALID', 'it says another size each time')
}

function back(size: number, here: number): WitnessFailure {
  return new WitnessFailure(
    'RECORD_BACK',
    `it has seen ${size} leaves of this record, here are ${here}`,
  )
}

function forked(size: number): WitnessFailure {
  return new WitnessFailure('RECORD_FORKED', `it has seen another record with ${size} leaves`)
}
