/**
 * `host.events`: what happened to the module's process, one JSON object a line, for whoever looks for
 * the cause later. It is not the record: the host writes it alone, and losing it loses no evidence.
 */

import { appendFile, rename, stat } from 'node:fs/promises'
import { fileMode, readIfThere } from './durable-file.ts'

export interface HostEvent {
  /** ISO 8601, UTC. */
  readonly time: string
  readonly event: string
  readonly [member: string]: unknown
}

/** Beyond it the file is put aside as `host.events.1`, over the one that was there. */
const fileBytesMax = 1024 * 1024
export const eventsPageMax = 1_000

export class EventFile {
  readonly #file: string
  readonly #now: () => Date
  readonly #failed: (error: unknown) => void
  /** One write after the other. */
  #last: Promise<void> = Promise.resolve()

  constructor(file: string, now: () => Date, failed: (error: unknown) => void) {
    this.#file = file
    this.#now = now
    this.#failed = failed
  }

  /** A full disk costs the event, not the service. */
  add(event: string, members: Readonly<Record<string, unknown>> = {}): void {
    const line = `${JSON.stringify({ time: this.#now().toISOString(), event, ...members })}\n`
    this.#last = this.#last.then(() => this.#write(line)).catch(this.#failed)
  }

  /** The last ones, oldest first. A line that a crash cut off is left out. */
  async read(limit: number): Promise<HostEvent[]> {
    await this.#last
    const count = Math.min(Math.max(1, Math.trunc(limit) || 1), eventsPageMax)
    const text = (await readIfThere(this.#file))?.toString('utf8') ?? ''
    return text
      .split('\n')
      .map(parseEvent)
      .filter((event) => event !== undefined)
      .slice(-count)
  }

  async settled(): Promise<void> {
    await this.#last
  }

  async #write(line: string): Promise<void> {
    await appendFile(this.#file, line, { mode: fileMode, flush: true })
    const { size } = await stat(this.#file)
    if (size > fileBytesMax) await rename(this.#file, `${this.#file}.1`)
  }
}

function parseEvent(line: string): HostEvent | undefined {
  try {
    const value: unknown = JSON.parse(line)
    const isEvent = typeof value === 'object' && value !== null && 'time' in value
    return isEvent ? (value as HostEvent) : undefined
  } catch {
    return undefined
  }
}
