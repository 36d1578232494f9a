/**
 * The architecture as a test: who may import whom, how long files and functions may be, which node:
 * modules the module may use, and what must not be left lying about.
 */

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'

/** Folder -> what it may import from this repository, besides itself. The first match counts. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  'src/hsm/contract': [],
  'src/hsm': [],
  'src/launcher': ['src/hsm/contract/', 'src/host/tpm/'],
  'src/tlog': ['src/hsm/contract/'],
  'src/host': ['src/hsm/contract/', 'src/launcher/', 'src/tlog/'],
  'src/encodings': [],
  'src/storage': [],
  'src/kms': ['src/host/', 'src/hsm/contract/', 'src/storage/', 'src/encodings/'],
  'src/protocols/rest': ['src/kms/', 'src/encodings/', 'src/hsm/contract/', 'src/tlog/'],
  'src/server': ['src/'],
  'src/witness': ['src/tlog/', 'src/hsm/contract/'],
  'src/client': [],
  'src/cli': [
    ...['src/client/', 'src/hsm/contract/', 'src/tlog/', 'src/witness/'],
    ...['src/host/scratch-module.ts', 'src/kms/keys/template.ts'],
    // What the module checks of a passkey is checked before it is written down.
    'src/hsm/people.ts',
  ],
}

/** Folder -> the npm packages that it may import. A folder that is not here may import none. */
const mayImportPackage: Readonly<Record<string, readonly string[]>> = {
  'src/storage': ['kysely'],
  'src/kms': ['zod', 'kysely'],
  'src/encodings': ['@peculiar/x509', 'asn1js', 'reflect-metadata'],
  'src/protocols/rest': ['fastify', 'zod'],
  'src/server': ['fastify', 'zod', 'prom-client'],
  'src/cli': ['commander', '@clack/prompts', 'zod', 'qrcode-generator'],
}

/** The node: modules that the module may use; none of them opens a file, a socket or a process. */
const moduleMayUse: Readonly<Record<string, readonly string[] | 'anywhere'>> = {
  'node:assert/strict': 'anywhere',
  'node:crypto': 'anywhere',
  'node:util': 'anywhere',
  'node:buffer': 'anywhere',
  'node:timers': 'anywhere',
  'node:process': 'anywhere',
  'node:perf_hooks': 'anywhere',
  'node:stream': 'anywhere',
  'node:ffi': ['src/hsm/native.ts', 'src/hsm/native-random.ts'],
  'node:net': ['src/hsm/run.ts', 'src/hsm/main.ts', 'src/hsm/door.ts'],
  'node:worker_threads': ['src/hsm/worker.ts', 'src/hsm/worker-pool.ts'],
}

const linesMax = 400
/** Built by a script or pure data; excepted from the limit on lines by name. */
const generated = new Set(['src/client/types.ts'])

suite('tidy', () => {
  const sources = globSync('src/**/*.ts')
  for (const file of sources) {
    const text = readFileSync(file, 'utf8')
    const folder = Object.keys(mayImport).find((name) => file.startsWith(`${name}/`))
    test(file, () => {
      assert(folder !== undefined, 'the file is in no folder of the table')
      const lines = text.split('\n').length
      assert(generated.has(file) || lines <= linesMax, `${lines} lines, more than ${linesMax}`)
      assert(/^(#![^\n]*\n)?\/\*\*/.test(text), 'the first thing in a file says what it is for')
      assert.doesNotMatch(text, /\b(TODO|FIXME|XXX)\b/)
      assert.doesNotMatch(text, /^export default\b/m)
      for (const target of imports(file, text)) assertMayImport(file, folder, target)
    })
  }

  test('every file is imported, started or a test', () => {
    const all = [...sources, ...globSync(['tests/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.ts'])]
    const texts = all.map((file) => [file, readFileSync(file, 'utf8')] as const)
    const used = new Set(texts.flatMap(([file, text]) => imports(file, text)))
    const started = [...texts.map(([, text]) => text), readFileSync('keyhold', 'utf8')].join('\n')
    const lost = sources.filter(
      (file) =>
        !file.endsWith('.test.ts') && !used.has(file) && !started.includes(path.basename(file)),
    )
    assert.deepEqual(lost, [])
  })

  test('no file names a machine path or a download address', () => {
    const lock = readFileSync('package-lock.json', 'utf8')
    assert.doesNotMatch(lock, /"resolved"/)
    const tree = globSync(['src/**/*.ts', 'bench/**/*.ts', 'docs/**/*.md', '*.md'])
    for (const file of tree) {
      assert.doesNotMatch(readFileSync(file, 'utf8'), /(^|[\s"'`(])\/(work|farm)\//m, file)
    }
  })

  test('a document has one title', () => {
    for (const file of globSync(['docs/**/*.md', '*.md', 'src/**/*.md', 'bench/*.md'])) {
      const prose = readFileSync(file, 'utf8').replace(/^```[\s\S]*?^```/gm, '')
      assert.equal(prose.match(/^# /gm)?.length, 1, file)
    }
  })
})

function assertMayImport(file: string, folder: string, target: string): void {
  const isTest = /\.test(ing)?\.ts$/.test(file)
  if (target.startsWith('node:')) {
    if (isTest || !file.startsWith('src/hsm/')) return
    const where = moduleMayUse[target]
    assert(where !== undefined, `the module must not use ${target}`)
    assert(where === 'anywhere' || where.includes(file), `${target} belongs in ${where}`)
    return
  }
  if (target.startsWith('npm:')) {
    const name = target.slice(4)
    const allowed = [...(mayImportPackage[folder] ?? []), ...(isTest ? ['fast-check'] : [])]
    assert(allowed.includes(name), `must not import ${name}`)
    return
  }
  const allowed = [`${folder}/`, ...(mayImport[folder] ?? []), ...(isTest ? ['tests/'] : [])]
  const isOwnContract = folder === 'src/hsm' && target.startsWith('src/hsm/contract/')
  assert(
    isOwnContract || allowed.some((prefix) => target.startsWith(prefix)),
    `must not import ${target}`,
  )
}

/** Repository paths of relative imports, "npm:name" for packages, and node: modules as they are. */
function imports(file: string, text: string): string[] {
  const pattern =
    /^(?:import|export)\b[^'"`]*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm
  return [...text.matchAll(pattern)]
    .map((match) => match[1] ?? match[2] ?? match[3] ?? '')
    .map((specifier) => {
      if (specifier.startsWith('.')) return path.join(path.dirname(file), specifier)
      return specifier.startsWith('node:') ? specifier : `npm:${specifier}`
    })
}
