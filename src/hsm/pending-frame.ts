/**
 * One request between its arrival and its answer: what came of each of its commands, in the order in
 * which they were asked. Whatever the answer wants in the record or in the sealed state is only kept
 * here, and enters both when the answer goes out: so that leaves, MACs and changes stand in the same
 * order as the frames that carry them, however long each took.
 */

import type { AnyRow, Done } from './commands/row.ts'
import type { Claim } from './contract/commands.ts'
import { HsmError } from './contract/errors.ts'
import { frameBytesMax, headerBytesMax } from './contract/limits.ts'
import type { Module } from './module.ts'
import type { OutgoingFrame } from './outgoing.ts'
import { keyReferenceOrNone } from './parse.ts'
import type { LeafEntry } from './record.ts'
import type { AskedItem, Request } from './request.ts'

/** What an error takes in a header at most: its code and one sentence of ours. */
const errorHeaderBytes = 256
/** What else is in a header: id, counts, brackets. */
const frameHeaderBytes = 128
/** A leaf with four claims of full length, and its change of the floor, sealed. */
const leafBytesMax = 1_024
/** What goes with the next answer: leaves of frames that were refused whole, a change that is a domain state. */
const othersBytes = (128 + 512) * 1024
const preludeBytes = 3 * 1024 * 1024

interface Answered {
  readonly outcome: string
  /** The item of the answer, canonical JSON. */
  readonly header: string
  readonly parts: readonly Uint8Array[]
  readonly changes: readonly Uint8Array[]
  readonly erase: boolean
}

export class PendingFrame {
  readonly id: number
  readonly #claim: Claim
  readonly #items: readonly AskedItem[]
  readonly #rows: readonly (AnyRow | undefined)[]
  readonly #answered: (Answered | undefined)[]
  #unanswered: number
  #headerRoom: number
  #bodyRoom: number
  #isLast = false

  constructor(id: number, { claim, items }: Request, rows: readonly (AnyRow | undefined)[]) {
    this.id = id
    this.#claim = claim
    this.#items = items
    this.#rows = rows
    this.#answered = new Array<Answered | undefined>(items.length).fill(undefined)
    this.#unanswered = items.length
    this.#headerRoom = headerBytesMax - frameHeaderBytes - items.length * errorHeaderBytes
    // An answer behind which the record begins carries the prelude too.
    const hasPrelude = rows[0]?.states.includes('operational') === false
    const leavesBytes = items.length * leafBytesMax + (hasPrelude ? preludeBytes : othersBytes)
    this.#bodyRoom = frameBytesMax - headerBytesMax - leavesBytes
  }

  get isAnswered(): boolean {
    return this.#unanswered === 0
  }

  /** True for the answer behind which the module ends. */
  get isLast(): boolean {
    return this.#isLast
  }

