/**
 * The door (docs/formats/door.md): frames in, frames out, nothing else. Requests are pipelined; what is
 * fast is answered in the turn in which it came, without a promise, what is slow when it is done, and so
 * out of order. Every command that was asked, allowed or refused, is a leaf in front of its answer.
 *
 * No input ends the process: what cannot be read is refused and passed over. What is not an HsmError is
 * a bug and does end it, because no answer is better than a wrong one.
 */

import { type OnReadOpts, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type CommandTable, dispatch } from './commands.ts'
import { HsmError } from './contract/errors.ts'
import { type Frame, FrameReader } from './contract/frame.ts'
import { headIntervalMs, requestsInFlightMax } from './contract/limits.ts'
import type { Module } from './module.ts'
import { Outgoing } from './outgoing.ts'
import { PendingFrame } from './pending-frame.ts'
import { parseRequest, parseStored, type Request, requestId } from './request.ts'

const readBytes = 64 * 1024
/** Bytes of requests that are being worked on; beyond it the door takes nothing in. */
const bytesInFlightMax = 64 * 1024 * 1024
/** Leaves of refused frames that wait for an answer to go with. */
const leavesWaitingMax = 512

export interface DoorOptions {
  readonly module: Module
  readonly table: CommandTable
  /**
   * Called when the host closed the door, or everything was written behind the last answer; true when
   * that is the end of a module which has zeroised itself.
   */
  readonly ended: (zeroised: boolean) => void
}

/** The door on an inherited descriptor, read into a buffer of its own that is overwritten at the end. */
export function openDoor(descriptor: number, options: DoorOptions): Door {
  const buffer = Buffer.allocUnsafeSlow(readBytes)
  // The socket may read before its door stands; nothing arrives before this function has returned.
  let door: Door | undefined
  const onread: OnReadOpts = {
    buffer,
    callback: (bytes) => door?.take(buffer.subarray(0, bytes)) ?? true,
  }
  door = new Door(new Socket({ fd: descriptor, onread }), {
    ...options,
    ended: (zeroised) => {
      buffer.fill(0)
      options.ended(zeroised)
    },
  })
  return door
}

/** The door on a stream: what tests use. */
export function serveDoor(stream: Duplex, options: DoorOptions): Door {
  const door = new Door(stream, options)
  stream.on('data', (chunk: Buffer) => {
    if (!door.take(chunk)) stream.pause()
  })
  return door
}

export class Door {
  readonly #stream: Duplex
  readonly #module: Module
  readonly #table: CommandTable
  readonly #ended: (zeroised: boolean) => void
  readonly #reader: FrameReader
  readonly #outgoing: Outgoing
  readonly #pending = new Map<number, PendingFrame>()
  readonly #headTimer: NodeJS.Timeout
  #bytesInFlight = 0
  #leavesWaiting = 0
  #isPaused = false
  /** The last answer, waiting for the others. */
  #last: PendingFrame | undefined
  /** From the last answer on. */
  #isEnding = false
  #isClosed = false
  #isZeroised = false

