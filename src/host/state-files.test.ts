/** Sealed state survives every interruption of taking a snapshot, and is refused when it is not whole. */

import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite, test } from 'node:test'
import { disk, frameRecords } from './append-file.ts'
import { changesPerSnapshotMax, readSeal, StateFiles, writeSeal } from './state-files.ts'

const options = { calls: disk, now: new Date(0) }
const bytes = (text: string): Buffer => Buffer.from(text)

function append(state: StateFiles, generation: number, ...changes: string[]): Promise<void> {
  return new Promise((resolve, reject) =>
    state
      .changesFile(generation)
      .append(frameRecords(changes.map(bytes)), (error) => (error ? reject(error) : resolve())),
  )
}

async function contents(state: StateFiles): Promise<string[]> {
  const pieces = (await state.readSnapshot()).map(String)
  for await (const changes of state.readChanges()) pieces.push(...changes.map(String))
  return pieces
}

function withState(use: (folder: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-state-'))
    try {
      await use(path.join(folder, 'module'))
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
}

suite('state files', () => {
  test(
    'a new snapshot takes the place of the older one and its changes',
    withState(async (folder) => {
      const state = await StateFiles.create(folder, 1, [bytes('first')], options)
      await append(state, 1, 'a', 'b')
      assert.equal(await state.prepareNext(), 2)
      await append(state, 1, 'c')
      await append(state, 2, 'd')
      assert.deepEqual(await contents(state), ['first', 'a', 'b', 'c', 'd'])
      await state.keepSnapshot(2, [bytes('second'), bytes('piece')])
      await state.close()
      const opened = await StateFiles.open(folder, options)
      assert.deepEqual(await contents(opened), ['second', 'piece', 'd'])
      assert.deepEqual(readdirSync(folder).sort(), ['changes.2', 'snapshot.2'])
      await opened.close()
    }),
  )

  test(
    'an interruption anywhere leaves either the older snapshot with all changes or the newer one',
    withState(async (folder) => {
      const state = await StateFiles.create(folder, 1, [bytes('first')], options)
      await append(state, 1, 'a')
      await state.prepareNext()
      await append(state, 2, 'b')
      await state.close()
      cpSync(folder, `${folder}.2`, { recursive: true })
      writeFileSync(path.join(folder, 'snapshot.2.new'), 'half a snap')
      const older = await StateFiles.open(folder, options)
      assert.deepEqual(await contents(older), ['first', 'a', 'b'])
      assert.equal(older.changesGeneration, 2)
      assert.equal(await older.prepareNext(), 3)
      await older.close()
      writeFileSync(path.join(`${folder}.2`, 'snapshot.2'), frameRecords([bytes('second')]))
      const newer = await StateFiles.open(`${folder}.2`, options)
      assert.deepEqual(await contents(newer), ['second', 'b'])
      await newer.close()
    }),
  )

  test(
    'a snapshot is due after many changes, also those that were there before',
    withState(async (folder) => {
      const state = await StateFiles.create(folder, 1, [bytes('first')], options)
      await append(state, 1, 'a')
      await state.close()
      const opened = await StateFiles.open(folder, options)
      for (let count = 1; count < changesPerSnapshotMax; count += 1) {
        assert(!opened.snapshotDue)
        opened.arrived()
      }
      assert(opened.snapshotDue)
      await opened.prepareNext()
      await opened.keepSnapshot(2, [bytes('second')])
      assert(!opened.snapshotDue)
      await opened.close()
    }),
  )

  test(
    'no snapshot, or a damaged one, is refused as torn',
    withState(async (folder) => {
      await assert.rejects(StateFiles.open(folder, options), { code: 'FOLDER_TORN' })
      const state = await StateFiles.create(folder, 1, [bytes('first')], options)
      await state.close()
      const file = path.join(folder, 'snapshot.1')
      const good = readFileSync(file)
      for (const damaged of [good.subarray(0, -1), Buffer.concat([good, Buffer.alloc(4)])]) {
        writeFileSync(file, damaged)
        const opened = await StateFiles.open(folder, options)
        await assert.rejects(opened.readSnapshot(), { code: 'FOLDER_TORN' })
        await opened.close()
      }
    }),
  )

  test(
    'a seal that is not there is said to be missing',
    withState(async (folder) => {
      await assert.rejects(readSeal(folder, 'passphrase'), { code: 'SEAL_MISSING' })
      await writeSeal(folder, 'passphrase', bytes('one'))
      await writeSeal(folder, 'passphrase', bytes('two'))
      assert.equal(String(await readSeal(folder, 'passphrase')), 'two')
      await assert.rejects(readSeal(folder, 'key-file'), { code: 'SEAL_MISSING' })
    }),
  )
})