  /** Takes what a command came to, if it fits the answer; a key that it made is loaded now. */
  settle(module: Module, index: number, done: Done): void {
    const parts: Uint8Array[] = []
    let lengths = ''
    let bodyBytes = 0
    for (const name in done.parts) {
      const part = (done.parts as Readonly<Record<string, Uint8Array>>)[name]
      if (part === undefined) continue
      lengths += `${lengths === '' ? '' : ','}"${name}":${part.length}`
      parts.push(part)
      bodyBytes += part.length
    }
    for (const change of done.changes ?? none) bodyBytes += change.length
    const header = `{"result":${resultText(done.result)},"parts":{${lengths}}}`
    const headerBytes = Buffer.byteLength(header)
    try {
      module.assertMayAnswer(this.#rows[index]?.states ?? [])
      if (headerBytes > this.#headerRoom + errorHeaderBytes || bodyBytes > this.#bodyRoom) {
        throw new HsmError('FRAME_INVALID', 'the answer does not fit into a frame: ask for less')
      }
      if (done.key) module.load(done.key)
    } catch (error) {
      if (done.key?.isNew) done.key.loaded.material[Symbol.dispose]()
      if (done.erase) for (const part of parts) part.fill(0)
      this.refuse(module, index, error)
      return
    }
    this.#headerRoom += errorHeaderBytes - headerBytes
    this.#bodyRoom -= bodyBytes
    this.#isLast ||= done.last === true
    const { changes = none, erase = false } = done
    this.#answer(index, { outcome: 'OK', header, parts, changes, erase })
  }

  /** @throws what is not an HsmError: a bug ends the process */
  refuse(module: Module, index: number, error: unknown): void {
    // What was at work while the secrets were overwritten misses them: that is no bug.
    const refused = module.tamper.isZeroised && !(error instanceof HsmError) ? zeroised() : error
    if (!(refused instanceof HsmError)) throw refused
    const { code, message } = refused
    if (code === 'SECURE_HEAP_FULL') module.keys.makeRoom()
    const header = JSON.stringify({ error: { code, message: message.slice(0, 128) } })
    this.#answer(index, { outcome: code, header, parts: none, changes: none, erase: false })
  }

  /** The leaves, the seals and the bytes of an answer that is complete. */
  close(module: Module): OutgoingFrame {
    const { leaves } = module
    const body: Uint8Array[] = []
    // They were made before whatever this answer brings: the last of its kind is to stand last.
    const unsealed = module.changesWaiting.splice(0)
    const changes: Uint8Array[] = []
    let headers = ''
    let changesBytes = 0
    for (let index = 0; index < this.#items.length; index += 1) {
      const answered = this.#answered[index]
      const item = this.#items[index]
      if (!answered || !item) continue
      leaves.add(this.#leafOf(module, index, item, answered.outcome))
      headers += index === 0 ? answered.header : `,${answered.header}`
      unsealed.push(...answered.changes)
    }
    // Behind the end there is neither a key to seal with nor a state to change.
    for (const change of module.tamper.isZeroised ? none : unsealed) {
      const sealed = behindLength(module.open.sealedState.sealChange(change))
      changes.push(sealed)
      changesBytes += sealed.length
    }
    const group = leaves.closeGroup()
    body.push(group, ...changes)
    let erase = false
    for (const answered of this.#answered) {
      if (!answered) continue
      for (const part of answered.parts) body.push(part)
      erase ||= answered.erase
    }
    const counts = `"leaves":${group.length},"changes":${changesBytes}`
    return { header: `{"id":${this.id},${counts},"items":[${headers}]}`, body, erase }
  }

  /** Overwrites secrets once they were copied. */
  erase(): void {
    for (const answered of this.#answered) {
      if (!answered?.erase) continue
      for (const part of answered.parts) part.fill(0)
    }
  }

  #answer(index: number, answered: Answered): void {
    this.#answered[index] = answered
    this.#unanswered -= 1
  }

  #leafOf(module: Module, index: number, item: AskedItem, outcome: string): LeafEntry {
    const row = this.#rows[index]
    const { key, version } = row?.record === 'key' ? keyReferenceOrNone(item.arguments) : noKey
    const { identity, requestId, protocol, address } = this.#claim
    return {
      command: row?.name ?? '?',
      outcome,
      key,
      version,
      identity,
      requestId,
      protocol,
      address,
      argumentsDigest: module.leaves.digest(digestedPieces(item)),
    }
  }
}

function zeroised(): HsmError {
  return new HsmError('MODULE_TAMPERED', 'the module has zeroised itself')
}

const none: readonly Uint8Array[] = []
const noBytes = new Uint8Array()
const noKey = { key: '', version: 0 }

/** Command, arguments and the lengths of the parts as one text, then the parts. */
function digestedPieces({ command, arguments: args, parts }: AskedItem): Uint8Array[] {
  const lengths: Record<string, number> = {}
  const pieces: Uint8Array[] = [noBytes]
  for (const name in parts) {
    const part = parts[name]
    if (part === undefined) continue
    lengths[name] = part.length
    pieces.push(part)
  }
  pieces[0] = Buffer.from(JSON.stringify({ command, arguments: args, parts: lengths }))
  return pieces
}

function resultText(result: object): string {
  for (const _ in result) return JSON.stringify(result)
  return '{}'
}

function behindLength(bytes: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(4 + bytes.length)
  framed.writeUInt32BE(bytes.length, 0)
  framed.set(bytes, 4)
  return framed
}
