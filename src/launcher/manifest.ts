/**
 * The manifest of a release (docs/formats/manifest.md): every file of the module with size and SHA-256,
 * and the Node binary of each platform. Text with one line for each, sorted, in one encoding; a release
 * carries it as a note that is signed with the release's keys (signed-note.ts).
 */

import { LauncherError } from './errors.ts'
import { openNote, type VerifierKeys } from './signed-note.ts'

export interface ListedFile {
  /** From the release's folder, with "/". */
  readonly path: string
  readonly size: number
  /** In hex. */
  readonly sha256: string
}

export interface ListedBinary {
  /** `process.platform` "-" `process.arch`. */
  readonly platform: string
  readonly size: number
  readonly sha256: string
}

export interface Manifest {
  readonly version: string
  /** `process.version`. */
  readonly node: string
  readonly binaries: readonly ListedBinary[]
  readonly files: readonly ListedFile[]
}

const firstLine = 'keyhold release manifest v1'
export const manifestBytesMax = 1024 * 1024
const filesMax = 2_000
export const listedFileBytesMax = 4 * 1024 * 1024

export function encodeManifest({ version, node, binaries, files }: Manifest): string {
  const lines = [firstLine, `version ${version}`, `node ${node}`]
  for (const { platform, size, sha256 } of sorted(binaries, ({ platform }) => platform)) {
    lines.push(`binary ${platform} ${size} ${sha256}`)
  }
  for (const { path, size, sha256 } of sorted(files, ({ path }) => path)) {
    lines.push(`file ${path} ${size} ${sha256}`)
  }
  return `${lines.join('\n')}\n`
}

/** @throws LauncherError MANIFEST_SIGNATURE_INVALID, MANIFEST_INVALID */
export function openManifest(note: string, keys: VerifierKeys): Manifest {
  const text = openNote(note, keys)
  if (text !== undefined) return parseManifest(text)
  throw new LauncherError(
    'MANIFEST_SIGNATURE_INVALID',
    'the manifest is not signed with the keys of this release, or was changed. ' +
      'Install the release again from where its maker offers it.',
  )
}

const words = {
  version: /^version ([0-9A-Za-z.+-]{1,64})$/,
  node: /^node (v[0-9]+\.[0-9]+\.[0-9]+)$/,
  binary: /^binary ([a-z0-9]+-[a-z0-9]+) (0|[1-9][0-9]{0,11}) ([0-9a-f]{64})$/,
  file: /^file ((?:[A-Za-z0-9_-][A-Za-z0-9_.-]*\/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*) (0|[1-9][0-9]{0,11}) ([0-9a-f]{64})$/,
}

/** @throws LauncherError MANIFEST_INVALID unless it is exactly what encodeManifest makes */
export function parseManifest(text: string): Manifest {
  const [first, versionLine = '', nodeLine = '', ...lines] = text.split('\n')
  const version = words.version.exec(versionLine)?.[1]
  const node = words.node.exec(nodeLine)?.[1]
  if (first !== firstLine || !version || !node || lines.length > filesMax) throw invalid()
  const binaries: ListedBinary[] = []
  const files: ListedFile[] = []
  for (const line of lines.slice(0, -1)) {
    const [, platform, binarySize, binaryHash] = words.binary.exec(line) ?? []
    const [, path, size, sha256] = words.file.exec(line) ?? []
    if (platform && binaryHash) {
      binaries.push({ platform, size: Number(binarySize), sha256: binaryHash })
    } else if (path && sha256) files.push({ path, size: Number(size), sha256 })
    else throw invalid()
  }
  const manifest = { version, node, binaries, files }
  const isTwice =
    new Set(files.map(({ path }) => path)).size < files.length ||
    new Set(binaries.map(({ platform }) => platform)).size < binaries.length
  if (isTwice || encodeManifest(manifest) !== text) throw invalid()
  return manifest
}

/** By code unit, the same everywhere. */
function sorted<T>(list: readonly T[], name: (item: T) => string): T[] {
  return list.toSorted((a, b) => (name(a) < name(b) ? -1 : 1))
}

function invalid(): LauncherError {
  return new LauncherError(
    'MANIFEST_INVALID',
    'the signed text is no manifest that this program knows. Use the program of the same release.',
  )
}
