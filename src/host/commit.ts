/**
 * Group commit: nothing is released before it is durable (invariant 5), and everything that arrived
 * while one sync ran goes into the next write. Entries are written in the order in which the module
 * sent them: sealed changes first and synced, then leaves, and only then are their answers released.
 *
 * Changes come first so that a leaf is never untrue: what the record says was destroyed is destroyed,
 * also when the power goes between the two. The other way to be cut off, a change whose leaf is missing,
 * is one that nobody was told of; whoever asked for it asks again. The module accepts state that is ahead
 * of its record: sealed state names only leaves that the host had acknowledged.
 *
 * A head ends a write: it is appended once the leaves that it covers are durable, and is durable before
 * what follows, whose chain of MACs begins at it.
 *
 * When the disk refuses, those who wait are told so and their answers are never released, but what
 * arrived stays in the queue, because the record must have no gap; it is tried again, bounded, with
 * growing delays. Nothing new may be sent to the module meanwhile (`failure`).
 */

import assert from 'node:assert/strict'
import { type AppendFile, frameRecords } from './append-file.ts'
import { HostError } from './errors.ts'
import type { HostMeter } from './options.ts'

/** What one frame from the module asks to be kept, and who waits for it. */
export interface Entry {
  readonly group: Uint8Array | undefined
  readonly groupFile: AppendFile
  readonly changes: readonly Uint8Array[]
  readonly changesFile: AppendFile | undefined
  /** A record for the file of heads. */
  readonly head: Uint8Array | undefined
  readonly headFile: AppendFile | undefined
  /** Leaves of the record once this is durable. */
  readonly recordSize: number
  /**
   * Called when the group and the changes, or the head, are durable, or with an error when that failed
   * for the first time. Only the first call counts.
   */
  readonly settle: (error: HostError | undefined) => void
}

export interface CommitOptions {
  /** So many leaves of the record are durable. */
  readonly committed: (recordSize: number) => void
  readonly failed: (error: HostError) => void
  readonly recovered: () => void
  readonly meter?: HostMeter | undefined
  /** First delay before trying again; doubles up to retryDelayMsMax. */
  readonly retryDelayMs?: number
}

/** Bytes that one write takes, unless a single entry is larger. */
const commitBytesMax = 8 * 1024 * 1024
const retryDelayMsMax = 10_000
/** About an hour, most of them with the longest delay. */
const retriesMax = 360

interface Step {
  readonly file: AppendFile
  readonly records: Buffer
  /** Whose answers may go out behind this step. */
  readonly releases: readonly Entry[]
}

interface Batch {
  readonly entries: readonly Entry[]
  readonly steps: readonly Step[]
}

export class Commit {
  readonly #options: CommitOptions
  #queue: Entry[] = []
  #running = false
  #failure: HostError | undefined
  #retries = 0
  #retryTimer: NodeJS.Timeout | undefined
  #appending = false
  #stopped = false
  #appended: (() => void) | undefined
  #idle: ((error?: HostError) => void)[] = []
  #durableAt = 0

  constructor(options: CommitOptions) {
    this.#options = options
  }

  /** Why nothing can be made durable at present; undefined when it can. */
  get failure(): HostError | undefined {
    return this.#failure
  }

  /** When something was made durable last, in milliseconds since 1970; 0 if nothing was yet. */
  get durableAt(): number {
    return this.#durableAt
  }

