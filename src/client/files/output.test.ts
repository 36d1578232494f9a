/** Outputs appear whole or not at all, and replace nothing unasked. */

import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite, test } from 'node:test'
import { OutputFile } from './output.ts'

function withFolder(use: (folder: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-output-'))
    try {
      await use(folder)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
}

suite('an output file', () => {
  test(
    'has its name only after commit, with mode 0600',
    withFolder(async (folder) => {
      const target = path.join(folder, 'out')
      await using file = await OutputFile.create(target)
      await file.write(Buffer.from('hello'))
      assert(!readdirSync(folder).includes('out'))
      await file.commit()
      assert.deepEqual(readdirSync(folder), ['out'])
      assert.equal(readFileSync(target, 'utf8'), 'hello')
      assert.equal(statSync(target).mode & 0o777, 0o600)
    }),
  )

  test(
    'leaves nothing behind without commit',
    withFolder(async (folder) => {
      const work = async () => {
        await using file = await OutputFile.create(path.join(folder, 'out'))
        await file.write(Buffer.from('secret'))
        throw new Error('stopped')
      }
      await assert.rejects(work, /stopped/)
      assert.deepEqual(readdirSync(folder), [])
    }),
  )

  test(
    'replaces nothing unless forced, not even what came up in the meantime',
    withFolder(async (folder) => {
      const target = path.join(folder, 'out')
      const late = async () => {
        await using file = await OutputFile.create(target)
        writeFileSync(target, 'other')
        await file.commit()
      }
      await assert.rejects(late, { code: 'FILE_EXISTS' })
      await assert.rejects(OutputFile.create(target), { code: 'FILE_EXISTS' })
      assert.equal(readFileSync(target, 'utf8'), 'other')
      await using file = await OutputFile.create(target, { force: true })
      await file.write(Buffer.from('new'))
      await file.commit()
      assert.equal(readFileSync(target, 'utf8'), 'new')
      assert.deepEqual(readdirSync(folder), ['out'])
    }),
  )

  test('a folder that is not there is FILE_NOT_WRITABLE', async () => {
    const target = path.join(tmpdir(), 'keyhold-no-such-folder', 'out')
    await assert.rejects(OutputFile.create(target), { code: 'FILE_NOT_WRITABLE' })
  })
})
