/**
 * From a data folder to an operational module, again and again: the sources as they stand, a release
 * with its types stripped, and the same behind the check of manifest, files and Node; and what each part
 * takes alone. `./keyhold --node bench/start.ts --rounds N` (default 10). Rounds alternate, so that
 * what else runs on the machine touches all of them.
 */

import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { copyTree, makeRelease } from '../scripts/release.ts'
import { openHost } from '../src/host/host.ts'
import type { HostOptions } from '../src/host/options.ts'
import { checkRelease } from '../src/launcher/release.ts'
import { releaseName } from '../src/launcher/release-keys.ts'
import { type SigningKeys, verifierKeys } from '../src/launcher/signed-note.ts'
import { percentile } from './measure.ts'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '10' } } })
const rounds = Number(values.rounds)
const parent = mkdtempSync(path.join(tmpdir(), 'keyhold-start-'))
try {
  const root = path.join(parent, 'root')
  copyTree(path.join(import.meta.dirname, '..'), root)
  const keys: SigningKeys = [
    generateKeyPairSync('ed25519').privateKey,
    generateKeyPairSync('ml-dsa-65').privateKey,
  ]
  await makeRelease(root, keys)
  const release = { root, keys: verifierKeys(releaseName, keys), node: process.execPath }
  const options: HostOptions = {
    folder: path.join(parent, 'data'),
    development: true,
    sealKind: 'key-file',
    secret: async () => Buffer.alloc(32, 7),
    log: () => undefined,
  }
  await (await openHost({ ...options, foundIfEmpty: true }))[Symbol.asyncDispose]()
  const works: Readonly<Record<string, () => Promise<unknown>>> = {
    'the check alone': () => checkRelease(release),
    'operational, sources': () => start(options),
    'operational, release behind its check': () => start({ ...options, release }),
  }
  const taken = Object.fromEntries(Object.keys(works).map((name) => [name, [] as number[]]))
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, work] of Object.entries(works)) {
      const before = performance.now()
      const stop = (await work()) as (() => Promise<void>) | object
      taken[name]?.push(performance.now() - before)
      if (typeof stop === 'function') await stop()
    }
  }
  for (const [name, all] of Object.entries(taken)) {
    const sorted = Float64Array.from(all).sort()
    const figures = [0, 0.5, 0.9].map((share) => percentile(sorted, share).toFixed(0).padStart(6))
    process.stdout.write(`${name.padEnd(40)} ms: least, median, 90 %: ${figures.join(' ')}\n`)
  }
} finally {
  rmSync(parent, { recursive: true, force: true })
}

/** Resolves when the module is operational. */
async function start(options: HostOptions): Promise<() => Promise<void>> {
  const host = await openHost(options)
  return () => host[Symbol.asyncDispose]()
}
