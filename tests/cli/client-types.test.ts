/** The client's types and shapes are those of docs/openapi.json. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { generate } from '../../scripts/client-types.ts'

const root = path.join(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(path.join(root, file), 'utf8')

test('types.ts and api.json are current', () => {
  const { types, api } = generate(read('docs/openapi.json'))
  const how = 'type: ./keyhold --node scripts/client-types.ts'
  assert(read('src/client/types.ts') === types, how)
  assert(read('src/client/api.json') === api, how)
})
