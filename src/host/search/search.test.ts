/**
 * Search in the record, against looking at every leaf: whatever is asked, in both orders and over pages,
 * with an index that is there, missing, damaged, cut, or of another record.
 */

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { decodeLeaf, encodeLeaf, encodeLeafGroup, type Leaf } from '../../hsm/contract/leaf.ts'
import { AppendFile, disk, frameRecords } from '../append-file.ts'
import type { LeafQuery } from './query.ts'
import { RecordSearch } from './search.ts'
import { segmentLeavesMin } from './segment.ts'

const count = 3 * segmentLeavesMin + 777
const start = 1_700_000_000_000_000

/** Rare texts in a few places, frequent ones everywhere. */
function leafAt(sequence: number): Leaf {
  return {
    flags: 0,
    sequence,
    timeMicros: start + Math.floor(sequence / 3) * 1_000,
    moduleId: Buffer.alloc(16, 1),
    command: sequence % 5 === 0 ? 'sign' : 'encrypt',
    outcome: sequence % 1_000 === 7 ? 'KEY_NOT_FOUND' : sequence === 5_000 ? 'MODULE_BUSY' : 'OK',
    key: `key_${sequence % 300}`,
    version: 1,
    identity: sequence > 5_000 && sequence < 5_100 ? 'id_rare' : `id_${sequence % 7}`,
    requestId: `request-${Math.floor(sequence / 2)}`,
    protocol: 'rest',
    address: '::1',
    argumentsDigest: Buffer.alloc(32, 2),
  }
}

const leaves = Array.from({ length: count }, (_, sequence) => leafAt(sequence))

/** Groups of one to eleven leaves, each with a MAC of its own. */
function groupsOf(seed: number): Buffer {
  const groups: Buffer[] = []
  for (let from = 0; from < count; ) {
    const to = Math.min(count, from + 1 + (from % 11))
    const encoded = leaves.slice(from, to).map(encodeLeaf)
    groups.push(encodeLeafGroup({ leaves: encoded, mac: Buffer.alloc(32, (from + seed) % 251) }))
    from = to
  }
  return frameRecords(groups)
}

let folder: string
before(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'keyhold-search-'))
  writeFileSync(path.join(folder, 'groups'), groupsOf(0))
})
after(() => rmSync(folder, { recursive: true }))

const indexPath = () => path.join(folder, 'search')

interface Opened extends AsyncDisposable {
  readonly groups: AppendFile
  readonly search: RecordSearch
  readonly marks: number[]
}

async function openSearch(): Promise<Opened> {
  const file = path.join(folder, 'groups')
  const options = { calls: disk, now: new Date(), take: () => undefined }
  const groups = await AppendFile.open(file, { ...options, from: statSync(file).size })
  const marks: number[] = []
  const search = new RecordSearch(folder, groups, ({ first }) => marks.push(first))
  const close = async () => {
    await search.close()
    await groups.close()
  }
  return { groups, search, marks, [Symbol.asyncDispose]: close }
}

/** All pages. */
async function sequences(search: RecordSearch, query: LeafQuery): Promise<number[]> {
  const found: number[] = []
  for (let from = query.from; ; ) {
    const page = await search.search({ ...query, from })
    assert(page && page.leaves.length <= query.limit)
    found.push(...page.leaves.map((leaf) => decodeLeaf(leaf).sequence))
    if (page.next === undefined) return found
    from = page.next
  }
}

function expected({ order, limit: _, from, sinceMicros, untilMicros, ...texts }: LeafQuery) {
  const matching = leaves.filter((leaf) => {
    const isInTime =
      leaf.timeMicros >= (sinceMicros ?? 0) && leaf.timeMicros <= (untilMicros ?? Infinity)
    const isAhead =
      from === undefined || (order === 'newest' ? leaf.sequence <= from : leaf.sequence >= from)
    return (
      isInTime &&
      isAhead &&
      Object.entries(texts).every(([name, text]) =>
        name === 'outcome' && text === 'refused'
          ? leaf.outcome !== 'OK'
          : leaf[name as 'key'] === text,
      )
    )
  })
  const found = matching.map(({ sequence }) => sequence)
  return order === 'newest' ? found.reverse() : found
}

const queries: readonly Omit<LeafQuery, 'order'>[] = [
  { limit: 1_000 },
  { limit: 1, requestId: 'request-2500' },
  { limit: 10, requestId: 'request-none' },
  { limit: 7, key: 'key_33' },
  { limit: 50, identity: 'id_rare' },
  { limit: 3, identity: 'id_rare', command: 'sign' },
  { limit: 5, outcome: 'refused' },
  { limit: 5, outcome: 'MODULE_BUSY' },
  { limit: 1_000, outcome: 'OK', key: 'key_3', protocol: 'rest' },
  { limit: 100, protocol: 'kmip' },
  { limit: 100, sinceMicros: start + 1_000_000, untilMicros: start + 1_050_000 },
  { limit: 100, key: 'key_9', sinceMicros: start + 3_000_000 },
  { limit: 100, key: 'key_9', from: 6_000 },
  { limit: 9, outcome: 'refused', from: 4_100, untilMicros: start + 2_000_000 },
]

async function assertAll(search: RecordSearch): Promise<void> {
  for (const order of ['newest', 'oldest'] as const) {
    for (const query of queries) {
      const asked = { ...query, order }
      assert.deepEqual(await sequences(search, asked), expected(asked), JSON.stringify(asked))
    }
  }
}

suite('search in the record', () => {
  test('finds what looking at every leaf finds', async () => {
    await using opened = await openSearch()
    await assertAll(opened.search)
    assert.equal(opened.marks.length, 3)
  })

  test('an index that fits is gone on from, whatever it was cut to', async () => {
    const whole = readFileSync(indexPath())
    for (const length of [whole.length, whole.length - 1, whole.length >> 1, 5, 0]) {
      writeFileSync(indexPath(), whole.subarray(0, length))
      await using opened = await openSearch()
      await assertAll(opened.search)
      assert(readFileSync(indexPath()).equals(whole))
    }
  })

  test('an index that is missing, damaged or of another record is made anew', async () => {
    const whole = readFileSync(indexPath())
    const damages: readonly (() => void)[] = [
      () => rmSync(indexPath()),
      () => writeFileSync(indexPath(), Buffer.alloc(whole.length)),
      () => {
        const changed = Buffer.from(whole)
        changed.writeUInt8(changed.readUInt8(3_000) ^ 1, 3_000)
        writeFileSync(indexPath(), changed)
      },
      () => writeFileSync(path.join(folder, 'groups'), groupsOf(9)),
    ]
    for (const damage of damages) {
      damage()
      await using opened = await openSearch()
      await assertAll(opened.search)
    }
    assert(existsSync(indexPath()) && !readFileSync(indexPath()).equals(whole))
  })

  test('what was appended since is found at once', async () => {
    await using opened = await openSearch()
    const leaf = encodeLeaf({ ...leafAt(count), requestId: 'just now' })
    const group = encodeLeafGroup({ leaves: [leaf], mac: Buffer.alloc(32, 5) })
    const query = { requestId: 'just now', order: 'newest', limit: 5 } as const
    assert.deepEqual(await sequences(opened.search, query), [])
    await new Promise((resolve) => opened.groups.append(frameRecords([group]), resolve))
    assert.deepEqual(await sequences(opened.search, query), [count])
  })
})
