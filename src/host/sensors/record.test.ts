/** What happens to the record's files while somebody works on them is noticed at the next look. */

import assert from 'node:assert/strict'
import {
  copyFileSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, suite, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { encodeLeafGroup } from '../../hsm/contract/leaf.ts'
import { leafHash, MerkleTree } from '../../hsm/contract/merkle.ts'
import { type AppendFile, disk, frameRecords } from '../append-file.ts'
import { RecordFiles } from '../record-files.ts'
import { recordSensor } from './record.ts'

/** Longer than what the sensor grants the file system's clock. */
const clockMs = 50

let folder: string
let record: RecordFiles
/** As the module has it, which signs. */
let tree: MerkleTree

beforeEach(async () => {
  folder = path.join(mkdtempSync(path.join(tmpdir(), 'keyhold-watch-')), 'record')
  record = await RecordFiles.open(folder, { calls: disk, now: new Date(0) })
  tree = new MerkleTree()
  await grow()
})
afterEach(async () => {
  await record.close()
  rmSync(path.dirname(folder), { recursive: true })
})

function append(file: AppendFile, piece: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) =>
    file.append(frameRecords([piece]), (error) => (error ? reject(error) : resolve())),
  )
}

/** Some groups of one leaf, and a head. */
async function grow(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) {
    const leaf = Buffer.from(`leaf ${String(tree.size).padStart(60)}`)
    tree.append(leafHash(leaf))
    const group = encodeLeafGroup({ leaves: [leaf], mac: Buffer.alloc(32, 7) })
    record.arrived(group)
    await append(record.groups, group)
  }
  const root = tree.root().toString('base64')
  const note = `keyhold/test\n${tree.size}\n${root}\n\n\u2014 keyhold/test AAAA\n`
  await append(record.heads, record.arrivedHead(note))
  record.durableHead(note)
}

interface Frame {
  readonly offset: number
  readonly bytes: Buffer
}

/** The framed records of a file (docs/formats/record.md section 6). */
function framesOf(file: string): Frame[] {
  const bytes = readFileSync(file)
  const frames: Frame[] = []
  for (let offset = 0; offset < bytes.length; ) {
    const end = offset + 12 + bytes.readUInt32BE(offset)
    frames.push({ offset, bytes: bytes.subarray(offset, end) })
    offset = end
  }
  return frames
}

/** Writes into the file that is there, and sets its times back. */
function patch(file: string, offset: number, bytes: Uint8Array): void {
  const all = readFileSync(file)
  all.set(bytes, offset)
  writeFileSync(file, all)
  utimesSync(file, 1, 1)
}

const damages: Readonly<Record<string, (file: (name: string) => string) => void>> = {
  'the leaves are gone': (file) => rmSync(file('groups')),
  'the heads are gone': (file) => rmSync(file('heads')),
  'the folder is gone': (file) => renameSync(file('.'), `${file('.')}-gone`),
  'the leaves are another file': (file) => {
    copyFileSync(file('groups'), file('copy'))
    renameSync(file('copy'), file('groups'))
  },
  'the leaves are cut': (file) =>
    truncateSync(file('groups'), framesOf(file('groups')).at(-1)?.offset),
  'the heads are cut': (file) =>
    truncateSync(file('heads'), framesOf(file('heads')).at(-1)?.offset),
  'a bit of a leaf is changed': (file) => {
    const [, second] = framesOf(file('groups'))
    assert(second)
    patch(file('groups'), second.offset + 40, Buffer.from([0xff]))
  },
  'a leaf is another, framed rightly': (file) => {
    const [, second] = framesOf(file('groups'))
    assert(second)
    const forged = Buffer.from(second.bytes)
    forged.writeUInt8(forged.readUInt8(12 + 2 + 2 + 20) ^ 1, 12 + 2 + 2 + 20)
    forged.writeUInt32BE(crc32(forged.subarray(12)), 4)
    forged.writeUInt32BE(crc32(forged.subarray(0, 8)), 8)
    patch(file('groups'), second.offset, forged)
  },
  'two groups are in another order': (file) => {
    const frames = framesOf(file('groups'))
    const [one, other] = frames.filter(({ bytes }) => bytes.length === frames.at(-1)?.bytes.length)
    assert(one && other)
    patch(file('groups'), one.offset, other.bytes)
    patch(file('groups'), other.offset, one.bytes)
  },
  'a head is another, framed rightly': (file) => {
    const [first] = framesOf(file('heads'))
    assert(first)
    const forged = Buffer.from(first.bytes)
    const root = forged.indexOf('\n', forged.indexOf('\n', 22) + 1) + 1
    forged.write(forged.toString('latin1', root, root + 1) === 'A' ? 'B' : 'A', root, 'latin1')
    forged.writeUInt32BE(crc32(forged.subarray(12)), 4)
    forged.writeUInt32BE(crc32(forged.subarray(0, 8)), 8)
    patch(file('heads'), first.offset, forged)
  },
}

suite('the record under those who work on it', () => {
  test('nothing is found while it grows, is copied, linked or touched', async () => {
    const sensor = recordSensor(record)
    for (let turn = 0; turn < 5; turn += 1) {
      await grow()
      assert.deepEqual(await sensor.look(), [])
    }
    await setTimeout(clockMs)
    const groups = path.join(folder, 'groups')
    copyFileSync(groups, `${folder}-copy`)
    linkSync(groups, `${folder}-link`)
    utimesSync(groups, 1, 1)
    assert.deepEqual(await sensor.look(), [])
    await grow()
    assert.deepEqual(await sensor.look(), [])
  })

  for (const [what, damage] of Object.entries(damages)) {
    test(`${what}: noticed at the next look`, async () => {
      const sensor = recordSensor(record)
      assert.deepEqual(await sensor.look(), [])
      await setTimeout(clockMs)
      damage((name) => path.join(folder, name))
      const found = await sensor.look()
      assert(found.length > 0)
      for (const { signal } of found) assert.equal(signal, 'record-broken')
      assert.deepEqual(await sensor.look(), found)
    })
  }

  test('what is written between two appends is found by reading at leisure', async () => {
    const sensor = recordSensor(record)
    damages['a leaf is another, framed rightly']?.((name) => path.join(folder, name))
    await grow()
    const [found] = await sensor.look()
    assert.match(found?.detail ?? '', /^record: the leaves up to \d+ are not those of their head$/)
  })
})
