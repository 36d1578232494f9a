/**
 * The host's end of the door: requests go out with an id, many small frames of one turn of the event
 * loop in one write; answers come back in any order. What an answer wants kept (leaves, sealed changes)
 * is handed on in the order in which the module sent it; the answer itself goes to whoever asked when
 * the keeper settles it, which is when it is durable. No timer and no further promise for each request.
 */

import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import type {
  AnswerItem,
  Call,
  Claim,
  CommandName,
  Outcome,
  RequestHeader,
  RequestItem,
} from '../hsm/contract/commands.ts'
import type { HsmErrorCode } from '../hsm/contract/errors.ts'
import { encodeFrame, type Frame, FrameReader } from '../hsm/contract/frame.ts'
import { requestsInFlightMax } from '../hsm/contract/limits.ts'
import { HostError } from './errors.ts'
import type { HostMeter } from './options.ts'

/** The leaves of one frame's commands, in their order. */
export interface LeafSpan {
  /** Undefined until the frame is answered. */
  first: number | undefined
  readonly count: number
}

/** An answer as it arrived, to be settled once what it wants kept is durable. */
export interface Arrived {
  readonly group: Uint8Array
  /** Sealed changes of state, in order. */
  readonly changes: readonly Uint8Array[]
  readonly command: CommandName | undefined
  readonly outcomes: Outcome[]
  /** Takes in which leaves the outcomes are. */
  readonly leaves: LeafSpan | undefined
  readonly settle: (error: HostError | undefined) => void
}

export interface DoorClientOptions {
  readonly arrived: (answer: Arrived) => void
  /** A signed head that the module sent of its own accord. */
  readonly head: (note: string) => void
  /** The last that a module says which has zeroised itself (contract/commands.ts). */
  readonly zeroised: (certificate: Uint8Array) => void
  /** The module said what it must not: nothing of it can be trusted any more. */
  readonly broken: (reason: unknown) => void
  readonly meter?: HostMeter | undefined
}

interface Pending {
  readonly calls: readonly Call[]
  readonly bytes: number
  /** Of performance.now(). */
  readonly sentMs: number
  readonly leaves: LeafSpan | undefined
  readonly resolve: (outcomes: Outcome[]) => void
  readonly reject: (error: unknown) => void
}

/** Frames up to this length are put together for one write. */
const joinedBytesMax = 256 * 1024
/** Of requests that are not answered yet. */
export const bytesInFlightMax = 64 * 1024 * 1024
/** Leaves behind the last acknowledgement that are worth a write of their own. */
const unacknowledgedMax = 4_096

export class DoorClient {
  readonly #door: Duplex
  readonly #options: DoorClientOptions
  readonly #pending = new Map<number, Pending>()
  #lastId = 0
  #bytesInFlight = 0
  #outgoing: Buffer[] = []
  #outgoingBytes = 0
  #flushDue = false
  #storedSize = 0
  #acknowledgedSize = 0
  #ended: HostError | undefined

  constructor(door: Duplex, options: DoorClientOptions) {
    this.#door = door
    this.#options = options
    const reader = new FrameReader(
      (frame) => this.#take(frame),
      (error) => this.#break(error),
    )
    door.on('data', (chunk: Buffer) => reader.push(chunk))
  }

  get inFlight(): number {
    return this.#pending.size
  }

