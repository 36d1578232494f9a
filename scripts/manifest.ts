/**
 * Makes a release's `release/` folder: the module with its types stripped, and the signed manifest
 * (docs/formats/manifest.md).
 *
 *   ./keyhold --node scripts/manifest.ts keygen --key FILE
 *   ./keyhold --node scripts/manifest.ts sign --key FILE [--root DIR] [--binary PLATFORM=FILE]…
 *   ./keyhold --node scripts/manifest.ts verify [--root DIR]
 *
 * `keygen` makes the maker's private keys and prints the public ones as they stand in
 * `src/launcher/release-keys.ts`. `sign` lists the Node that runs it for this platform, and the binaries
 * that are named for others; it names no time and no machine, so that two makers get the same text.
 */

import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { checkRelease } from '../src/launcher/release.ts'
import { releaseKeys, releaseName } from '../src/launcher/release-keys.ts'
import { type SigningKeys, verifierKeys } from '../src/launcher/signed-note.ts'
import { makeRelease } from './release.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    key: { type: 'string' },
    root: { type: 'string', default: path.join(import.meta.dirname, '..') },
    binary: { type: 'string', multiple: true, default: [] },
  },
})
const [command] = positionals
const root = path.resolve(values.root)

if (command === 'keygen' && values.key !== undefined) {
  const keys = [generateKeyPairSync('ed25519'), generateKeyPairSync('ml-dsa-65')]
  const pem = keys.map(({ privateKey }) => privateKey.export({ format: 'pem', type: 'pkcs8' }))
  writeFileSync(values.key, pem.join(''), { mode: 0o600, flag: 'wx' })
  for (const key of verifierKeys(releaseName, readKeys(values.key))) say(key)
} else if (command === 'sign' && values.key !== undefined) {
  const others = values.binary.map((text) => {
    const [platform = '', file = ''] = text.split('=')
    return { platform, file }
  })
  const { version, files } = await makeRelease(root, readKeys(values.key), others)
  say(`signed the manifest of ${version}: ${files.length} files`)
} else if (command === 'verify') {
  const { manifest } = await checkRelease({ root, keys: releaseKeys, node: process.execPath })
  say(
    `version ${manifest.version}, Node ${manifest.node}: ${manifest.files.length} files are right`,
  )
} else {
  process.stderr.write('usage: manifest.ts keygen|sign|verify; see the head of the file\n')
  process.exit(2)
}

/** Ed25519, then ML-DSA-65, as PKCS#8 in PEM, one behind the other. */
function readKeys(file: string): SigningKeys {
  const blocks = readFileSync(file, 'utf8').split(/(?<=-----END PRIVATE KEY-----\n)/)
  const [ed25519, mlDsa65] = blocks.map((pem) => (pem === '' ? undefined : createPrivateKey(pem)))
  return [of(ed25519, 'ed25519'), of(mlDsa65, 'ml-dsa-65')]
}

function of(key: KeyObject | undefined, type: string): KeyObject {
  if (key?.asymmetricKeyType === type) return key
  throw new Error(`the file of private keys has no ${type} key in its place`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
