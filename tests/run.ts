/**
 * The test command. Installs what the tests need from the system, then runs Node's own runner over
 * every test beside the sources and in tests/. `--long` runs the long forms (KEYHOLD_LONG) of
 * those that have one: ten minutes of load, ten thousand kills; further arguments are files to run instead of all.
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
const chosen = files.length > 0 ? files : found
const timeoutMs = long ? 3_600_000 : 540_000
const { status } = spawnSync(
  process.execPath,
  [
    '--test',
    '--test-concurrency=2',
    '--test-reporter=spec',
    `--test-timeout=${timeoutMs}`,
    ...chosen,
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...(long ? { KEYHOLD_LONG: '1' } : {}) },
  },
)
process.exit(status ?? 1)

function parseArguments(given: readonly string[]): { long: boolean; files: string[] } {
  return { long: given.includes('--long'), files: given.filter((name) => name !== '--long') }
}