  add(entry: Entry): void {
    assert(entry.group ? !entry.head : entry.head && entry.changes.length === 0)
    this.#queue.push(entry)
    if (this.#failure) entry.settle(this.#failure)
    if (this.#running) return
    // What came in the same bytes from the door goes along.
    this.#running = true
    queueMicrotask(() => this.#next())
  }

  /** Resolves when nothing waits to be written. @throws HostError STORAGE_FAILED */
  async idle(): Promise<void> {
    if (this.#failure) throw this.#failure
    if (!this.#running) return
    await new Promise<void>((resolve, reject) =>
      this.#idle.push((error) => (error ? reject(error) : resolve())),
    )
  }

  /**
   * Gives up; what is still in the queue was never acknowledged. Resolves when no call of ours is under
   * way any more, so that the files can be closed.
   */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#retryTimer)
    if (!this.#appending) return
    await new Promise<void>((resolve) => {
      this.#appended = resolve
    })
  }

  #next(): void {
    this.#running = this.#queue.length > 0
    if (!this.#running) {
      this.#wakeIdle()
      return
    }
    const entries = takeBatch(this.#queue)
    this.#queue = this.#queue.slice(entries.length)
    this.#write({ entries, steps: stepsOf(entries) }, 0)
  }

  #write(batch: Batch, index: number): void {
    const step = batch.steps[index]
    if (step === undefined) {
      this.#next()
      return
    }
    this.#appending = true
    const startMs = performance.now()
    step.file.append(step.records, (error) => {
      this.#appending = false
      if (this.#stopped) {
        this.#appended?.()
        return
      }
      if (error) return this.#fail(batch, index, error)
      if (this.#failure) this.#recover()
      this.#options.meter?.wrote(performance.now() - startMs)
      if (step.releases.length > 0) this.#release(step.releases)
      this.#write(batch, index + 1)
    })
  }

  #release(entries: readonly Entry[]): void {
    this.#durableAt = Date.now()
    for (const entry of entries) entry.settle(undefined)
    this.#options.committed(entries.at(-1)?.recordSize ?? 0)
  }

  #fail(batch: Batch, index: number, cause: Error): void {
    if (this.#failure === undefined) {
      this.#failure = storageFailed(cause)
      for (const entry of [...batch.entries, ...this.#queue]) entry.settle(this.#failure)
      this.#wakeIdle(this.#failure)
      this.#options.failed(this.#failure)
    }
    if (this.#retries === retriesMax) return
    const firstMs = this.#options.retryDelayMs ?? 100
    const delayMs = Math.min(firstMs * 2 ** Math.min(this.#retries, 20), retryDelayMsMax)
    this.#retries += 1
    this.#retryTimer = setTimeout(() => this.#write(batch, index), delayMs)
  }

  #recover(): void {
    this.#failure = undefined
    this.#retries = 0
    this.#options.recovered()
  }

  #wakeIdle(error?: HostError): void {
    const waiting = this.#idle
    this.#idle = []
    for (const wake of waiting) wake(error)
  }
}

/** As many entries as go into one write: to the same files, up to a head, bounded. */
function takeBatch(queue: readonly Entry[]): Entry[] {
  const entries: Entry[] = []
  let bytes = 0
  let changesFile: AppendFile | undefined
  for (const entry of queue) {
    const differs =
      entry.groupFile !== (entries[0] ?? entry).groupFile ||
      (changesFile !== undefined &&
        entry.changesFile !== undefined &&
        entry.changesFile !== changesFile)
    if (entries.length > 0 && (differs || bytes >= commitBytesMax)) break
    entries.push(entry)
    changesFile ??= entry.changesFile
    bytes += (entry.group?.length ?? 0) + totalBytes(entry.changes)
    if (entry.head) break
  }
  return entries
}

function stepsOf(entries: readonly Entry[]): Step[] {
  const steps: Step[] = []
  const groups: Uint8Array[] = []
  const changes: Uint8Array[] = []
  for (const entry of entries) {
    if (entry.group) groups.push(entry.group)
    for (const change of entry.changes) changes.push(change)
  }
  const groupFile = entries[0]?.groupFile
  const changesFile = entries.find((entry) => entry.changesFile)?.changesFile
  const last = entries.at(-1)
  if (changesFile !== undefined && changes.length > 0) {
    steps.push({ file: changesFile, records: frameRecords(changes), releases: [] })
  }
  if (groupFile !== undefined && groups.length > 0) {
    const releases = entries.filter((entry) => entry.group)
    steps.push({ file: groupFile, records: frameRecords(groups), releases })
  }
  if (last?.head !== undefined && last.headFile !== undefined) {
    steps.push({ file: last.headFile, records: frameRecords([last.head]), releases: [last] })
  }
  return steps
}

function totalBytes(pieces: readonly Uint8Array[]): number {
  let total = 0
  for (const piece of pieces) total += piece.length
  return total
}

function storageFailed(cause: Error): HostError {
  return new HostError(
    'STORAGE_FAILED',
    `the record cannot be made durable (${cause.message}). Nothing is answered until it can; ` +
      'free space on the disk, or see to it: work goes on by itself.',
    { cause },
  )
}
