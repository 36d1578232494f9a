/** docs/faults.md has a row for each tamper signal, with its cause, its responses and tests that are there. */

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { securityLevels } from '../src/hsm/contract/domain-state.ts'
import { type TamperSignal, tamperSignals } from '../src/hsm/contract/tamper.ts'
import { levelProfiles } from '../src/hsm/levels.ts'

const root = path.join(import.meta.dirname, '..')
const text = readFileSync(path.join(root, 'docs/faults.md'), 'utf8')

test('docs/faults.md has every signal, and says of it what the code does', () => {
  const names = ['nothing', 'stop', 'zeroise']
  const written = Array.from(
    text.matchAll(/^\| `([a-z-]+)` \| (\w+) \| [^|]+ \| ([a-z, ]+) \|/gm),
    ([, signal, cause, responses]) => `${signal} ${cause} ${responses}`,
  )
  const coded = (Object.keys(tamperSignals) as TamperSignal[]).map((signal) => {
    const responses = securityLevels.map((level) => names[levelProfiles[level].tamper[signal]])
    return `${signal} ${tamperSignals[signal].cause} ${responses.join(', ')}`
  })
  assert.deepEqual(written, coded)
})

test('every file that docs/faults.md names is there', () => {
  const found = text.matchAll(/`((?:src|tests|bench)\/[\w./-]+)`/g)
  const files = Array.from(found, ([, name]) => String(name))
  assert(files.length > 20)
  for (const name of files) assert(existsSync(path.join(root, name)), name)
})
