/** Whose folder it is, and that nothing in it is guessed or overwritten. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite, test } from 'node:test'
import { DataFolder } from './data-folder.ts'

const domain = { domainId: 'd'.repeat(32), moduleId: 'e'.repeat(32) }
const asked = { development: true, foundIfEmpty: true }

function withFolder(use: (folder: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const parent = mkdtempSync(path.join(tmpdir(), 'keyhold-folder-'))
    try {
      await use(path.join(parent, 'data'))
    } finally {
      rmSync(parent, { recursive: true })
    }
  }
}

async function found(folder: string): Promise<void> {
  using opened = await DataFolder.open(folder, asked)
  await opened.commitFounding(domain)
}

suite('data folder', () => {
  test(
    'a new folder is for its user alone, and knows its domain when it is opened again',
    withFolder(async (folder) => {
      await found(folder)
      assert.equal(statSync(folder).mode & 0o777, 0o700)
      for (const name of readdirSync(folder)) {
        assert.equal(statSync(path.join(folder, name)).mode & 0o777, 0o600, name)
      }
      using opened = await DataFolder.open(folder, { development: true, foundIfEmpty: false })
      assert.deepEqual(opened.domain, domain)
    }),
  )

  test(
    'without leave to found, nothing is made where nothing is',
    withFolder(async (folder) => {
      const open = DataFolder.open(folder, { ...asked, foundIfEmpty: false })
      await assert.rejects(open, { code: 'FOLDER_EMPTY' })
      assert(!existsSync(folder))
    }),
  )

  test(
    'a foreign folder is refused and stays as it is',
    withFolder(async (folder) => {
      mkdirSync(folder, { mode: 0o700 })
      writeFileSync(path.join(folder, 'letter.txt'), 'mine')
      await assert.rejects(DataFolder.open(folder, asked), { code: 'FOLDER_FOREIGN' })
      assert.deepEqual(readdirSync(folder), ['letter.txt'])
    }),
  )

  test(
    'a file in place of the folder is refused',
    withFolder(async (folder) => {
      writeFileSync(folder, 'mine')
      await assert.rejects(DataFolder.open(folder, asked), { code: 'FOLDER_UNSAFE' })
      assert.equal(readFileSync(folder, 'utf8'), 'mine')
    }),
  )

  test(
    'a folder that others may enter is refused',
    withFolder(async (folder) => {
      await found(folder)
      chmodSync(folder, 0o750)
      await assert.rejects(DataFolder.open(folder, asked), { code: 'FOLDER_UNSAFE' })
    }),
  )

  test(
    'a newer format is refused as newer, a damaged identity as torn',
    withFolder(async (folder) => {
      await found(folder)
      const file = path.join(folder, 'keyhold.json')
      const good = JSON.parse(readFileSync(file, 'utf8'))
      for (const [text, code] of [
        [JSON.stringify({ ...good, format: 2, more: true }), 'FOLDER_NEWER'],
        [JSON.stringify({ ...good, format: '1' }), 'FOLDER_TORN'],
        [JSON.stringify({ ...good, domainId: 'D'.repeat(32) }), 'FOLDER_TORN'],
        [JSON.stringify({ ...good, moduleId: undefined }), 'FOLDER_TORN'],
        [JSON.stringify({ ...good, development: 1 }), 'FOLDER_TORN'],
        ['{"format":1', 'FOLDER_TORN'],
        ['', 'FOLDER_TORN'],
        ['null', 'FOLDER_TORN'],
      ] as const) {
        writeFileSync(file, text)
        await assert.rejects(DataFolder.open(folder, asked), { code }, text)
        assert.equal(readFileSync(file, 'utf8'), text)
      }
    }),
  )

  test(
    'invariant 10: a development domain is never opened as another, nor the reverse',
    withFolder(async (folder) => {
      await found(folder)
      const open = DataFolder.open(folder, { development: false, foundIfEmpty: true })
      await assert.rejects(open, { code: 'FOLDER_DEVELOPMENT' })
    }),
  )

  test(
    'what an interrupted founding left is set aside, not used and not deleted',
    withFolder(async (folder) => {
      ;(await DataFolder.open(folder, asked))[Symbol.dispose]()
      mkdirSync(path.join(folder, 'record'))
      writeFileSync(path.join(folder, 'record', 'groups'), 'left')
      const now = () => new Date(0)
      using opened = await DataFolder.open(folder, { ...asked, now })
      assert.equal(opened.domain, undefined)
      const aside = path.join(folder, 'unfinished-1970-01-01T000000.000Z', 'record', 'groups')
      assert.equal(readFileSync(aside, 'utf8'), 'left')
      assert(!existsSync(path.join(folder, 'record')))
    }),
  )

  test(
    'a second server is refused, in this process and in another, until the first is gone',
    withFolder(async (folder) => {
      const first = await DataFolder.open(folder, asked)
      await assert.rejects(DataFolder.open(folder, asked), { code: 'FOLDER_LOCKED' })
      assert.equal(await openElsewhere(folder).said, 'FOLDER_LOCKED\n')
      first[Symbol.dispose]()
      ;(await DataFolder.open(folder, asked))[Symbol.dispose]()
    }),
  )

  test(
    'the lock of a server that was killed is gone with it',
    withFolder(async (folder) => {
      const other = openElsewhere(folder)
      assert.equal(await other.said, 'opened\n')
      await assert.rejects(DataFolder.open(folder, asked), { code: 'FOLDER_LOCKED' })
      other.process.kill('SIGKILL')
      await once(other.process, 'exit')
      ;(await DataFolder.open(folder, asked))[Symbol.dispose]()
    }),
  )
})

/** Opens the folder in a process of its own and holds it; says "opened" or the code. */
function openElsewhere(folder: string) {
  const program = `
    const { DataFolder } = await import(${JSON.stringify(path.join(import.meta.dirname, 'data-folder.ts'))})
    try {
      globalThis.kept = await DataFolder.open(${JSON.stringify(folder)}, ${JSON.stringify(asked)})
      console.log('opened')
      setInterval(() => undefined, 1000)
    } catch (error) {
      console.log(error.code)
    }`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said = once(child.stdout, 'data').then(([bytes]) => String(bytes))
  return { process: child, said }
}
