/**
 * From the durable record to one sink. The record itself is the buffer: a pump holds one batch, and a
 * cursor on the disk (`sinks/<name>.json`: the sequence of the next entry and the hash of the one
 * before it, synced) that moves after the sink has the batch. So a sink that is dead or slow costs
 * nothing but a log line, and nothing is lost; after a crash up to a second of entries comes again, with
 * the sequences that it had.
 */

import { setTimeout as delay } from 'node:timers/promises'
import { readIfThere, writeDurably } from '../../host/durable-file.ts'
import { messageOf } from '../../host/errors.ts'
import { leafHash } from '../../hsm/contract/merkle.ts'
import type { LogEntry } from '../../kms/kms.ts'
import type { SinkStatus } from '../../protocols/rest/options.ts'
import type { SinkSettings } from './configuration.ts'
import { lineOf, type Sink } from './sink.ts'

/** The durable record. */
export interface Source {
  /** Leaves. */
  size(): number
  readLeaves(from: number, limit: number): Promise<{ readonly leaves: readonly Uint8Array[] }>
}

export interface PumpOptions {
  readonly settings: SinkSettings
  readonly sink: Sink
  readonly source: Source
  /** Of the cursor. */
  readonly file: string
  readonly now: () => number
  readonly log: (entry: LogEntry) => void
  /** How long the record's end is not looked at; a first delay after a failure is as long. */
  readonly pauseMs?: number
}

const pauseMsDefault = 1_000
const delayMsMax = 60_000
const saveMs = 1_000
const errorCharactersMax = 300

export class Pump implements AsyncDisposable {
  readonly #options: PumpOptions
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  readonly #timer: NodeJS.Timeout
  #next: number
  /** Hash of the leaf before #next; empty without one. */
  #last: string
  #saved: number
  /** Whether the cursor was found to be of this record. */
  #fits = false
  #savedTime = 0
  /** Microseconds since 1970 of the entry at #next; 0 while it is not known. */
  #nextMicros = 0
  #failures = 0
  #late = false
  #error = ''
  #errorTime = 0
  #sentTime = 0

  private constructor(options: PumpOptions, { next, last }: Cursor) {
    this.#options = options
    this.#next = next
    this.#last = last
    this.#saved = next
    this.#timer = setInterval(() => this.#watchLag(), options.pauseMs ?? pauseMsDefault)
    this.#running = this.#run()
  }

  /** @throws Error when the cursor is there and cannot be read */
  static async start(options: PumpOptions): Promise<Pump> {
    return new Pump(options, await readCursor(options.file))
  }

  status(): SinkStatus {
    const { settings, source, now } = this.#options
    const lagEntries = Math.max(0, source.size() - this.#next)
    const since = lagEntries > 0 ? this.#nextMicros : 0
    return {
      name: settings.name,
      type: settings.type,
      next: this.#next,
      lagEntries,
      lagSeconds: since === 0 ? 0 : Math.max(0, Math.floor((now() - since / 1_000) / 1_000)),
      late: this.#late,
      error: this.#error,
      errorTime: this.#errorTime,
      sentTime: this.#sentTime,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    clearInterval(this.#timer)
    await this.#running
    await this.#options.sink[Symbol.asyncDispose]()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    const { pauseMs = pauseMsDefault } = this.#options
    while (!signal.aborted) {
      let waitMs = pauseMs
      try {
        if (await this.#sendBatch()) waitMs = 0
        this.#succeeded()
      } catch (error) {
        if (signal.aborted) break
        this.#failed(reasonOf(error))
        waitMs = Math.min(pauseMs * 2 ** Math.min(this.#failures - 1, 20), delayMsMax)
      }
      if (waitMs > 0) await delay(waitMs, undefined, { signal }).catch(() => undefined)
    }
    await this.#save().catch((error: unknown) => this.#failed(reasonOf(error)))
  }

  /** Whether there is likely to be more. */
  async #sendBatch(): Promise<boolean> {
    const { sink, source, now } = this.#options
    await this.#assertFits()
    if (source.size() === this.#next) {
      await this.#save()
      return false
    }
    const { leaves } = await source.readLeaves(this.#next, sink.entriesMax)
    const lines = leaves.map(lineOf)
    const last = leaves.at(-1)
    if (last === undefined) return false
    this.#nextMicros = lines[0]?.entry.timeMicros ?? 0
    await sink.deliver(lines, this.#stop.signal)
    this.#next += lines.length
    this.#last = hashOf(last)
    this.#nextMicros = lines.at(-1)?.entry.timeMicros ?? 0
    this.#sentTime = now()
    const isFull = lines.length === sink.entriesMax
    if (!isFull || now() - this.#savedTime >= saveMs) await this.#save()
    return isFull
  }

  /** What was sent has to be in the record: one that was put back would grow over it unseen. */
  async #assertFits(): Promise<void> {
    if (this.#fits) return
    if (this.#next > 0) {
      const { leaves } = await this.#options.source.readLeaves(this.#next - 1, 1)
      const [last] = leaves
      if (last === undefined || hashOf(last) !== this.#last) {
        throw new Error(`entry ${this.#next - 1}, which it has, is not in the record`)
      }
    }
    this.#fits = true
  }

  async #save(): Promise<void> {
    const next = this.#next
    if (this.#saved === next) return
    const cursor: Cursor = { next, last: this.#last }
    await writeDurably(this.#options.file, [Buffer.from(`${JSON.stringify(cursor)}\n`)])
    this.#saved = next
    this.#savedTime = this.#options.now()
  }

  #succeeded(): void {
    if (this.#failures > 0) this.#say('info', 'is served again')
    this.#failures = 0
    this.#error = ''
  }

  #failed(reason: string): void {
    this.#failures += 1
    this.#error = reason.slice(0, errorCharactersMax)
    this.#errorTime = this.#options.now()
    if (this.#failures === 1) this.#say('warn', `cannot be served, and is tried again: ${reason}`)
  }

  #watchLag(): void {
    const { lagEntriesMax, lagSecondsMax } = this.#options.settings
    const { lagEntries, lagSeconds } = this.status()
    const isStopped = this.#failures > 0 && !this.#fits
    const isLate = lagEntries > lagEntriesMax || lagSeconds > lagSecondsMax || isStopped
    if (isLate === this.#late) return
    this.#late = isLate
    const lag = `${lagEntries} entries, ${lagSeconds} s`
    if (isLate) this.#say('error', `lags behind the record: ${lag}`)
    else this.#say('info', `has caught up: ${lag}`)
  }

  #say(level: LogEntry['level'], what: string): void {
    const { settings, log } = this.#options
    log({ level, message: `sink ${settings.name} ${what}`, sink: settings.name })
  }
}

interface Cursor {
  readonly next: number
  readonly last: string
}

async function readCursor(file: string): Promise<Cursor> {
  const bytes = await readIfThere(file)
  if (bytes === undefined) return { next: 0, last: '' }
  const pattern = /^\{"next":([1-9][0-9]{0,14}),"last":"([0-9a-f]{64})"\}\n$/
  const [, next, last] = pattern.exec(bytes.toString('latin1')) ?? []
  if (next !== undefined && last !== undefined) return { next: Number(next), last }
  throw new Error(`${file} is no cursor; without it the sink begins at the first entry`)
}

function hashOf(leaf: Uint8Array): string {
  return Buffer.from(leafHash(leaf)).toString('hex')
}

function reasonOf(error: unknown): string {
  // Of several addresses that were tried, Node says nothing but the code.
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'no reason given'
  return messageOf(error) || code
}
