/** The services in the module's security policy are those of the command table, with their states. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { commandTable } from '../../src/hsm/commands.ts'
import { moduleStates } from '../../src/hsm/contract/commands.ts'

test('the services of src/hsm/README.md are the command table', () => {
  const file = path.join(import.meta.dirname, '../../src/hsm/README.md')
  const rows = readFileSync(file, 'utf8').matchAll(/^\| `(\w+)` \| ([ULOTF ]+) \|/gm)
  const written = Array.from(rows, ([, name, states]) => `${name}: ${states}`)
  const table = Array.from(commandTable().values(), ({ name, states }) => {
    const letters = moduleStates.filter((state) => states.includes(state))
    return `${name}: ${letters.map((state) => state.charAt(0).toUpperCase()).join(' ')}`
  })
  assert.deepEqual(written, table)
})

test('the commands that docs/formats/door.md wants alone in their frame are those of the table', () => {
  const file = path.join(import.meta.dirname, '../../docs/formats/door.md')
  const list = /MUST be the only item of their frame: ([^.]*)\./.exec(
    readFileSync(file, 'utf8'),
  )?.[1]
  const written = Array.from(list?.matchAll(/`(\w+)`/g) ?? [], ([, name]) => name)
  const table = [...commandTable().values()].filter((row) => row.alone).map(({ name }) => name)
  assert.deepEqual(written, table)
})
