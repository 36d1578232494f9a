/** Makes docs/openapi.json from the route table. Says whether it differs; `--write` writes it. */

import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { openApiDocument } from '../src/protocols/rest/openapi.ts'
import { routes } from '../src/protocols/rest/routes.ts'

const root = path.join(import.meta.dirname, '..')
const file = path.join(root, 'docs/openapi.json')
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
const text = `${JSON.stringify(openApiDocument(routes, version), undefined, 2)}\n`

if (process.argv.includes('--write')) {
  writeFileSync(file, text)
} else if (readFileSync(file, 'utf8') !== text) {
  process.stderr.write(
    'docs/openapi.json is not what the route table says; if the change is meant, type:\n' +
      './keyhold --node scripts/openapi.ts --write\n',
  )
  process.exit(1)
}
