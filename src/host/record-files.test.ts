/** The record is opened where it ended, whole or not at all, and read from any place. */

import assert from 'node:assert/strict'
import {
  appendFileSync,
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
import { encodeLeafGroup } from '../hsm/contract/leaf.ts'
import { leafHash, MerkleTree } from '../hsm/contract/merkle.ts'
import { type AppendFile, disk, frameRecords } from './append-file.ts'
import { RecordFiles } from './record-files.ts'

const options = { calls: disk, now: new Date(0) }
const mac = Buffer.alloc(32, 7)
const leaf = (index: number): Buffer => Buffer.from(`leaf ${index}`)

/** Groups of 1, 2, 3, 1, … leaves; the leaves are numbered through. */
function groupsOf(count: number): Buffer[] {
  const groups: Buffer[] = []
  for (let first = 0, index = 0; index < count; index += 1) {
    const leaves = Array.from({ length: (index % 3) + 1 }, (_, offset) => leaf(first + offset))
    first += leaves.length
    groups.push(encodeLeafGroup({ leaves, mac }))
  }
  return groups
}

function note(size: number): string {
  return `keyhold/test\n${size}\n${'A'.repeat(43)}=\n\n\u2014 keyhold/test AAAA\n`
}

function append(file: AppendFile, records: readonly Uint8Array[]): Promise<void> {
  return new Promise((resolve, reject) =>
    file.append(frameRecords(records), (error) => (error ? reject(error) : resolve())),
  )
}

async function write(record: RecordFiles, groups: readonly Buffer[]): Promise<void> {
  for (const group of groups) record.arrived(group)
  await append(record.groups, groups)
}

async function writeHead(record: RecordFiles): Promise<void> {
  await append(record.heads, [record.arrivedHead(note(record.size))])
}

async function stagedGroups(record: RecordFiles): Promise<Buffer[]> {
  const staged: Uint8Array[] = []
  for await (const groups of record.staged().groups()) staged.push(...groups)
  return staged.map((group) => Buffer.from(group))
}

function withRecord(use: (folder: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-record-'))
    try {
      await use(path.join(folder, 'record'))
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
}

suite('record files', () => {
  test(
    'what is staged is the last head, its frontier and the groups behind it',
    withRecord(async (folder) => {
      const groups = groupsOf(20)
      const first = await RecordFiles.open(folder, options)
      assert.deepEqual(await stagedGroups(first), [])
      await write(first, groups.slice(0, 7))
      await writeHead(first)
      const size = first.size
      await write(first, groups.slice(7))
      const tree = new MerkleTree()
      for (let index = 0; index < size; index += 1) tree.append(leafHash(leaf(index)))
      for (const record of [first, await RecordFiles.open(folder, options)]) {
        assert.equal(record.size, 39)
        const { head, frontier } = record.staged()
        assert.equal(head, note(size))
        assert.deepEqual(Buffer.from(frontier), Buffer.concat(tree.frontier))
        assert.deepEqual(await stagedGroups(record), groups.slice(7))
        await record.close()
      }
    }),
  )

  test(
    'a head that does not cover what arrived is refused',
    withRecord(async (folder) => {
      const record = await RecordFiles.open(folder, options)
      record.arrived(groupsOf(1)[0] ?? Buffer.alloc(0))
      assert.throws(() => record.arrivedHead(note(0)), { name: 'AssertionError' })
      assert.throws(() => record.arrivedHead(note(2)), { name: 'AssertionError' })
      await record.close()
    }),
  )

  test(
    'a torn head is set aside and the one before it counts',
    withRecord(async (folder) => {
      const record = await RecordFiles.open(folder, options)
      const groups = groupsOf(4)
      await write(record, groups.slice(0, 2))
      await writeHead(record)
      await write(record, groups.slice(2))
      const before = statSync(path.join(folder, 'heads')).size
      await writeHead(record)
      await record.close()
      const heads = readFileSync(path.join(folder, 'heads'))
      for (const length of [before + 1, before + 4, before + 50, heads.length - 1]) {
        writeFileSync(path.join(folder, 'heads'), heads.subarray(0, length))
        const opened = await RecordFiles.open(folder, options)
        assert.equal(opened.size, 7)
        assert.equal(opened.staged().head, note(3))
        assert.deepEqual(await stagedGroups(opened), groups.slice(2))
        await opened.close()
      }
    }),
  )

  test(
    'a head without the leaves that it covers is refused, and so are a damaged head and group',
    withRecord(async (folder) => {
      const record = await RecordFiles.open(folder, options)
      await write(record, groupsOf(4))
      await writeHead(record)
      await record.close()
      const file = (name: string) => path.join(folder, name)
      const groups = readFileSync(file('groups'))
      const heads = readFileSync(file('heads'))
      const torn = { code: 'FOLDER_TORN' }
      writeFileSync(file('groups'), groups.subarray(0, groups.length - 1))
      await assert.rejects(RecordFiles.open(folder, options), torn)
      writeFileSync(file('groups'), groups)
      // The length in front, the length of the note, and the length behind.
      for (const position of [0, 12, heads.length - 3]) {
        const damaged = Buffer.from(heads)
        damaged[position] = 0x7f
        writeFileSync(file('heads'), damaged)
        await assert.rejects(RecordFiles.open(folder, options), torn, `head byte ${position}`)
      }
      writeFileSync(file('heads'), heads)
      appendFileSync(file('groups'), frameRecords([Buffer.from('no group')]))
      await assert.rejects(RecordFiles.open(folder, options), torn)
      assert.deepEqual(readFileSync(file('heads')), heads)
    }),
  )

  test(
    'opening reads only what is behind the last head',
    withRecord(async (folder) => {
      const record = await RecordFiles.open(folder, options)
      await write(record, groupsOf(100))
      await writeHead(record)
      await record.close()
      const file = path.join(folder, 'groups')
      writeFileSync(file, Buffer.alloc(statSync(file).size))
      const opened = await RecordFiles.open(folder, options)
      assert.equal(opened.size, 199)
      await assert.rejects(opened.readLeaves(0, 1), { code: 'FOLDER_TORN' })
      await opened.close()
    }),
  )

  test(
    'leaves and heads are read from any place, in bounded pages, only what is durable',
    withRecord(async (folder) => {
      const record = await RecordFiles.open(folder, options)
      const groups = groupsOf(3_000)
      await write(record, groups.slice(0, 1_500))
      await writeHead(record)
      await write(record, groups.slice(1_500))
      await writeHead(record)
      record.arrived(groups[0] ?? Buffer.alloc(0))
      for (const from of [0, 1, 2, 4_094, 2_500, 5_990, 5_999, 0]) {
        const page = await record.readLeaves(from, 10)
        const expected = Array.from({ length: Math.min(10, 6_000 - from) }, (_, i) =>
          leaf(from + i),
        )
        assert.deepEqual(page.leaves.map(Buffer.from), expected)
        assert.equal(page.next, from + 10 < 6_000 ? from + 10 : undefined)
      }
      assert.deepEqual(await record.readLeaves(6_000, 10), { leaves: [] })
      assert.deepEqual(await record.readLeaves(1e15, 10), { leaves: [] })
      assert.equal((await record.readLeaves(0, 1e9)).leaves.length, 1_000)
      assert.equal((await record.readLeaves(-1, Number.NaN)).leaves.length, 1)
      assert.deepEqual(await record.readHeads(0, 1), { heads: [note(3_000)], next: 1 })
      assert.deepEqual(await record.readHeads(0, 2), { heads: [note(3_000), note(6_000)] })
      assert.deepEqual(await record.readHeads(1, 5), { heads: [note(6_000)] })
      await record.close()
    }),
  )

  test(
    'a prelude is kept until the record has grown over it',
    withRecord(async (folder) => {
      const record = await RecordFiles.open(folder, options)
      const [group = Buffer.alloc(0)] = groupsOf(1)
      const first = await record.openPrelude(options)
      await append(first.file, [group])
      await first.file.close()
      const second = await record.openPrelude(options)
      assert.deepEqual(second.groups, [group])
      await second.file.close()
      await write(record, [group])
      const third = await record.openPrelude(options)
      assert.deepEqual(third.groups, [])
      await third.file.close()
      await record.close()
    }),
  )

  test(
    'a prelude that no module would take is put aside',
    withRecord(async (folder) => {
      const record = await RecordFiles.open(folder, options)
      const first = await record.openPrelude(options)
      const group = Buffer.alloc(1024 * 1024)
      await append(first.file, [group, group])
      await first.file.close()
      const second = await record.openPrelude(options)
      assert.deepEqual(second.groups, [])
      await second.file.close()
      const names = readdirSync(folder).filter((name) => name.startsWith('prelude'))
      assert.deepEqual(names.sort(), ['prelude.0', 'prelude.0.full-1970-01-01T000000.000Z'])
      await record.close()
    }),
  )
})
