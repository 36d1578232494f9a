/** The table of docs/algorithms.md is the module's registry, row by row. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { type AlgorithmRow, algorithms } from '../src/hsm/contract/algorithms.ts'

const file = path.join(import.meta.dirname, '../docs/algorithms.md')

test('docs/algorithms.md has a line for every algorithm, and no other', () => {
  const documented = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
    .slice(1)
    .map((line) =>
      line
        .split('|')
        .slice(1, 4)
        .map((cell) => cell.trim()),
    )
  const registered = Object.entries<AlgorithmRow>(algorithms).map(([name, { keyTypes, uses }]) => [
    name,
    keyTypes.join(', '),
    uses.join(', '),
  ])
  assert.deepEqual(documented, registered)
})