  constructor(stream: Duplex, { module, table, ended }: DoorOptions) {
    this.#stream = stream
    this.#module = module
    this.#table = table
    this.#ended = ended
    this.#outgoing = new Outgoing(stream, () => this.#resume())
    this.#reader = new FrameReader(
      (frame) => this.#take(frame),
      (error) => this.#refuse(error, -1),
    )
    this.#headTimer = setInterval(() => this.#tick(), headIntervalMs).unref()
    // Behind the answer to the command that asked for it, if there is one.
    module.tamper.onZeroised = (certificate) => setImmediate(() => this.#zeroised(certificate))
    // A host that is gone shows as the end; what could not be written to it is of no use to anybody.
    stream.on('error', () => undefined)
    stream.once('close', () => this.#close())
    stream.once('end', () => this.#close())
  }

  /** Bytes as they arrive. @returns whether more may come: if not, the stream is resumed later */
  take(chunk: Uint8Array): boolean {
    if (!this.#isEnding) this.#reader.push(chunk)
    this.#isPaused = this.#isBusy
    return !this.#isPaused
  }

  get #isBusy(): boolean {
    return (
      this.#outgoing.isFull ||
      this.#bytesInFlight > bytesInFlightMax ||
      this.#pending.size >= requestsInFlightMax
    )
  }

  #resume(): void {
    if (!this.#isPaused || this.#isBusy || this.#isEnding) return
    this.#isPaused = false
    this.#stream.resume()
  }

  #take(frame: Frame): void {
    if (this.#isEnding) return
    const { header, body } = frame
    // An answer to an id in use would be taken for the other's.
    let id = requestId(header)
    if (id !== undefined && this.#pending.has(id)) id = undefined
    try {
      if (header.id === 0) this.#stored(parseStored(frame))
      else if (id === undefined) throw new HsmError('FRAME_INVALID', 'no id, or one in use')
      else this.#ask(id, parseRequest(frame), body.length)
    } catch (error) {
      this.#refuse(error, id ?? -1)
    }
  }

  #stored(recordSize: number): void {
    this.#module.opened?.record.stored(recordSize)
  }

  /** Starts every command of a request, and answers at once if none is left over. */
  #ask(id: number, request: Request, bytes: number): void {
    this.#module.assertPreludeHasRoom()
    const { items } = request
    const rows = items.map(({ command }) => this.#table.get(command))
    const pending = new PendingFrame(id, request, rows)
    for (let index = 0; index < items.length; index += 1) {
      this.#run(pending, index, request, bytes)
    }
    if (pending.isAnswered) {
      this.#answer(pending)
      return
    }
    this.#pending.set(id, pending)
    this.#bytesInFlight += bytes
  }

  #run(pending: PendingFrame, index: number, { items }: Request, bytes: number): void {
    const item = items[index]
    if (item === undefined) return
    const row = this.#table.get(item.command)
    try {
      const { arguments: args, parts } = item
      const asked = { row, arguments: args, parts, isAlone: items.length === 1 }
      const done = dispatch(this.#module, asked)
      if (!(done instanceof Promise)) {
        pending.settle(this.#module, index, done)
        return
      }
      const settled = done.then(
        (late) => pending.settle(this.#module, index, late),
        (error: unknown) => pending.refuse(this.#module, index, error),
      )
      // What is thrown here is a bug: nobody catches it, and it ends the process.
      void settled.then(() => this.#settled(pending, bytes))
    } catch (error) {
      pending.refuse(this.#module, index, error)
    }
  }

  #settled(pending: PendingFrame, bytes: number): void {
    // Commands of one frame can be done in the same moment: the first that is told so answers for all.
    if (!pending.isAnswered || this.#pending.get(pending.id) !== pending) return
    this.#pending.delete(pending.id)
    this.#bytesInFlight -= bytes
    this.#answer(pending)
    this.#resume()
  }

  #answer(pending: PendingFrame): void {
    if (pending.isLast) this.#last = pending
    else this.#send(pending)
    if (this.#last && this.#pending.size === 0) this.#end(this.#last)
  }

  #send(pending: PendingFrame): void {
    if (this.#isEnding) return
    this.#outgoing.add(pending.close(this.#module))
    this.#leavesWaiting = 0
    pending.erase()
    this.#signHeadIfDue()
  }

  /** Behind the answer to `lock` there is nothing. */
  #end(last: PendingFrame): void {
    this.#send(last)
    this.#isEnding = true
    this.#outgoing.flush(() => this.#close())
  }

  /** A frame that is refused as a whole. Its leaf goes with the next answer, because it has none itself. */
  #refuse(error: unknown, id: number): void {
    if (!(error instanceof HsmError)) throw error
    const { leaves, prelude, opened } = this.#module
    let { code, message } = error
    if (this.#leavesWaiting >= leavesWaitingMax || (!opened && prelude.full)) {
      code = 'RECORD_NOT_STORED'
      message = 'too many frames were refused since the last answer'
    } else {
      this.#leavesWaiting += 1
      leaves.add({ ...nobody, outcome: code, argumentsDigest: leaves.digest([]) })
    }
    const header = JSON.stringify({ id, error: { code, message } })
    this.#outgoing.add({ header, body: [], erase: false })
  }

  #tick(): void {
    this.#module.tamper.watchClock(performance.now())
    this.#signHeadIfDue()
  }

  /** One last frame, and the end, whatever was begun. */
  #zeroised(certificate: Uint8Array): void {
    if (this.#isEnding) return
    const group = this.#module.leaves.closeGroup()
    const header = `{"id":0,"leaves":${group.length},"zeroised":${certificate.length}}`
    this.#outgoing.add({ header, body: [group, certificate], erase: false })
    this.#isEnding = true
    this.#isZeroised = true
    this.#outgoing.flush(() => this.#close())
  }

  #signHeadIfDue(): void {
    const { opened } = this.#module
    if (this.#isEnding || this.#module.tamper.isZeroised || !opened?.record.headDue()) return
    const note = Buffer.from(opened.record.signHead())
    const header = `{"id":0,"head":${note.length}}`
    this.#outgoing.add({ header, body: [note], erase: false })
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#isEnding = true
    clearInterval(this.#headTimer)
    this.#ended(this.#isZeroised)
  }
}

/** The leaf of something that did not say who asks for what. */
const nobody = {
  command: '?',
  key: '',
  version: 0,
  identity: '',
  requestId: '',
  protocol: '',
  address: '',
} as const
