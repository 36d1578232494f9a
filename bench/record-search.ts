/**
 * Search in records of a million and of ten million leaves, written straight into the files: how long the
 * index takes to be made and to be opened, what it costs a leaf, and searches of each kind.
 * `./keyhold --node bench/record-search.ts [--leaves N]…`
 */

import { randomFillSync } from 'node:crypto'
import { createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { AppendFile, disk, frameRecords } from '../src/host/append-file.ts'
import type { LeafQuery } from '../src/host/search/query.ts'
import { RecordSearch } from '../src/host/search/search.ts'
import { encodeLeaf, encodeLeafGroup } from '../src/hsm/contract/leaf.ts'
import { percentile } from './measure.ts'

const { values } = parseArgs({
  options: { leaves: { type: 'string', multiple: true, default: ['1000000', '10000000'] } },
})
const leavesInGroup = 4
const startMicros = 1_790_000_000_000_000
const microsBetween = 100
const rounds = 30

const keyOf = (number: number) => `key_${String(number).padStart(32, '0')}`
const identityOf = (number: number) => `id_${String(number).padStart(32, '0')}`
const requestOf = (number: number) => `request-${String(number).padStart(28, '0')}`

/** Of 1,000 keys the first is used a tenth of the time, the last one for one leaf in a million. */
function leafAt(sequence: number): Buffer {
  const key = sequence % 1_000_000 === 777_777 ? 999 : sequence % 10 === 0 ? 0 : sequence % 998
  return encodeLeaf({
    flags: 0,
    sequence,
    timeMicros: startMicros + sequence * microsBetween,
    moduleId: Buffer.alloc(16, 1),
    command: sequence % 3 === 0 ? 'sign' : 'encrypt',
    outcome: sequence % 100_003 === 17 ? 'KEY_STATE_INVALID' : 'OK',
    key: keyOf(key),
    version: 1,
    identity: identityOf(sequence % 50),
    requestId: requestOf(sequence),
    protocol: 'rest',
    address: '192.0.2.17',
    argumentsDigest: Buffer.alloc(32, sequence & 255),
  })
}

async function writeGroups(file: string, count: number): Promise<void> {
  const stream = createWriteStream(file)
  for (let from = 0; from < count; ) {
    const groups: Buffer[] = []
    for (; groups.length < 1_000 && from < count; from += leavesInGroup) {
      const leaves = Array.from({ length: leavesInGroup }, (_, index) => leafAt(from + index))
      groups.push(encodeLeafGroup({ leaves, mac: randomFillSync(Buffer.alloc(32)) }))
    }
    if (!stream.write(frameRecords(groups))) {
      await new Promise((resolve) => stream.once('drain', resolve))
    }
  }
  await new Promise<void>((resolve) => stream.end(resolve))
}

async function openSearch(folder: string) {
  const file = path.join(folder, 'groups')
  const from = statSync(file).size
  const options = { calls: disk, now: new Date(), from, take: () => undefined }
  const groups = await AppendFile.open(file, options)
  const search = new RecordSearch(folder, groups, () => undefined)
  const close = async () => {
    await search.close()
    await groups.close()
  }
  return { search, [Symbol.asyncDispose]: close }
}

const say = (text: string) => process.stdout.write(`${text}\n`)
const ms = (value: number) => `${value.toFixed(value < 10 ? 2 : 0)} ms`

async function measure(folder: string, count: number): Promise<void> {
  await writeGroups(path.join(folder, 'groups'), count)
  say(`${count.toLocaleString('en')} leaves, ${mebibytes(path.join(folder, 'groups'))}`)
  const first = { order: 'newest', limit: 1 } as const
  {
    await using made = await openSearch(folder)
    const { user } = process.cpuUsage()
    const began = performance.now()
    while ((await made.search.search(first)) === undefined);
    const cpuMicros = process.cpuUsage().user - user
    const cost = (cpuMicros / count).toFixed(2)
    say(`  index made: ${ms(performance.now() - began)}, ${cost} us of processor a leaf`)
  }
  say(`  index: ${mebibytes(path.join(folder, 'search'))}`)
  await using opened = await openSearch(folder)
  const again = performance.now()
  await opened.search.search(first)
  say(`  index opened: ${ms(performance.now() - again)}`)
  const middle = Math.floor(count / 2)
  const sinceMicros = startMicros + middle * microsBetween
  const queries: Readonly<Record<string, Omit<LeafQuery, 'order' | 'limit'>>> = {
    'the newest page': {},
    'one request id': { requestId: requestOf(middle + 1) },
    'a request id that is not there': { requestId: 'request-none' },
    'a key used once in a million': { key: keyOf(999) },
    'a key used all the time': { key: keyOf(0) },
    'everything refused': { outcome: 'refused' },
    'one identity in one second': {
      identity: identityOf(7),
      sinceMicros,
      untilMicros: sinceMicros + 1e6,
    },
  }
  for (const [name, query] of Object.entries(queries)) {
    const times: number[] = []
    let found = 0
    let pages = 0
    for (let round = 0; round < rounds; round += 1) {
      const start = performance.now()
      const page = await opened.search.search({ ...query, order: 'newest', limit: 100 })
      times.push(performance.now() - start)
      found = page?.leaves.length ?? 0
      pages = page?.next === undefined ? 1 : 2
    }
    const sorted = Float64Array.from(times).sort()
    const more = pages > 1 ? ' and more' : ''
    const [half, most] = [percentile(sorted, 0.5), percentile(sorted, 0.99)]
    say(`  ${name}: ${ms(half)} (p99 ${ms(most)}), ${found} found${more}`)
  }
  say(`  memory: ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`)
}

function mebibytes(file: string): string {
  return `${(statSync(file).size / 2 ** 20).toFixed(1)} MiB`
}

for (const count of values.leaves.map(Number)) {
  const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-record-'))
  try {
    await measure(folder, count)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
