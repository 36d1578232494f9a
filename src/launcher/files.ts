/**
 * Reading what is to be checked: digests of files, what is in a folder, and who could change it behind
 * the check. A file is opened once, never through a link at its end, and read to its end.
 */

import { createHash } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { lstat, open, readdir, realpath } from 'node:fs/promises'
import path from 'node:path'
import { LauncherError } from './errors.ts'

export interface Digest {
  readonly size: number
  /** In hex. */
  readonly sha256: string
}

const pieceBytes = 1024 * 1024

/**
 * SHA-256 of a regular file. `size` is what it is expected to have: a file of another size is not read.
 * @throws Error of the operating system when it cannot be opened
 */
export async function digestOf(file: string, size?: number): Promise<Digest> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const found = await handle.stat()
    if (!found.isFile()) throw new Error(`${file} is not a file`)
    if (size !== undefined && found.size !== size) return { size: found.size, sha256: '' }
    const hash = createHash('sha256')
    // Two pieces: one is read while the other is hashed.
    let [piece, next] = [spaceFor(found.size), spaceFor(found.size)]
    let read = 0
    for (let reading = handle.read(piece); ; ) {
      const { bytesRead } = await reading
      if (bytesRead === 0) break
      read += bytesRead
      const full = piece.subarray(0, bytesRead)
      ;[piece, next] = [next, piece]
      reading = handle.read(piece)
      hash.update(full)
    }
    return { size: read, sha256: hash.digest('hex') }
  } finally {
    await handle.close()
  }
}

function spaceFor(size: number): Buffer {
  return Buffer.allocUnsafeSlow(Math.min(pieceBytes, size + 1))
}

/** All that is in a folder and not a folder itself, with "/" and from that folder, sorted. */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .map((name) => name.split(path.sep).join('/'))
    .sort()
}

const othersWrite = 0o022
const sticky = 0o1000

/**
 * That nobody but root and this user can change a file between check and use: not one of the files, and
 * none of the folders on the way to them, unless its entries can be replaced by their owners alone
 * (`/tmp`). A file that is not there is the matter of who reads it.
 * @throws LauncherError FILE_UNSAFE
 */
export async function assertOursAlone(files: Iterable<string>): Promise<void> {
  const looked = new Set<string>()
  for (const file of files) {
    const real = await realpath(file).catch(() => undefined)
    for (let place = real; place !== undefined && !looked.has(place); place = above(place)) {
      looked.add(place)
      assertOurs(place, await lstat(place), place === real)
    }
  }
}

function above(place: string): string | undefined {
  const folder = path.dirname(place)
  return folder === place ? undefined : folder
}

function assertOurs(place: string, { uid, mode }: Stats, isFile: boolean): void {
  const user = process.geteuid?.() ?? 0
  const isSticky = !isFile && (mode & sticky) !== 0 && uid === 0
  if ((uid === 0 || uid === user) && ((mode & othersWrite) === 0 || isSticky)) return
  throw new LauncherError(
    'FILE_UNSAFE',
    `${place} can be changed by others than root (owner ${uid}, mode ` +
      `${(mode & 0o7777).toString(8)}). Type: chown root ${place}; chmod go-w ${place}`,
  )
}
