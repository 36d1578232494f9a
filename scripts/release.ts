/**
 * The release folder of a tree: `release/hsm`, the module's sources with their types stripped, and
 * `release/manifest`, signed. Stripping puts blanks where types were and `.js` where imports said `.ts`:
 * every line and column of the source is where it was, and anybody who has the sources gets the same.
 */

import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import path from 'node:path'
import { digestOf, filesIn } from '../src/launcher/files.ts'
import { encodeManifest, type Manifest } from '../src/launcher/manifest.ts'
import { manifestName, platform, strippedName } from '../src/launcher/release.ts'
import { releaseName } from '../src/launcher/release-keys.ts'
import { type SigningKeys, signNote } from '../src/launcher/signed-note.ts'

export interface OtherBinary {
  readonly platform: string
  readonly file: string
}

const notShipped = /\.(test|testing)\.ts$|\.snapshot$/

/** Replaces `release/` under the root. Lists `node` for this platform. */
export async function makeRelease(
  root: string,
  keys: SigningKeys,
  others: readonly OtherBinary[] = [],
  node: string = process.execPath,
): Promise<Manifest> {
  const stripped = path.join(root, strippedName)
  rmSync(path.join(root, 'release'), { recursive: true, force: true })
  const sources = (await filesIn(path.join(root, 'src/hsm'))).filter(
    (name) => !notShipped.test(name),
  )
  for (const name of sources) {
    if (name.endsWith('.ts')) strip(path.join(root, 'src/hsm', name), path.join(stripped, name))
  }
  // Node looks for the next one upwards: it is to find this.
  writeFileSync(path.join(stripped, 'package.json'), '{ "type": "module" }\n')
  const paths = [
    'package.json',
    ...sources.map((name) => `src/hsm/${name}`),
    ...(await filesIn(stripped)).map((name) => `${strippedName}/${name}`),
  ]
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
  const manifest: Manifest = {
    version: String(version),
    node: process.version,
    binaries: await Promise.all(
      [{ platform, file: node }, ...others].map(async (binary) => ({
        platform: binary.platform,
        ...(await digestOf(binary.file)),
      })),
    ),
    files: await Promise.all(
      paths.map(async (name) => ({ path: name, ...(await digestOf(path.join(root, name))) })),
    ),
  }
  const note = signNote(encodeManifest(manifest), releaseName, keys)
  writeFileSync(path.join(root, manifestName), note)
  return manifest
}

/** What a release of the tree would be made from, somewhere else: for tests and makers. */
export function copyTree(from: string, to: string): void {
  for (const name of ['package.json', 'src']) {
    cpSync(path.join(from, name), path.join(to, name), { recursive: true })
  }
}

function strip(from: string, to: string): void {
  const text = stripTypeScriptTypes(readFileSync(from, 'utf8'))
  mkdirSync(path.dirname(to), { recursive: true })
  const imports = /((?:from|import)\s*\(?\s*'\.[^'\n]+)\.ts'/g
  writeFileSync(to.replace(/\.ts$/, '.js'), text.replaceAll(imports, "$1.js'"))
}
