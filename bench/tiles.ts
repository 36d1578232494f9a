/**
 * The hashes that tiles are read from (host/tile-files.ts), for records of a million leaves and more: what a leaf costs,
 * how long opening looks at them, and inclusion proofs. `./keyhold --node bench/tiles.ts [--leaves N]…`
 */

import { randomFillSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { TileFiles } from '../src/host/tile-files.ts'
import { MerkleTree } from '../src/hsm/contract/merkle.ts'
import { inclusionProof } from '../src/tlog/merkle-proof.ts'
import { subtreesOf } from '../src/tlog/tiles.ts'
import { percentile } from './measure.ts'

const { values } = parseArgs({
  options: { leaves: { type: 'string', multiple: true, default: ['1000000', '10000000'] } },
})
const rounds = 200
const leavesInCommit = 64

const say = (text: string) => process.stdout.write(`${text}\n`)
const ms = (value: number) => `${value.toFixed(value < 10 ? 2 : 0)} ms`
const cpuMicros = () => {
  const { user, system } = process.cpuUsage()
  return user + system
}

async function* nothing(): AsyncGenerator<readonly Uint8Array[]> {
  yield []
}

async function measure(folder: string, count: number): Promise<void> {
  const leaves = Array.from({ length: 4_096 }, () => randomFillSync(Buffer.alloc(32)))
  const leafAt = (index: number) => leaves[(index * 7) % leaves.length] ?? Buffer.alloc(32)
  const tree = new MerkleTree()
  for (let index = 0; index < count; index += 1) tree.append(leafAt(index))
  const head = { size: count, root: tree.root() }
  const empty = { size: 0, root: new MerkleTree().root() }
  say(`${count.toLocaleString('en')} leaves`)
  {
    const files = await TileFiles.open(folder, { head: empty, leafHashes: nothing })
    const before = cpuMicros()
    for (let index = 0; index < count; index += 1) {
      files.add(leafAt(index))
      if (index % leavesInCommit !== 0) continue
      files.durable(index)
      if (index % (leavesInCommit * 64) === 0) await new Promise(setImmediate)
    }
    files.durable(count)
    await files.close()
    say(`  written: ${((cpuMicros() - before) / count).toFixed(2)} us of processor a leaf`)
  }
  const began = performance.now()
  const before = cpuMicros()
  const files = await TileFiles.open(folder, { head, leafHashes: nothing })
  files.durable(count)
  const subtree = subtreesOf(files.readIn(count))
  await inclusionProof(0, count, subtree)
  say(
    `  looked at when opened: ${ms(performance.now() - began)}, ${ms((cpuMicros() - before) / 1e3)} of processor`,
  )
  const times: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now()
    await inclusionProof(Math.floor((count * round) / rounds), count, subtree)
    times.push(performance.now() - start)
  }
  const sorted = Float64Array.from(times).sort()
  say(`  inclusion proof: ${ms(percentile(sorted, 0.5))} (p99 ${ms(percentile(sorted, 0.99))})`)
  say(`  memory: ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`)
  await files.close()
}

for (const count of values.leaves.map(Number)) {
  const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-tiles-'))
  try {
    await measure(folder, count)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
