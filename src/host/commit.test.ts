/**
 * Invariant 5: no answer without a durable record of it. The disk is held here: its syncs and writes
 * go on when the test says so, or fail, and what was released by then is looked at.
 */

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite, test } from 'node:test'
import { AppendFile, type DiskCalls, disk, frameRecords } from './append-file.ts'
import { Commit, type Entry } from './commit.ts'

/** A disk whose syncs wait until they are let go, or told to fail. */
class HeldDisk {
  readonly waiting: ((error: Error | null) => void)[] = []
  #arrived: (() => void) | undefined
  readonly calls: DiskCalls = {
    ...disk,
    fdatasync: (descriptor, done) => {
      this.waiting.push((error) => (error ? done(error) : disk.fdatasync(descriptor, done)))
      this.#arrived?.()
    },
  }

  /** Resolves when a sync has been asked for. */
  async sync(): Promise<(error: Error | null) => void> {
    if (this.waiting.length === 0) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve
      })
    }
    const next = this.waiting.shift()
    assert(next)
    return next
  }
}

interface Bench {
  readonly held: HeldDisk
  readonly commit: Commit
  readonly released: string[]
  readonly log: string[]
  readonly files: { groups: AppendFile; changes: AppendFile; heads: AppendFile }
  readonly add: (name: string, more?: Partial<Entry>) => void
  readonly text: (name: 'groups' | 'changes' | 'heads') => string
}

function withBench(use: (bench: Bench) => Promise<void>): () => Promise<void> {
  return async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-commit-'))
    const held = new HeldDisk()
    const released: string[] = []
    const log: string[] = []
    const open = (name: string) =>
      AppendFile.open(path.join(folder, name), {
        calls: held.calls,
        now: new Date(0),
        from: 0,
        take: () => undefined,
      })
    const files = {
      groups: await open('groups'),
      changes: await open('changes'),
      heads: await open('heads'),
    }
    const commit = new Commit({
      committed: (size) => log.push(`committed ${size}`),
      failed: (error) => log.push(`failed ${error.code}`),
      recovered: () => log.push('recovered'),
      retryDelayMs: 1,
    })
    let size = 0
    const add = (name: string, more: Partial<Entry> = {}): void => {
      size += 1
      commit.add({
        group: Buffer.from(name),
        groupFile: files.groups,
        changes: [],
        changesFile: undefined,
        head: undefined,
        headFile: undefined,
        recordSize: size,
        settle: (error) => released.push(error ? `${name}: ${error.code}` : name),
        ...more,
      })
    }
    const text = (name: string) => readFileSync(path.join(folder, name)).toString('latin1')
    try {
      await use({ held, commit, released, log, files, add, text })
    } finally {
      await commit.stop()
      for (const file of Object.values(files)) await file.close()
      rmSync(folder, { recursive: true })
    }
  }
}

const framed = (...texts: string[]): string =>
  frameRecords(texts.map((text) => Buffer.from(text))).toString('latin1')

suite('invariant 5: no answer without a durable record of it', () => {
  test(
    'nothing is released while the sync runs, and all that came meanwhile shares the next',
    withBench(async ({ held, commit, released, log, add, text }) => {
      add('one')
      const first = await held.sync()
      assert.equal(text('groups'), framed('one'))
      add('two')
      add('three')
      assert.deepEqual(released, [])
      first(null)
      const second = await held.sync()
      assert.deepEqual(released, ['one'])
      assert.equal(text('groups'), framed('one', 'two', 'three'))
      second(null)
      await commit.idle()
      assert.deepEqual(released, ['one', 'two', 'three'])
      assert.deepEqual(log, ['committed 1', 'committed 3'])
    }),
  )

  test(
    'a change of state is durable before its leaf is written, the leaf before the answer',
    withBench(async ({ held, commit, released, files, add, text }) => {
      add('destroy', { changes: [Buffer.from('sealed')], changesFile: files.changes })
      const state = await held.sync()
      assert.equal(text('changes'), framed('sealed'))
      assert.equal(text('groups'), '')
      state(null)
      const leaves = await held.sync()
      assert.equal(text('groups'), framed('destroy'))
      assert.deepEqual(released, [])
      leaves(null)
      await commit.idle()
      assert.deepEqual(released, ['destroy'])
    }),
  )

  test(
    'a head is durable behind the leaves that it covers and before those that follow it',
    withBench(async ({ held, commit, released, files, add, text }) => {
      add('before')
      add('head', { group: undefined, head: Buffer.from('note'), headFile: files.heads })
      add('behind')
      const before = await held.sync()
      assert.equal(text('heads'), '')
      before(null)
      const head = await held.sync()
      assert.deepEqual(released, ['before'])
      assert.equal(text('groups'), framed('before'))
      head(null)
      const behind = await held.sync()
      assert.equal(text('heads'), framed('note'))
      assert.equal(text('groups'), framed('before', 'behind'))
      assert.deepEqual(released, ['before', 'head'])
      behind(null)
      await commit.idle()
      assert.deepEqual(released, ['before', 'head', 'behind'])
    }),
  )

  test(
    'when the disk refuses nothing is released, nothing is lost, and it goes on when the disk does',
    withBench(async ({ held, commit, released, log, files, add, text }) => {
      add('one', { changes: [Buffer.from('sealed')], changesFile: files.changes })
      ;(await held.sync())(null)
      const leaves = await held.sync()
      add('two')
      leaves(new Error('EIO'))
      assert.deepEqual(released, ['one: STORAGE_FAILED', 'two: STORAGE_FAILED'])
      assert.equal(commit.failure?.code, 'STORAGE_FAILED')
      await assert.rejects(commit.idle(), { code: 'STORAGE_FAILED' })
      add('three')
      assert.equal(released.at(-1), 'three: STORAGE_FAILED')
      ;(await held.sync())(new Error('EIO again'))
      ;(await held.sync())(null)
      ;(await held.sync())(null)
      await commit.idle()
      assert.equal(text('groups'), framed('one', 'two', 'three'))
      assert.equal(text('changes'), framed('sealed'))
      assert.equal(commit.failure, undefined)
      assert.deepEqual(log, ['failed STORAGE_FAILED', 'recovered', 'committed 1', 'committed 3'])
    }),
  )
})
