/**
 * The module's sealed state as the host keeps it, in `module/`:
 *
 *   seals/<kind>            what opens the domain root key, by passphrase, key file or TPM
 *   snapshot.<generation>   the whole sealed state, its pieces as records
 *   changes.<generation>    sealed changes since that snapshot, as records of an AppendFile
 *
 * A snapshot is there completely or not at all, and the generation before it is removed only once it is
 * durable. While one is being taken, changes already go to the new generation; if the server ends in
 * between, the module is handed the older snapshot and the changes of both generations. The host reads
 * none of it: the module notices whatever is altered, older, reordered or cut.
 */

import assert from 'node:assert/strict'
import { rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { type SealKind, sealKinds } from '../hsm/contract/domain-commands.ts'
import { AppendFile, cutRecords, type DiskCalls, frameRecords } from './append-file.ts'
import { makeFolder, namesIfThere, readIfThere, syncFolder, writeDurably } from './durable-file.ts'
import { HostError } from './errors.ts'

/** Changes after which a new snapshot is due. */
export const changesPerSnapshotMax = 10_000
export const changesBytesPerSnapshotMax = 4 * 1024 * 1024

export interface StateFilesOptions {
  readonly calls: DiskCalls
  readonly now: Date
}

export class StateFiles {
  readonly #folder: string
  readonly #options: StateFilesOptions
  /** Generation of the newest complete snapshot. */
  #generation: number
  /** By generation, ascending; the last is the one that takes changes. */
  readonly #changes: Map<number, AppendFile>
  /** Changes since the newest complete snapshot. */
  #changesCount = 0
  #snapshotBytes = 0

  private constructor(
    folder: string,
    options: StateFilesOptions,
    generation: number,
    changes: Map<number, AppendFile>,
  ) {
    this.#folder = folder
    this.#options = options
    this.#generation = generation
    this.#changes = changes
  }

  /** Keeps the first snapshot of a new domain. Nothing may be in the folder. */
  static async create(
    folder: string,
    generation: number,
    snapshot: readonly Uint8Array[],
    options: StateFilesOptions,
  ): Promise<StateFiles> {
    await makeFolder(folder)
    await writeDurably(snapshotFile(folder, generation), [frameRecords(snapshot)])
    return StateFiles.open(folder, options)
  }

  /** @throws HostError FOLDER_TORN */
  static async open(folder: string, options: StateFilesOptions): Promise<StateFiles> {
    const names = (await namesIfThere(folder)) ?? []
    const generation = Math.max(...generationsOf(names, 'snapshot'))
    if (!Number.isSafeInteger(generation)) {
      throw new HostError(
        'FOLDER_TORN',
        `${folder} holds no snapshot of the module's state. Restore the folder from its backup.`,
      )
    }
    const files = new StateFiles(folder, options, generation, new Map())
    const found = generationsOf(names, 'changes').filter((other) => other > generation)
    files.#snapshotBytes = (await stat(snapshotFile(folder, generation))).size
    for (const next of [generation, ...found]) await files.#openChanges(next)
    await files.#removeOlder()
    return files
  }

  /** Generation that takes changes. */
  get changesGeneration(): number {
    return Math.max(...this.#changes.keys())
  }

  /** The file for changes of a generation. */
  changesFile(generation: number): AppendFile {
    const file = this.#changes.get(generation)
    assert(file)
    return file
  }

  /** Takes note of a change on its way to the file. */
  arrived(): void {
    this.#changesCount += 1
  }

  /** Of the newest complete snapshot and the changes behind it. */
  get bytes(): number {
    return this.#snapshotBytes + this.#changesBytes
  }

  get snapshotDue(): boolean {
    return (
      this.#changesCount >= changesPerSnapshotMax ||
      this.#changesBytes >= changesBytesPerSnapshotMax
    )
  }

  get #changesBytes(): number {
    let bytes = 0
    for (const file of this.#changes.values()) bytes += file.length
    return bytes
  }

  /** Makes the file for the changes of the next generation, before the module is asked for it. */
  async prepareNext(): Promise<number> {
    const next = this.changesGeneration + 1
    await this.#openChanges(next)
    return next
  }

  /** Keeps a complete snapshot; older generations go once it is durable. */
  async keepSnapshot(generation: number, pieces: readonly Uint8Array[]): Promise<void> {
    assert(generation > this.#generation && this.#changes.has(generation))
    const snapshot = frameRecords(pieces)
    await writeDurably(snapshotFile(this.#folder, generation), [snapshot])
    this.#snapshotBytes = snapshot.length
    this.#generation = generation
    this.#changesCount = 0
    await this.#removeOlder()
  }

  /** The pieces of the newest complete snapshot. @throws HostError FOLDER_TORN */
  async readSnapshot(): Promise<Buffer[]> {
    const file = snapshotFile(this.#folder, this.#generation)
    return cutRecords((await readIfThere(file)) ?? Buffer.alloc(0), file)
  }

  /** The changes behind that snapshot, in order, in batches. */
  async *readChanges(): AsyncGenerator<Buffer[]> {
    for (const file of this.#changes.values()) {
      for await (const records of file.read(0)) yield records.map((record) => record.bytes)
    }
  }

  async close(): Promise<void> {
    for (const file of this.#changes.values()) await file.close()
  }

  async #openChanges(generation: number): Promise<void> {
    const file = await AppendFile.open(path.join(this.#folder, `changes.${generation}`), {
      ...this.#options,
      from: 0,
      take: () => this.arrived(),
    })
    this.#changes.set(generation, file)
  }

  async #removeOlder(): Promise<void> {
    for (const [generation, file] of this.#changes) {
      if (generation >= this.#generation) continue
      this.#changes.delete(generation)
      await file.close()
    }
    const names = (await namesIfThere(this.#folder)) ?? []
    for (const kind of ['snapshot', 'changes'] as const) {
      for (const generation of generationsOf(names, kind)) {
        if (generation < this.#generation) {
          await rm(path.join(this.#folder, `${kind}.${generation}`))
        }
      }
    }
    await syncFolder(this.#folder)
  }
}

/** Replaces the seal of this kind. */
export async function writeSeal(folder: string, kind: SealKind, seal: Uint8Array): Promise<void> {
  const seals = path.join(folder, 'seals')
  await makeFolder(seals)
  await writeDurably(path.join(seals, kind), [seal])
}

export function sealFile(folder: string, kind: SealKind): string {
  return path.join(folder, 'seals', kind)
}

/** The kinds of which there is a seal, sorted. */
export async function sealsIn(folder: string): Promise<SealKind[]> {
  const names = new Set(await namesIfThere(path.join(folder, 'seals')))
  return sealKinds.filter((kind) => names.has(kind)).sort()
}

export async function removeSeal(folder: string, kind: SealKind): Promise<void> {
  const seals = path.join(folder, 'seals')
  await rm(path.join(seals, kind), { force: true })
  await syncFolder(seals)
}

/** @throws HostError SEAL_MISSING */
export async function readSeal(folder: string, kind: SealKind): Promise<Buffer> {
  const seal = await readIfThere(sealFile(folder, kind))
  if (seal !== undefined) return seal
  throw new HostError(
    'SEAL_MISSING',
    `the domain has no seal of the kind "${kind}". Unlock it with a secret that it was sealed with.`,
  )
}

export function snapshotFile(folder: string, generation: number): string {
  return path.join(folder, `snapshot.${generation}`)
}

/** Ascending. */
function generationsOf(names: readonly string[], kind: 'snapshot' | 'changes'): number[] {
  const pattern = new RegExp(`^${kind}\\.(0|[1-9][0-9]{0,14})$`)
  return names
    .map((name) => pattern.exec(name)?.[1])
    .filter((text) => text !== undefined)
    .map(Number)
    .sort((a, b) => a - b)
}