  /** When the request was sent that has waited longest, by performance.now(). */
  get oldestSentMs(): number | undefined {
    for (const { sentMs } of this.#pending.values()) return sentMs
    return undefined
  }

  /**
   * One frame. Its leaves are added to `leaves`.
   * @throws HsmError FRAME_INVALID, at once, when the calls are too much for one frame
   * @throws HostError OVERLOADED, MODULE_UNAVAILABLE, at once; later MODULE_ENDED, STORAGE_FAILED
   */
  send(claim: Claim, calls: readonly Call[], leaves?: LeafSpan[]): Promise<Outcome[]> {
    if (this.#ended) throw unavailable()
    if (this.#pending.size >= requestsInFlightMax || this.#bytesInFlight >= bytesInFlightMax) {
      throw overloaded()
    }
    const id = this.#lastId + 1
    const frame = encodeRequest(id, claim, calls)
    this.#lastId = id
    this.#queue(frame)
    this.#bytesInFlight += frame.length
    const span = leaves && { first: undefined, count: calls.length }
    if (span) leaves.push(span)
    return new Promise((resolve, reject) => {
      const sentMs = performance.now()
      this.#pending.set(id, { calls, bytes: frame.length, sentMs, leaves: span, resolve, reject })
    })
  }

  /** So many leaves of the record are durable. Goes with the next request, or when it has been long. */
  acknowledge(recordSize: number): void {
    this.#storedSize = Math.max(this.#storedSize, recordSize)
    if (this.#storedSize - this.#acknowledgedSize >= unacknowledgedMax) this.#scheduleFlush()
  }

  /** The process is gone: what was not answered will not be. */
  end(error: HostError): void {
    this.#ended ??= error
    for (const pending of this.#pending.values()) {
      this.#options.meter?.failed(pending.calls, this.#ended.code)
      pending.reject(this.#ended)
    }
    this.#pending.clear()
    this.#outgoing = []
  }

  #queue(frame: Buffer): void {
    if (this.#outgoingBytes + frame.length > joinedBytesMax) this.#flush()
    this.#outgoing.push(frame)
    this.#outgoingBytes += frame.length
    this.#scheduleFlush()
  }

  /** Once the turn's other requests have had their chance to come along. */
  #scheduleFlush(): void {
    if (this.#flushDue) return
    this.#flushDue = true
    setImmediate(() => {
      this.#flushDue = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#ended) return
    const frames = this.#outgoing
    this.#outgoing = []
    this.#outgoingBytes = 0
    if (this.#storedSize > this.#acknowledgedSize) {
      const header: RequestHeader = { id: 0, stored: this.#storedSize }
      frames.push(encodeFrame(header, []))
      this.#acknowledgedSize = this.#storedSize
    }
    const [first] = frames
    if (first) this.#door.write(frames.length === 1 ? first : Buffer.concat(frames))
  }

  #take(frame: Frame): void {
    if (this.#ended) return
    let pending: Pending | undefined
    try {
      const { id, head, error } = frame.header
      if (id === 0 && 'zeroised' in frame.header) {
        this.#zeroised(frame)
        return
      }
      if (id === 0) {
        assert.equal(head, frame.body.length)
        this.#options.head(textOf(frame.body))
        return
      }
      pending = this.#takePending(id)
      if (error === undefined) this.#answer(pending, frame)
      else this.#refuse(pending, refusalOf(error))
    } catch (error) {
      this.#break(error)
      pending?.reject(this.#ended ?? error)
    }
  }

  #zeroised({ header, body }: Frame): void {
    const cut = new Cutter(body)
    const group = cut.next(header.leaves)
    const certificate = cut.next(header.zeroised)
    assert(cut.isAtEnd)
    const settle = () => undefined
    this.#options.arrived({
      group,
      changes: none,
      command: undefined,
      outcomes: [],
      leaves: undefined,
      settle,
    })
    this.#options.zeroised(certificate)
  }

  #refuse({ calls, resolve }: Pending, error: ReturnType<typeof refusalOf>): void {
    this.#options.meter?.failed(calls, error.code)
    resolve(Array(calls.length).fill({ error }))
  }

  #takePending(id: unknown): Pending {
    const pending = typeof id === 'number' ? this.#pending.get(id) : undefined
    assert(typeof id === 'number' && pending, `an answer to no request: ${id}`)
    this.#pending.delete(id)
    this.#bytesInFlight -= pending.bytes
    return pending
  }

  #answer(pending: Pending, { header, body }: Frame): void {
    const { leaves, changes, items } = header
    assert(Array.isArray(items) && items.length === pending.calls.length)
    const cut = new Cutter(body)
    const group = cut.next(leaves)
    const changesBytes = cut.next(changes)
    const outcomes = items.map((item: AnswerItem) => outcomeOf(item, cut))
    assert(cut.isAtEnd)
    this.#options.meter?.answered(pending.calls, outcomes, performance.now() - pending.sentMs)
    this.#options.arrived({
      group,
      changes: changesBytes.length === 0 ? none : cutChanges(changesBytes),
      command: pending.calls[0]?.command,
      outcomes,
      leaves: pending.leaves,
      settle: (error) => (error ? pending.reject(error) : pending.resolve(outcomes)),
    })
  }

  #break(reason: unknown): void {
    if (this.#ended) return
    this.#options.broken(reason)
  }
}

/** The parts of a call follow in the order of its members. */
function encodeRequest(id: number, claim: Claim, calls: readonly Call[]): Buffer {
  const bytes: Uint8Array[] = []
  const items: RequestItem[] = []
  for (const call of calls) {
    const parts: Record<string, number> = {}
    const given: Readonly<Record<string, Uint8Array | undefined>> = call.parts
    for (const name in given) {
      const part = given[name]
      if (part === undefined) continue
      parts[name] = part.length
      bytes.push(part)
    }
    const args = call.arguments as RequestItem['arguments']
    items.push({ command: call.command, arguments: args, parts })
  }
  const header: RequestHeader = { id, claim, items }
  return encodeFrame(header, bytes)
}

const none: readonly Uint8Array[] = []

/** Cuts a body from front to end at lengths that the module gave. */
class Cutter {
  readonly #body: Uint8Array
  #offset = 0

  constructor(body: Uint8Array) {
    this.#body = body
  }

  next(length: unknown): Uint8Array {
    const start = this.#offset
    assert(Number.isSafeInteger(length) && typeof length === 'number' && length >= 0)
    assert(length <= this.#body.length - start)
    this.#offset = start + length
    return this.#body.subarray(start, this.#offset)
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#body.length
  }
}

function outcomeOf(item: AnswerItem, cut: Cutter): Outcome {
  if ('error' in item) return { error: refusalOf(item.error) }
  const parts: Record<string, Uint8Array> = {}
  for (const name in item.parts) parts[name] = cut.next(item.parts[name])
  // The shapes of results and parts are the contract's; the module is trusted with them.
  return { result: item.result, parts } as unknown as Outcome
}

function refusalOf(error: unknown): { code: HsmErrorCode; message: string } {
  assert(typeof error === 'object' && error !== null && 'code' in error && 'message' in error)
  const { code, message } = error
  assert(typeof code === 'string' && typeof message === 'string')
  return { code: code as HsmErrorCode, message }
}

/** Each change behind its length (u32). */
function cutChanges(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const changes: Uint8Array[] = []
  for (let offset = 0; offset < bytes.length; ) {
    const length = view.getUint32(offset)
    const end = offset + 4 + length
    assert(length > 0 && end <= bytes.length)
    changes.push(bytes.subarray(offset + 4, end))
    offset = end
  }
  return changes
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
}

function overloaded(): HostError {
  return new HostError('OVERLOADED', 'too many requests are in flight. Try again in a moment.')
}

function unavailable(): HostError {
  return new HostError('MODULE_UNAVAILABLE', 'the module has just ended. Try again in a moment.')
}
