/**
 * A module in this process behind a pair of streams, and a caller at the other end of its door: what the
 * tests of the command half share. The module is the real one; only the pipe is not.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type Duplex, duplexPair } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import type { AnyRow } from './commands/row.ts'
import { commandTable } from './commands.ts'
import type { AlgorithmName, KeyTypeName, KeyUse } from './contract/algorithms.ts'
import type { Claim } from './contract/commands.ts'
import type { SealKind } from './contract/domain-commands.ts'
import { HsmError, type HsmErrorCode } from './contract/errors.ts'
import { cutParts, encodeFrame, type Frame, FrameReader, type Json } from './contract/frame.ts'
import { type ImportTerms, importDestination } from './contract/import.ts'
import type { KeyTemplate } from './contract/keys.ts'
import { decodeLeaf, decodeLeafGroup, type Leaf } from './contract/leaf.ts'
import { type Destination, sealForCommand, sealSecretFor } from './contract/sealed-part.ts'
import { serveDoor } from './door.ts'
import { Module, type ModuleOptions } from './module.ts'
import { systemClock, wallClock } from './record.ts'
import { SelfTests } from './self-tests.ts'
import { TransportKey } from './transport.ts'

export const claim: Claim = {
  identity: 'id_test',
  requestId: 'request 1',
  protocol: 'test',
  address: 'here',
}

export type SealingCommand = Parameters<typeof sealSecretFor>[0]

export interface Ask {
  readonly command: string
  readonly arguments?: unknown
  readonly parts?: Readonly<Record<string, Uint8Array>>
}

export interface ItemAnswer {
  readonly result: Json
  readonly parts: Readonly<Record<string, Uint8Array>>
  readonly error: { readonly code: HsmErrorCode; readonly message: string } | undefined
}

export interface FrameAnswer {
  readonly items: readonly ItemAnswer[]
  readonly leaves: readonly Leaf[]
  readonly group: Uint8Array
  readonly changes: readonly Uint8Array[]
}

export interface CallerOptions extends Partial<Omit<ModuleOptions, 'transport' | 'wall'>> {
  readonly extra?: readonly AnyRow[]
}

/** What the module sent, by the id it names: answers, refusals of frames, notices. */
export class Caller {
  readonly module: Module
  readonly stream: Duplex
  readonly frames: Frame[] = []
  isEnded = false
  #lastId = 0
  readonly #waiting = new Map<unknown, (frame: Frame) => void>()

  constructor(options: CallerOptions = {}) {
    const { clock = systemClock, extra = [], selfTests = new SelfTests() } = options
    // A clock of the test's own is the only one that there is.
    const wall = options.wallClock ?? options.clock ?? wallClock
    const transport = TransportKey.generate()
    const given = { ...options, clock, wallClock: wall, selfTests }
    this.module = new Module({ ...given, transport, wall: 'none' })
    const [here, there] = duplexPair()
    this.stream = here
    const ended = () => {
      this.isEnded = true
    }
    serveDoor(there, { module: this.module, table: commandTable(extra), ended })
    const reader = new FrameReader(
      (frame) => this.#take(frame),
      (error) => assert.fail(error),
    )
    here.on('data', (chunk: Buffer) => reader.push(chunk))
  }

  /** A module with a fresh domain. */
  static async founded(options?: ConstructorParameters<typeof Caller>[0]): Promise<Caller> {
    const caller = new Caller(options)
    await caller.ok({
      command: 'found',
      arguments: { development: true, seal: 'key-file' },
      parts: { secret: caller.sealed('found', 'key-file', Buffer.alloc(32, 7)) },
    })
    return caller
  }

  /** The secret of a seal for a challenge of its own. */
  sealed(command: SealingCommand, seal: SealKind, secret: Uint8Array): Buffer {
    return this.sealedFor(sealSecretFor(command, seal), secret)
  }

  sealedFor(destination: Destination, secret: Uint8Array): Buffer {
    const { challenges, transport } = this.module
    const { challenge } = challenges.issue(destination.command, this.module.now())
    return sealForCommand(transport.publicKey, challenge, destination, secret)
  }

  /** A key to be imported with these arguments, for a challenge of its own. */
  sealedKey(terms: ImportTerms, bytes: Uint8Array): Buffer {
    return this.sealedFor(importDestination(terms), bytes)
  }

