/**
 * What a module wants kept, and where it goes: leaves to the record, or to the prelude while the module
 * is not unlocked; sealed changes to the state; heads beside the record. The one place where the order
 * of arrival becomes the order on disk.
 */

import path from 'node:path'
import type { Outcome } from '../hsm/contract/commands.ts'
import { hashBytes } from '../hsm/contract/merkle.ts'
import { type AppendFile, type DiskCalls, disk } from './append-file.ts'
import { Commit, type CommitOptions } from './commit.ts'
import type { Arrived } from './door-client.ts'
import {
  moduleFolder,
  type NextEpochFiles,
  recoverEpoch,
  takeUpNextEpoch,
  writeNextEpoch,
} from './epoch-files.ts'
import { HostError } from './errors.ts'
import { RecordFiles } from './record-files.ts'
import { readSeal, StateFiles, writeSeal } from './state-files.ts'

export interface ModuleFilesOptions extends CommitOptions {
  readonly folder: string
  /** False for a folder in which no domain was founded yet. */
  readonly founded: boolean
  readonly calls?: DiskCalls | undefined
}

export class ModuleFiles {
  readonly record: RecordFiles
  readonly commit: Commit
  /** The data folder, and the module's in it. */
  readonly #dataFolder: string
  readonly #folder: string
  readonly #calls: DiskCalls
  #state: StateFiles | undefined
  #prelude: AppendFile | undefined
  /** Generation whose file takes the changes that arrive. */
  #changesGeneration = 0

  private constructor(
    options: ModuleFilesOptions,
    record: RecordFiles,
    state: StateFiles | undefined,
  ) {
    this.#dataFolder = options.folder
    this.#folder = path.join(options.folder, moduleFolder)
    this.#calls = options.calls ?? disk
    this.record = record
    this.#useState(state)
    this.commit = new Commit({
      ...options,
      committed: (recordSize) => {
        record.tiles.durable(recordSize)
        options.committed(recordSize)
      },
    })
  }

  /** @throws HostError FOLDER_TORN */
  static async open(options: ModuleFilesOptions): Promise<ModuleFiles> {
    const storage = { calls: options.calls ?? disk, now: new Date() }
    if (options.founded) await recoverEpoch(options.folder)
    const record = await RecordFiles.open(path.join(options.folder, 'record'), storage)
    try {
      const state = options.founded
        ? await StateFiles.open(path.join(options.folder, moduleFolder), storage)
        : undefined
      return new ModuleFiles(options, record, state)
    } catch (error) {
      await record.close()
      throw error
    }
  }

  /** Undefined until a domain is founded. */
  get state(): StateFiles | undefined {
    return this.#state
  }

  /** Where a module that starts now leaves its prelude; what earlier starts left in it. */
  async beginPrelude(): Promise<readonly Uint8Array[]> {
    await this.#prelude?.close()
    const { file, groups } = await this.record.openPrelude(this.#storage())
    this.#prelude = file
    return groups
  }

  /** Takes an answer in the order of arrival and settles it when what it wants kept is durable. */
  keep(answer: Arrived): void {
    const note = noteOf(answer)
    if (note !== undefined && this.record.isOfSize(note)) this.keepHead(note)
    const isPrelude = endsInZeros(answer.group)
    if (!isPrelude) this.record.arrived(answer.group)
    const { changes, leaves } = answer
    // They are the last of its group.
    if (leaves && !isPrelude) leaves.first = this.record.size - leaves.count
    for (const _ of changes) this.#state?.arrived()
    this.commit.add({
      group: answer.group,
      groupFile: isPrelude ? this.#preludeFile() : this.record.groups,
      changes,
      changesFile: changes.length > 0 ? this.#changesFile() : undefined,
      head: undefined,
      headFile: undefined,
      recordSize: this.record.size,
      settle: answer.settle,
    })
    if (isSnapshotBegin(answer)) this.#changesGeneration = this.#state?.changesGeneration ?? 0
  }

  /** A signed head, behind everything that arrived before it. */
  keepHead(note: string): void {
    this.commit.add({
      group: undefined,
      groupFile: this.record.groups,
      changes: [],
      changesFile: undefined,
      head: this.record.arrivedHead(note),
      headFile: this.record.heads,
      recordSize: this.record.size,
      settle: (error) => {
        if (!error) this.record.durableHead(note)
      },
    })
  }

  async foundState(snapshot: Uint8Array): Promise<void> {
    this.#useState(await StateFiles.create(this.#folder, 1, [snapshot], this.#storage()))
  }

  /** Seals and state of the next epoch, beside those in force. */
  async writeEpoch(next: NextEpochFiles): Promise<void> {
    await writeNextEpoch(this.#dataFolder, next)
  }

  /** In place of those in force, which are gone then; nothing may arrive meanwhile. */
  async takeUpEpoch(): Promise<void> {
    await this.commit.idle()
    const before = this.#state
    await takeUpNextEpoch(this.#dataFolder)
    this.#useState(await StateFiles.open(this.#folder, this.#storage()))
    await before?.close()
  }

  async writeSeal(kind: Parameters<typeof writeSeal>[1], seal: Uint8Array): Promise<void> {
    await writeSeal(this.#folder, kind, seal)
  }

  async readSeal(kind: Parameters<typeof readSeal>[1]): Promise<Buffer> {
    return readSeal(this.#folder, kind)
  }

  /** Everything that arrived is durable, or it never will be: nothing is tried again. */
  async close(): Promise<void> {
    await this.commit.idle().catch(() => undefined)
    await this.commit.stop()
    await this.#prelude?.close()
    await this.record.close()
    await this.#state?.close()
  }

  #useState(state: StateFiles | undefined): void {
    this.#state = state
    this.#changesGeneration = state?.changesGeneration ?? 0
  }

  #storage(): { calls: DiskCalls; now: Date } {
    return { calls: this.#calls, now: new Date() }
  }

  #changesFile(): AppendFile {
    if (this.#state) return this.#state.changesFile(this.#changesGeneration)
    throw new HostError('FOLDER_EMPTY', 'a change of state before there is a domain')
  }

  #preludeFile(): AppendFile {
    if (this.#prelude) return this.#prelude
    throw new HostError('FOLDER_EMPTY', 'leaves of a prelude before the module was started')
  }
}

/** A module that is not unlocked has no key for MACs: its groups end in zeros (docs/formats/record.md). */
function endsInZeros(group: Uint8Array): boolean {
  for (let index = group.length - hashBytes; index < group.length; index += 1) {
    if (group[index] !== 0) return false
  }
  return true
}

function noteOf(answer: Arrived): string | undefined {
  const signs = answer.command === 'signHead' || answer.command === 'signStart'
  const outcome = signs ? answer.outcomes[0] : undefined
  const note = partOf(outcome, 'note')
  return note && Buffer.from(note).toString('utf8')
}

function partOf(outcome: Outcome | undefined, name: string): Uint8Array | undefined {
  if (outcome === undefined || 'error' in outcome) return undefined
  return (outcome.parts as Readonly<Record<string, Uint8Array | undefined>>)[name]
}

function isSnapshotBegin(answer: Arrived): boolean {
  if (answer.command !== 'takeSnapshot') return false
  const outcome = answer.outcomes[0]
  return outcome !== undefined && !('error' in outcome)
}
