/**
 * Whole files that are there completely or not at all, also after a power loss: written under another
 * name, synced, renamed, and the folder synced. Everything that the host writes is for its user alone.
 */

import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises'
import path from 'node:path'

export const folderMode = 0o700
export const fileMode = 0o600
/** Ends the name of a file that is being written; what is left of one after a crash means nothing. */
export const unfinishedSuffix = '.new'

/** Replaces the file, or makes it. */
export async function writeDurably(file: string, pieces: readonly Uint8Array[]): Promise<void> {
  const unfinished = `${file}${unfinishedSuffix}`
  const handle = await open(unfinished, 'w', fileMode)
  try {
    for (const piece of pieces) await handle.writeFile(piece)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(unfinished, file)
  await syncFolder(path.dirname(file))
}

/** Names that were made, renamed or removed in the folder are durable afterwards. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes the folder and those above it that are missing. */
export async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: folderMode })
  await syncFolder(path.dirname(folder))
}

/** Undefined when there is no such file. */
export async function readIfThere(file: string): Promise<Buffer | undefined> {
  return ifThere(readFile(file))
}

/** Undefined when there is no such folder. */
export async function namesIfThere(folder: string): Promise<string[] | undefined> {
  return ifThere(readdir(folder))
}

async function ifThere<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if (isErrorCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** Whether the operating system refused with this code. */
export function isErrorCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** The time as a part of a file name. */
export function timeInName(now: Date): string {
  return now.toISOString().replaceAll(':', '')
}