  /** Sends one frame and waits for its answer. */
  async ask(...asks: readonly Ask[]): Promise<FrameAnswer> {
    this.#lastId += 1
    return decodeAnswer(await this.sendFrame(this.#lastId, encodeAsks(this.#lastId, asks)))
  }

  /** The only item of the answer. */
  async one(ask: Ask): Promise<ItemAnswer> {
    const [item] = (await this.ask(ask)).items
    assert(item)
    return item
  }

  /** As one, and it must succeed. @throws HsmError what the module refused */
  async ok(ask: Ask): Promise<ItemAnswer> {
    const item = await this.one(ask)
    if (item.error) throw new HsmError(item.error.code, item.error.message)
    return item
  }

  /** The code with which it is refused. */
  async refusal(ask: Ask): Promise<HsmErrorCode | undefined> {
    return (await this.one(ask)).error?.code
  }

  /** Raw bytes, and the first frame that comes back with the id. */
  sendFrame(id: number, bytes: Uint8Array): Promise<Frame> {
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      this.stream.write(bytes)
    })
  }

  /** As many turns as it takes until the condition holds. */
  async until(condition: () => boolean): Promise<void> {
    for (let turns = 0; turns < 10_000; turns += 1) {
      if (condition()) return
      await turn()
    }
    assert.fail('it did not come to pass')
  }

  async ended(): Promise<void> {
    if (!this.stream.readableEnded) await once(this.stream, 'end')
  }

  #take(frame: Frame): void {
    this.frames.push(frame)
    const { id } = frame.header
    this.#waiting.get(id)?.(frame)
    this.#waiting.delete(id)
  }
}

export function encodeAsks(id: number, asks: readonly Ask[]): Buffer {
  const bytes: Uint8Array[] = []
  const items = asks.map(({ command, arguments: args = {}, parts = {} }) => {
    bytes.push(...Object.values(parts))
    const lengths = Object.entries(parts).map(([name, part]) => [name, part.length])
    return { command, arguments: args, parts: Object.fromEntries(lengths) }
  })
  return encodeFrame({ id, claim, items }, bytes)
}

interface RawItem {
  readonly result?: Json
  readonly parts?: Readonly<Record<string, number>>
  readonly error?: { readonly code: HsmErrorCode; readonly message: string }
}

/** @throws HsmError when the frame was refused as a whole */
export function decodeAnswer({ header, body }: Frame): FrameAnswer {
  const { error } = header as { error?: { code: HsmErrorCode; message: string } }
  if (error) throw new HsmError(error.code, error.message)
  const { leaves, changes, items } = header as {
    leaves: number
    changes: number
    items: RawItem[]
  }
  const lengths = items.flatMap(({ parts = {} }) => Object.values(parts))
  const [group, changeBytes, ...parts] = cutParts(body, [leaves, changes, ...lengths])
  assert(group && changeBytes)
  return {
    group,
    leaves: decodeLeafGroup(group).leaves.map(decodeLeaf),
    changes: cutChanges(Buffer.from(changeBytes)),
    items: items.map(({ result = {}, parts: names = {}, error: refused }) => ({
      result,
      error: refused,
      parts: Object.fromEntries(
        Object.keys(names).map((name) => [name, parts.shift() ?? new Uint8Array()]),
      ),
    })),
  }
}

function cutChanges(bytes: Buffer): Uint8Array[] {
  const changes: Uint8Array[] = []
  for (let offset = 0; offset < bytes.length; ) {
    const end = offset + 4 + bytes.readUInt32BE(offset)
    changes.push(bytes.subarray(offset + 4, end))
    offset = end
  }
  return changes
}

export function template(
  type: KeyTypeName,
  algorithms: readonly AlgorithmName[],
  uses: readonly KeyUse[],
  more: Partial<KeyTemplate> = {},
): KeyTemplate {
  return {
    type,
    algorithms,
    uses,
    exportable: false,
    externalIv: false,
    plaintextRelease: false,
    notBefore: 0,
    notAfter: 0,
    lengthBytes: 0,
    ...more,
  }
}

/** The least CertificationRequestInfo of a public key (RFC 2986): nobody's, and without attributes. */
export function requestFor(spki: Uint8Array = new Uint8Array()): Buffer {
  const [before, behind] = [Buffer.from('0201003000', 'hex'), Buffer.from('a000', 'hex')]
  const content = Buffer.concat([before, spki, behind])
  const [low, high] = [content.length & 0xff, content.length >> 8]
  const length = high > 0 ? [0x82, high, low] : low < 0x80 ? [low] : [0x81, low]
  return Buffer.concat([Buffer.from([0x30, ...length]), content])
}

let keys = 0

/** A key id that no other test has. */
export function newKeyId(): string {
  keys += 1
  return `key_${keys.toString(16).padStart(32, '0')}`
}

export const p256 = template('P-256', ['ECDSA-SHA-256'], ['sign', 'verify'])

/** A command that is done when the test says so. */
export function slowCommand(): { row: AnyRow; finish: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const row: AnyRow = {
    name: 'wait',
    states: ['uninitialised', 'operational'],
    rules: () => [],
    record: 'nothing',
    parts: {},
    parse: () => undefined,
    run: async () => {
      await promise
      return { result: { waited: true }, parts: {} }
    },
  }
  return { row, finish: resolve }
}
