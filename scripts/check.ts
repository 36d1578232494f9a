/** `npm run check`: format, lint, types and the tidy test, each with its own output; all of them run. */

import { spawnSync } from 'node:child_process'
import path from 'node:path'

const root = path.join(import.meta.dirname, '..')
const bin = path.join(root, 'node_modules/.bin')
const node = process.execPath
const steps: readonly (readonly [string, string, readonly string[]])[] = [
  ['format and lint', path.join(bin, 'biome'), ['check', '--error-on-warnings']],
  ['types', path.join(bin, 'tsc'), ['--noEmit', '-p', '.']],
  ['types in the browser', path.join(bin, 'tsc'), ['-p', 'src/cli/passkey/page']],
  ['tidy', node, ['--test', '--test-reporter=dot', 'tests/tidy.test.ts']],
]
/** Biome and the compiler start through `node`: they get the pinned one. */
const environment = { ...process.env, PATH: `${path.dirname(node)}:${process.env.PATH ?? ''}` }

const failed = steps.filter(([name, command, args]) => {
  process.stderr.write(`check: ${name}\n`)
  const { status, error } = spawnSync(command, [...args], {
    cwd: root,
    stdio: 'inherit',
    env: environment,
  })
  if (error) process.stderr.write(`${error.message}\n`)
  return status !== 0
})
if (failed.length > 0) {
  process.stderr.write(`check: failed: ${failed.map(([name]) => name).join(', ')}\n`)
  process.exit(1)
}
process.stderr.write('check: clean\n')
