/** The hashes beside the record: derived, so that whatever happens to them they come out right at the next opening. */

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, suite, test } from 'node:test'
import { leafHash, MerkleTree } from '../hsm/contract/merkle.ts'
import { rangeHash } from '../tlog/merkle-proof.ts'
import { subtreesOf } from '../tlog/tiles.ts'
import { TileFiles } from './tile-files.ts'

const total = 70_000
const leaves = Array.from({ length: total }, (_, index) => leafHash(Buffer.from(String(index))))
let folder: string

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'keyhold-tiles-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function headOf(size: number) {
  const tree = new MerkleTree()
  for (const leaf of leaves.slice(0, size)) tree.append(leaf)
  return { size, root: tree.root() }
}

/** As the record opens them: a head, and the leaves behind it. Says how often the record itself was read. */
async function open(headSize: number, size: number, wrongRecord = false) {
  let read = 0
  const files = await TileFiles.open(folder, {
    head: headOf(headSize),
    leafHashes: async function* () {
      read += 1
      for (let first = 0; first < headSize; first += 1_000) {
        yield leaves.slice(first + (wrongRecord ? 1 : 0), Math.min(first + 1_000, headSize))
      }
    },
  })
  for (const leaf of leaves.slice(headSize, size)) files.add(leaf)
  files.durable(size)
  return { files, read: () => read }
}

async function assertTree(files: TileFiles, size: number): Promise<void> {
  const found = await rangeHash(0, size, subtreesOf(files.readIn(size)))
  assert.deepEqual(Buffer.from(found), headOf(size).root, `${size}`)
}

suite('tile files', () => {
  test('the tree of any size that is durable can be read, and of none that is not', async () => {
    const { files } = await open(0, 0)
    for (const leaf of leaves) files.add(leaf)
    for (const size of [1, 255, 256, 257, 4_000, 65_535, 65_536, total]) {
      files.durable(size)
      await assertTree(files, size)
      assert.throws(() => files.readIn(size + 1))
    }
    for (const size of [1, 300, 65_537]) await assertTree(files, size)
    assert.equal((await files.readIn(total)(0, 273)).length, 112 * 32)
    assert.equal((await files.readIn(total)(1, 1)).length, 17 * 32)
    assert.equal((await files.readIn(total)(2, 0)).length, 32)
    assert.equal((await files.readIn(total)(3, 0)).length, 0)
    await files.close()
  })

  test('what is there and right is kept; the record is not read', async () => {
    const first = await open(0, 5_000)
    await first.files.close()
    const second = await open(4_900, 6_000)
    await assertTree(second.files, 6_000)
    assert.equal(second.read(), 0)
    await second.files.close()
    const file = path.join(folder, 'hashes.0')
    assert.deepEqual(readFileSync(file), Buffer.concat(leaves.slice(0, 6_000)))
  })

  const damages: Readonly<Record<string, (file: (level: number) => string) => void>> = {
    'is missing': (file) => rmSync(file(0)),
    'is cut': (file) => truncateSync(file(0), 1_000),
    'is cut in a hash': (file) => truncateSync(file(0), 32 * 4_990 - 5),
    'has a bit changed': (file) => flip(file(0), 12_345),
    'is zeros at the end': (file) => {
      truncateSync(file(0), 32 * 4_000)
      truncateSync(file(0), 32 * 5_000)
    },
    'has hashes behind the record': (file) => truncateSync(file(0), 32 * 9_000),
    'of a level above is wrong': (file) => flip(file(1), 3),
    'of a level above is missing': (file) => rmSync(file(1)),
  }
  for (const [what, damage] of Object.entries(damages)) {
    test(`a file that ${what} is made anew or cut`, async () => {
      const before = await open(0, 5_000)
      await before.files.close()
      damage((level) => path.join(folder, `hashes.${level}`))
      const { files } = await open(5_000, 5_001)
      await assertTree(files, 5_001)
      await files.close()
      const file = path.join(folder, 'hashes.0')
      assert.deepEqual(readFileSync(file), Buffer.concat(leaves.slice(0, 5_001)))
    })
  }

  test('a record that is not what its head says is not shown', async () => {
    const { files } = await open(5_000, 5_000, true)
    await assert.rejects(files.readIn(5_000)(0, 0), /not what its last head says/)
    for (const leaf of leaves.slice(0, 10)) files.add(leaf)
    await files.close()
  })
})

function flip(file: string, offset: number): void {
  const bytes = readFileSync(file)
  bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset)
  writeFileSync(file, bytes)
}
