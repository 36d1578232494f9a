/** Whether a record goes on from a head that was kept: shown by tiles alone, and every way in which it does not. */

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { suite, test } from 'node:test'
import { signCheckpoint } from '../hsm/contract/checkpoint.ts'
import { leafHash, MerkleTree } from '../hsm/contract/merkle.ts'
import { rootOfRow, tileWidthIn } from '../tlog/tiles.ts'
import { verifyGrowth } from './verify-growth.ts'

const origin = 'keyhold/domain/module'
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const ed25519 = { publicKey: publicKey.export({ format: 'raw-public' }), privateKey }
const trusted = { keys: { ed25519: ed25519.publicKey }, origin }
const refused = { code: 'RECORD_BROKEN' }

/** What a server has: heads of any size, and the tiles of one. */
class Log {
  readonly levels: Buffer[][] = [[], [], []]
  readonly #leaves: readonly string[]

  constructor(leaves: readonly string[]) {
    this.#leaves = leaves
    for (const leaf of leaves) {
      let hash = leafHash(Buffer.from(leaf))
      for (const level of this.levels) {
        level.push(hash)
        if (level.length % 256 !== 0) break
        hash = Buffer.from(rootOfRow(Buffer.concat(level.slice(-256))))
      }
    }
  }

  head(size = this.#leaves.length, of = origin): string {
    const tree = new MerkleTree()
    for (const leaf of this.#leaves.slice(0, size)) tree.append(leafHash(Buffer.from(leaf)))
    return signCheckpoint({ origin: of, size, root: tree.root() }, { ed25519 })
  }

  readTile = async (level: number, index: number): Promise<Buffer> => {
    const width = tileWidthIn(this.#leaves.length, { level, index })
    return Buffer.concat(this.levels[level]?.slice(index * 256, index * 256 + width) ?? [])
  }
}

const leaves = Array.from({ length: 1_000 }, (_, index) => `leaf ${index}`)
const log = new Log(leaves)

function goesOn(from: string, to: Log, head = to.head()) {
  return verifyGrowth({ knownHead: from, head, readTile: to.readTile }, trusted)
}

suite('a record that goes on', () => {
  test('from any head that it had', async () => {
    for (const size of [0, 1, 255, 256, 257, 511, 512, 700, 999, 1_000]) {
      const { before, now } = await goesOn(log.head(size), log)
      assert.deepEqual([before.size, now.size], [size, 1_000])
    }
  })

  test('one that was cut, forked, reordered or is another does not', async () => {
    const kept = log.head(600)
    await assert.rejects(goesOn(kept, new Log(leaves.slice(0, 599))), refused)
    await assert.rejects(goesOn(kept, new Log(leaves.with(3, 'another'))), refused)
    await assert.rejects(goesOn(kept, new Log(leaves.with(599, 'another'))), refused)
    const swapped = leaves.with(300, 'leaf 301').with(301, 'leaf 300')
    await assert.rejects(goesOn(kept, new Log(swapped)), refused)
    await assert.rejects(goesOn(kept, new Log(leaves.slice(1))), refused)
    await assert.rejects(goesOn(kept, log, log.head(1_000, 'keyhold/domain/other')), refused)
    await assert.rejects(goesOn(log.head(1_000), new Log(leaves.with(999, 'another'))), refused)
  })

  test('tiles with one changed hash, or too short, do not show it', async () => {
    for (const place of [0, 100, 599, 600, 999]) {
      const altered = new Log(leaves)
      altered.levels[0]?.splice(place, 1, Buffer.alloc(32, 1))
      altered.levels[1]?.splice(Math.floor(place / 256), 1, Buffer.alloc(32, 1))
      await assert.rejects(goesOn(log.head(601), altered, log.head()), refused, `${place}`)
    }
    const readTile = async () => Buffer.alloc(31)
    const growth = { knownHead: log.head(601), head: log.head(), readTile }
    await assert.rejects(verifyGrowth(growth, trusted), refused)
  })

  test('a head that is not signed is refused', async () => {
    await assert.rejects(goesOn(log.head(600).replace('600', '601'), log), refused)
    await assert.rejects(goesOn('', log), refused)
  })
})
