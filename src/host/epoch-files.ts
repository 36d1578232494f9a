/**
 * Seals and sealed state of a new epoch in place of those of the one before, as one step. The folder of
 * the module is replaced as a whole:
 *
 *   module        what is in force
 *   module.next   what is to take its place; means nothing while there is a `module`
 *   module.old    what was in force before; means nothing once there is a `module`
 *
 * `module.next` is complete and durable before `module` is renamed to `module.old`: that rename is the
 * step. After a crash on either side of it, opening the folder goes on from where it was.
 */

import { rename, rm } from 'node:fs/promises'
import path from 'node:path'
import type { SealKind } from '../hsm/contract/domain-commands.ts'
import { frameRecords } from './append-file.ts'
import { makeFolder, namesIfThere, syncFolder, writeDurably } from './durable-file.ts'
import { snapshotFile, writeSeal } from './state-files.ts'

export const moduleFolder = 'module'
const nextFolder = `${moduleFolder}.next`
const oldFolder = `${moduleFolder}.old`

export interface NextEpochFiles {
  /** None where custodians alone open the domain. */
  readonly seal: { readonly kind: SealKind; readonly bytes: Uint8Array } | undefined
  readonly generation: number
  readonly snapshot: readonly Uint8Array[]
  /** Further files, by name: what the seal's secret is kept in, in development. */
  readonly files: Readonly<Record<string, Uint8Array>>
}

/** What is to take the place of the module's folder, durable. Whatever was left of an earlier try goes. */
export async function writeNextEpoch(folder: string, next: NextEpochFiles): Promise<void> {
  await discardNextEpoch(folder)
  const place = path.join(folder, nextFolder)
  await makeFolder(place)
  if (next.seal) await writeSeal(place, next.seal.kind, next.seal.bytes)
  for (const [name, bytes] of Object.entries(next.files)) {
    await writeDurably(path.join(place, name), [bytes])
  }
  await writeDurably(snapshotFile(place, next.generation), [frameRecords(next.snapshot)])
}

/** The step, and the end of what was before. The old folder is gone when this resolves. */
export async function takeUpNextEpoch(folder: string): Promise<void> {
  await rename(path.join(folder, moduleFolder), path.join(folder, oldFolder))
  await syncFolder(folder)
  await rename(path.join(folder, nextFolder), path.join(folder, moduleFolder))
  await syncFolder(folder)
  await remove(folder, oldFolder)
}

export async function discardNextEpoch(folder: string): Promise<void> {
  await remove(folder, nextFolder)
}

/** What a crash left: forward behind the step, back before it. */
export async function recoverEpoch(folder: string): Promise<void> {
  const names = (await namesIfThere(folder)) ?? []
  const isThere = (name: string) => names.includes(name)
  if (!isThere(moduleFolder)) {
    if (!isThere(nextFolder) || !isThere(oldFolder)) return
    await rename(path.join(folder, nextFolder), path.join(folder, moduleFolder))
    await syncFolder(folder)
  }
  await discardNextEpoch(folder)
  await remove(folder, oldFolder)
}

async function remove(folder: string, name: string): Promise<void> {
  await rm(path.join(folder, name), { recursive: true, force: true })
  await syncFolder(folder)
}
