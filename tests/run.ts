/**
 * The test command. Installs what the tests need from the system, then runs Node's own runner over
 * every test beside the sources and in tests/. `--long` runs tests/long and the long forms of the
 * others (KEYHOLD_LONG) instead; further arguments are files to run instead of all.
 */

import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import path from 'node:path'
import { installPackages } from './setup.ts'

const root = path.join(import.meta.dirname, '..')
const { long, files } = parseArguments(process.argv.slice(2))
try {
  installPackages()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(69)
}
const found = globSync(['src/**/*.test.ts', 'tests/**/*.test.ts'], { cwd: root }).sort()
const chosen = files.length > 0 ? files : found.filter((file) => long || !isLong(file))
const { status } = spawnSync(
  process.execPath,
  ['--test', '--test-concurrency=2', '--test-reporter=spec', '--test-timeout=540000', ...chosen],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...(long ? { KEYHOLD_LONG: '1' } : {}) },
  },
)
process.exit(status ?? 1)

function isLong(file: string): boolean {
  return file.split(path.sep).includes('long')
}

function parseArguments(given: readonly string[]): { long: boolean; files: string[] } {
  return { long: given.includes('--long'), files: given.filter((name) => name !== '--long') }
}
