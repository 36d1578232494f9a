/** Tiles: paths and widths of the specification's own examples, and trees read through tiles. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { leafHash, MerkleTree } from '../hsm/contract/merkle.ts'
import { inclusionProof, verifyInclusion } from './merkle-proof.ts'
import {
  encodeEntryBundle,
  parseTilePath,
  rootOfRow,
  subtreesOf,
  type Tile,
  tilePath,
  tileWidthIn,
} from './tiles.ts'

suite('tiles', () => {
  test('paths as the specification writes them', () => {
    const examples: [string, Tile][] = [
      ['tile/0/x001/x234/067', { level: 0, index: 1_234_067, width: 256 }],
      ['tile/entries/x001/x234/067.p/1', { level: 'entries', index: 1_234_067, width: 1 }],
      ['tile/0/273.p/112', { level: 0, index: 273, width: 112 }],
      ['tile/1/001.p/17', { level: 1, index: 1, width: 17 }],
      ['tile/63/000', { level: 63, index: 0, width: 256 }],
    ]
    for (const [path, tile] of examples) {
      assert.equal(tilePath(tile), path)
      assert.deepEqual(parseTilePath(path), tile)
    }
  })

  test('one path for a tile, and no other', () => {
    for (const path of [
      ...['', 'tile', 'tile/0', 'tile/0/', 'tile/0/0', 'tile/0/00', 'tile/0/0000', 'tile/0/x000'],
      ...['tile/0/x000/000', 'tile/0/001/002', 'tile/00/000', 'tile/01/000', 'tile/64/000'],
      ...['tile/-1/000', 'tile/0/000.p/0', 'tile/0/000.p/256', 'tile/0/000.p/01', 'tile/0/000.p/'],
      ...['tile/0/000.p', 'tile/0/000/p/1', 'tile/entry/000', 'tile/entries/', '/tile/0/000'],
      ...['tile/0/000 ', 'tile/0/000\n', 'tile/0/x999/x999/x999/x999/x999/999', 'tile/0/../000'],
    ]) {
      assert.equal(parseTilePath(path), undefined, path)
    }
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 40 }),
        fc.integer({ min: 1, max: 256 }),
        (index, width) => {
          const tile = { level: 3, index, width }
          assert.deepEqual(parseTilePath(tilePath(tile)), tile)
        },
      ),
    )
  })

  test('a tree of 70,000 and one of 256 have the tiles that the specification counts', () => {
    const width = (size: number, level: number, index: number) =>
      tileWidthIn(size, { level, index })
    assert.deepEqual(
      [width(70_000, 0, 272), width(70_000, 0, 273), width(70_000, 0, 274)],
      [256, 112, 0],
    )
    assert.deepEqual([width(70_000, 1, 0), width(70_000, 1, 1), width(70_000, 1, 2)], [256, 17, 0])
    assert.deepEqual([width(70_000, 2, 0), width(70_000, 2, 1), width(70_000, 3, 0)], [1, 0, 0])
    assert.deepEqual([width(256, 0, 0), width(256, 0, 1), width(256, 1, 0)], [256, 0, 1])
    assert.equal(tileWidthIn(70_000, { level: 'entries', index: 273 }), 112)
  })

  test('a bundle of entries is each of them behind its length, as the specification has it', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 256 }), (entries) => {
        const bundle = Buffer.from(encodeEntryBundle(entries))
        let offset = 0
        for (const entry of entries) {
          const end = offset + 2 + bundle.readUInt16BE(offset)
          assert.deepEqual(bundle.subarray(offset + 2, end), Buffer.from(entry))
          offset = end
        }
        assert.equal(offset, bundle.length)
      }),
    )
  })

  test('proofs in a tree of 70,000 read through its tiles', async () => {
    const size = 70_000
    const levels: Buffer[][] = [[], [], []]
    const tree = new MerkleTree()
    for (let index = 0; index < size; index += 1) {
      let hash = leafHash(Buffer.from(String(index)))
      tree.append(hash)
      for (const level of levels) {
        level.push(hash)
        if (level.length % 256 !== 0) break
        hash = Buffer.from(rootOfRow(Buffer.concat(level.slice(-256))))
      }
    }
    const subtree = subtreesOf((level, index) =>
      Promise.resolve(Buffer.concat(levels[level]?.slice(index * 256, (index + 1) * 256) ?? [])),
    )
    const root = tree.root()
    for (const index of [0, 1, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999]) {
      const proof = await inclusionProof(index, size, subtree)
      assert(
        verifyInclusion({ leaf: leafHash(Buffer.from(String(index))), index, size, root }, proof),
      )
    }
    await assert.rejects(inclusionProof(0, size + 1, subtree), { code: 'RECORD_INVALID' })
  })
})
