/** A real module process, started as the host does it, and a caller who speaks its door himself. */

import assert from 'node:assert/strict'
import path from 'node:path'
import { type ModuleEnd, ModuleProcess } from '../../src/host/module-process.ts'
import type { CommandName } from '../../src/hsm/contract/commands.ts'
import type { SealKind } from '../../src/hsm/contract/domain-commands.ts'
import { encodeFrame, type Frame, FrameReader } from '../../src/hsm/contract/frame.ts'
import { type ImportTerms, sealKeyToImport } from '../../src/hsm/contract/import.ts'
import { sealForCommand, sealSecretFor } from '../../src/hsm/contract/sealed-part.ts'
import {
  type Ask,
  decodeAnswer,
  encodeAsks,
  type FrameAnswer,
  type ItemAnswer,
  type SealingCommand,
} from '../../src/hsm/door.testing.ts'
import { uncheckedCode } from '../../src/launcher/release.ts'

export class ProcessCaller implements AsyncDisposable {
  readonly #process: ModuleProcess
  /** Everything that came back. */
  readonly frames: Frame[] = []
  #transportKey: Uint8Array = new Uint8Array()
  #lastId = 0
  readonly #waiting = new Map<unknown, (frame: Frame) => void>()
  #end: ModuleEnd | undefined

  private constructor(entry: string, sourceManifest?: string) {
    const code = { ...uncheckedCode(), sourceManifest }
    this.#process = new ModuleProcess({ entry: path.join(import.meta.dirname, entry), code })
    const reader = new FrameReader(
      (frame) => this.#take(frame),
      (error) => assert.fail(error),
    )
    this.#process.door.on('data', (chunk: Buffer) => reader.push(chunk))
    void this.#process.ended.then((end) => {
      this.#end = end
    })
  }

  static async start(sourceManifest?: string, entry = 'entry.ts'): Promise<ProcessCaller> {
    const caller = new ProcessCaller(entry, sourceManifest)
    const { publicKey } = (await caller.ok({ command: 'getTransportKey' })).parts
    assert(publicKey)
    caller.#transportKey = publicKey
    return caller
  }

  /** A module that gives no transport key, because it has failed from the start. */
  static startFailing(entry: string): ProcessCaller {
    return new ProcessCaller(entry)
  }

  /** How the process ended, if it did. */
  get end(): ModuleEnd | undefined {
    return this.#end
  }

  get pid(): number {
    return this.#process.pid
  }

  get ended(): Promise<ModuleEnd> {
    return this.#process.ended
  }

  /** The secret of a seal, for a challenge of its own. */
  async sealed(command: SealingCommand, seal: SealKind, secret: Uint8Array): Promise<Buffer> {
    const challenge = await this.#challenge(command)
    return sealForCommand(this.#transportKey, challenge, sealSecretFor(command, seal), secret)
  }

  /** A key to be imported with these arguments, for a challenge of its own. */
  async sealedKey(terms: ImportTerms, bytes: Uint8Array): Promise<Buffer> {
    const challenge = await this.#challenge('importKey')
    return sealKeyToImport(this.#transportKey, challenge, terms, bytes)
  }

  /** Zeros in a state that issues none. */
  async #challenge(command: CommandName): Promise<string> {
    const { result } = await this.one({ command: 'getChallenge', arguments: { command } })
    return String(result.challenge ?? '0'.repeat(64))
  }

  /** Sends one frame and waits for its answer, or for the end of the process. */
  async ask(...asks: readonly Ask[]): Promise<FrameAnswer> {
    this.#lastId += 1
    const id = this.#lastId
    const answer = new Promise<Frame>((resolve) => {
      this.#waiting.set(id, resolve)
    })
    this.write(encodeAsks(id, asks))
    const gone = this.#process.ended.then((end) => assert.fail(`it ended: ${JSON.stringify(end)}`))
    return decodeAnswer(await Promise.race([answer, gone]))
  }

  async one(ask: Ask): Promise<ItemAnswer> {
    const [item] = (await this.ask(ask)).items
    assert(item)
    return item
  }

  async ok(ask: Ask): Promise<ItemAnswer> {
    const item = await this.one(ask)
    assert.equal(item.error, undefined, `${ask.command}: ${item.error?.message}`)
    return item
  }

  /** As a host that has everything durably. */
  async acknowledge(): Promise<void> {
    const { state, recordSize } = (await this.ok({ command: 'getStatus' })).result
    if (state === 'operational') this.write(encodeFrame({ id: 0, stored: recordSize }, []))
  }

  write(bytes: Uint8Array): void {
    this.#process.door.write(bytes)
  }

  /** Closes the door. */
  stop(): Promise<ModuleEnd> {
    return this.#process.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill()
    await this.#process.ended
  }

  #take(frame: Frame): void {
    this.frames.push(frame)
    const { id } = frame.header
    this.#waiting.get(id)?.(frame)
    this.#waiting.delete(id)
  }
}
