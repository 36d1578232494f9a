/**
 * The check before anything is started: the signature of the release's manifest, then each file of the
 * module and the Node binary against it. What runs is `release/hsm`, the module with its types stripped
 * (docs/decisions/0006); it must hold what the manifest lists and nothing else, because Node looks for
 * files by itself (`package.json`). The sources that it was made from are in the manifest too.
 *
 * A digest is worth what nobody changed since: from security level 3 the launcher also demands that only
 * root could (`files.ts`). Digests are not remembered: one of Node takes about 0.13 s.
 */

import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { LauncherError } from './errors.ts'
import { assertOursAlone, digestOf, filesIn } from './files.ts'
import {
  encodeManifest,
  type ListedFile,
  listedFileBytesMax,
  type Manifest,
  manifestBytesMax,
  openManifest,
} from './manifest.ts'
import { type ModuleCode, moduleSource } from './module-command.ts'
import type { VerifierKeys } from './signed-note.ts'

export const manifestName = 'release/manifest'
export const strippedName = 'release/hsm'

export interface ReleaseOptions {
  /** The folder in which `release` and `src` are. */
  readonly root: string
  readonly keys: VerifierKeys
  /** The binary that the module is started with. */
  readonly node: string
  /** Demands that nobody but root and this user can change what was checked. */
  readonly oursAlone?: boolean
}

/** Undefined when there is no manifest, as in a checkout. @throws LauncherError */
export async function checkReleaseIfThere(
  options: ReleaseOptions,
): Promise<CheckedRelease | undefined> {
  try {
    return await checkRelease(options)
  } catch (error) {
    if (error instanceof LauncherError && error.code === 'MANIFEST_MISSING') return undefined
    throw error
  }
}

export interface CheckedRelease {
  readonly manifest: Manifest
  /** What to start. */
  readonly code: ModuleCode
}

/** @throws LauncherError */
export async function checkRelease(options: ReleaseOptions): Promise<CheckedRelease> {
  const { root, node } = options
  const manifest = openManifest(await readManifest(root), options.keys)
  const sourceManifest = createHash('sha256').update(encodeManifest(manifest)).digest('hex')
  const folder = path.join(root, strippedName)
  const code: ModuleCode = { node, folder, extension: '.js', sourceManifest }
  if (options.oursAlone) {
    const files = manifest.files.map((file) => path.join(root, file.path))
    await assertOursAlone([node, path.join(root, manifestName), ...files])
  }
  await Promise.all([
    assertBinary(manifest, node),
    assertNothingElse(folder, manifest),
    ...manifest.files.map((file) => assertFile(root, file)),
  ])
  return { manifest, code }
}

async function readManifest(root: string): Promise<string> {
  const file = path.join(root, manifestName)
  try {
    const { size } = await stat(file)
    if (size > manifestBytesMax) throw new Error(`${size} bytes`)
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new LauncherError(
      'MANIFEST_MISSING',
      `${file} cannot be read: what would be started is not known to be a release. Install one.`,
      { cause },
    )
  }
}

async function assertFile(root: string, listed: ListedFile): Promise<void> {
  const file = path.join(root, listed.path)
  if (listed.size > listedFileBytesMax) throw sourceChanged(file, 'is too large to be listed')
  const found = await digestOf(file, listed.size).catch((cause: unknown) => {
    throw sourceChanged(file, 'cannot be read', { cause })
  })
  if (found.sha256 !== listed.sha256) throw sourceChanged(file, 'is not that of the manifest')
}

async function assertNothingElse(folder: string, { files }: Manifest): Promise<void> {
  const listed = new Set(files.map((file) => file.path))
  if (!listed.has(`${strippedName}/start.js`) || !listed.has(`${strippedName}/package.json`)) {
    throw new LauncherError('MANIFEST_INVALID', 'the manifest lists no module that can be started.')
  }
  const names = await filesIn(folder).catch((cause: unknown) => {
    throw sourceChanged(folder, 'cannot be read', { cause })
  })
  const further = names.find((name) => !listed.has(`${strippedName}/${name}`))
  if (further !== undefined)
    throw sourceChanged(path.join(folder, further), 'is not in the manifest')
}

function sourceChanged(file: string, what: string, options?: ErrorOptions): LauncherError {
  const advice = 'Nothing was started. Find out who changed it, and install the release again.'
  return new LauncherError('SOURCE_CHANGED', `${file} ${what}. ${advice}`, options)
}

export const platform = `${process.platform}-${process.arch}`

async function assertBinary({ binaries, node: version }: Manifest, node: string): Promise<void> {
  const listed = binaries.find((binary) => binary.platform === platform)
  if (listed === undefined) {
    throw new LauncherError('NODE_CHANGED', `the manifest lists no Node for ${platform}.`)
  }
  const found = await digestOf(node, listed.size).catch((cause: unknown) => {
    throw new LauncherError('NODE_CHANGED', `${node} cannot be read.`, { cause })
  })
  if (found.sha256 === listed.sha256) return
  throw new LauncherError(
    'NODE_CHANGED',
    `${node} is not the Node ${version} of the manifest. Nothing was started. Find out who changed ` +
      'it, and install the release again.',
  )
}

/** The module as it stands in a checkout, unchecked. */
export function uncheckedCode(): ModuleCode {
  return { node: process.execPath, folder: moduleSource, extension: '.ts' }
}
