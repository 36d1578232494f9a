/** The host with the real module: one life of a domain, and what is refused. */

import assert from 'node:assert/strict'
import { verify } from 'node:crypto'
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import { disk } from '../../src/host/append-file.ts'
import type { Host } from '../../src/host/host.ts'
import { changesPerSnapshotMax } from '../../src/host/state-files.ts'
import { verifyCheckpoint } from '../../src/hsm/contract/checkpoint.ts'
import { leafHash, MerkleTree } from '../../src/hsm/contract/merkle.ts'
import { call, claimOf, openAt, random, readRecord, secret, withFolder } from './open.ts'

const key = `key_${'1'.repeat(32)}`
const claim = claimOf('request')
const template = {
  type: 'P-256',
  algorithms: ['ECDSA-SHA-256'],
  uses: ['sign', 'verify'],
  exportable: false,
  externalIv: false,
  plaintextRelease: false,
  notBefore: 0,
  notAfter: 0,
  lengthBytes: 0,
} as const

async function generate(host: Host) {
  const { parts } = await host.run(claim, call('generateKey', { key, version: 1, template }, {}))
  assert(parts.publicKey)
  return { wrapped: parts.wrapped, publicKey: parts.publicKey }
}

async function sign(host: Host, wrapped?: Uint8Array): Promise<Uint8Array> {
  const data = Buffer.from('message')
  const parts = wrapped ? { wrapped, data } : { data }
  const answer = await host.run(claim, call('sign', { key, version: 1 }, parts))
  return answer.parts.signature
}

suite('host and module', () => {
  test(
    'a domain is founded, used, closed, and goes on where it was',
    withFolder(async (folder) => {
      const first = await openAt(folder)
      assert.equal(first.status().state, 'operational')
      const { wrapped, publicKey } = await generate(first)
      await sign(first)
      const { recordSize, domainId } = first.status()
      await first[Symbol.asyncDispose]()
      await assert.rejects(first.call(claim, [random]), { code: 'MODULE_UNAVAILABLE' })
      await using second = await openAt(folder, { foundIfEmpty: false })
      assert.equal(second.status().domainId, domainId)
      assert(second.status().recordSize > recordSize)
      await assert.rejects(sign(second), { code: 'KEY_NOT_LOADED' })
      const signature = await sign(second, wrapped)
      const spki = { key: Buffer.from(publicKey), format: 'der', type: 'spki' } as const
      assert(verify('sha256', Buffer.from('message'), spki, signature))
      const commands = (await readRecord(second)).map((leaf) => leaf.command)
      for (const name of ['found', 'generateKey', 'sign', 'unlock']) assert(commands.includes(name))
    }),
  )

  test(
    'the head covers exactly the leaves that were read, and is among the heads',
    withFolder(async (folder) => {
      await using host = await openAt(folder)
      await host.call(claim, Array(10).fill(random))
      const note = await host.log.signHead(claim)
      const { result } = await host.run(claim, call('getStatus', {}, {}))
      assert.equal(result.state, 'operational')
      const { heads } = await host.record.readHeads(0, 1_000)
      assert(heads.includes(note))
      const size = Number(note.split('\n')[1])
      const tree = new MerkleTree()
      const { leaves } = await host.record.readLeaves(0, size)
      for (const leaf of leaves) tree.append(leafHash(leaf))
      assert.equal(tree.size, size)
      assert.equal(note.split('\n')[2], tree.root().toString('base64'))
      assert.throws(() => verifyCheckpoint(note, { ed25519: Buffer.alloc(32) }))
    }),
  )

  test(
    'outcomes come in the order of the calls, refusals among them, however long the batch is',
    withFolder(async (folder) => {
      await using host = await openAt(folder)
      const calls = Array.from({ length: 600 }, (_, index) =>
        call('random', { lengthBytes: index % 100 === 99 ? -1 : (index % 50) + 1 }, {}),
      )
      const outcomes = await host.call(claim, calls)
      assert.equal(outcomes.length, 600)
      for (const [index, outcome] of outcomes.entries()) {
        if (index % 100 === 99) {
          assert('error' in outcome && outcome.error.code === 'ARGUMENT_INVALID')
        } else {
          assert('parts' in outcome && 'bytes' in outcome.parts)
          assert.equal(outcome.parts.bytes?.length, (index % 50) + 1)
        }
      }
      assert.deepEqual(await host.call(claim, []), [])
      // Answers that do not fit one frame together, and a command that stands alone.
      const large = Array(100).fill(call('random', { lengthBytes: 65_536 }, {}))
      const all = await host.call(claim, [...large, call('signHead', {}, {})])
      for (const outcome of all) assert('parts' in outcome, JSON.stringify(outcome))
    }),
  )

  test(
    'locked stays locked until the right secret comes; nothing is sent meanwhile',
    withFolder(async (folder) => {
      await using host = await openAt(folder)
      const generations: number[] = []
      host.onGeneration((generation) => generations.push(generation))
      const { pid } = host
      await host.lock(claim)
      assert.equal(host.status().state, 'locked')
      assert.notEqual(host.pid, pid)
      await assert.rejects(host.call(claim, [random]), { code: 'MODULE_LOCKED' })
      await assert.rejects(host.unlock(claim, Buffer.from('w'.repeat(40))), {
        code: 'SEAL_INVALID',
      })
      assert.equal(host.status().state, 'locked')
      const bytes = Buffer.from(secret)
      await host.unlock(claim, bytes)
      assert(bytes.every((byte) => byte === 0))
      assert.equal((await host.call(claim, [random])).length, 1)
      assert.deepEqual(generations, [2])
      const commands = (await readRecord(host)).map(
        ({ command, outcome }) => `${command} ${outcome}`,
      )
      assert(commands.includes('unlock SEAL_INVALID'))
      assert(commands.includes('unlock OK'))
    }),
  )

  test(
    'a wrong secret, a missing seal, a damaged state: opening is refused, the folder unchanged',
    withFolder(async (folder) => {
      const first = await openAt(folder)
      await first.call(claim, [random])
      await first[Symbol.asyncDispose]()
      const wrong = openAt(folder, { secret: async () => Buffer.from('w'.repeat(40)) })
      await assert.rejects(wrong, { code: 'SEAL_INVALID' })
      await assert.rejects(openAt(folder, { sealKind: 'passphrase' }), { code: 'SEAL_MISSING' })
      for (const file of ['module/snapshot.1', 'record/groups', 'module/seals/key-file']) {
        const whole = path.join(folder, file)
        const good = readFileSync(whole)
        const damaged = Buffer.from(good)
        damaged[good.length - 20] = (damaged[good.length - 20] ?? 0) ^ 1
        writeFileSync(whole, damaged)
        await assert.rejects(openAt(folder), /./, file)
        assert.deepEqual(readFileSync(whole), damaged)
        writeFileSync(whole, good)
      }
      const again = await openAt(folder)
      await again.call(claim, [random])
      await again[Symbol.asyncDispose]()
    }),
  )

  test(
    'a disk that is full stops the answers and not for good',
    withFolder(async (folder) => {
      let full = false
      const calls = {
        ...disk,
        write: ((descriptor, bytes, offset, length, position, done) =>
          full
            ? setImmediate(done, new Error('ENOSPC: no space left on device'), 0)
            : disk.write(descriptor, bytes, offset, length, position, done)) as typeof disk.write,
      }
      await using host = await openAt(folder, { disk: calls })
      await host.call(claim, [random])
      full = true
      await assert.rejects(host.call(claimOf('lost'), [random]), { code: 'STORAGE_FAILED' })
      await assert.rejects(host.call(claimOf('refused'), [random]), { code: 'STORAGE_FAILED' })
      assert.equal(host.status().state, 'storage-failed')
      full = false
      while (host.status().state !== 'operational') {
        await new Promise((resolve) => setImmediate(resolve))
      }
      await host.call(claimOf('after'), [random])
      const ids = (await readRecord(host)).map(({ requestId }) => requestId)
      assert(ids.includes('lost'))
      assert(!ids.includes('refused'))
      assert(ids.includes('after'))
    }),
  )

  test(
    'many changes of state become a snapshot in the background; what was destroyed stays so',
    withFolder(async (folder) => {
      const first = await openAt(folder)
      const { wrapped } = await generate(first)
      const destroy = (index: number) => {
        const name = index === 0 ? key : `key_${index.toString(16).padStart(32, '0')}`
        return first.call(claim, [call('destroyKey', { key: name, version: 1 }, {})])
      }
      for (let index = 0; index < changesPerSnapshotMax + 10; index += 256) {
        const some = Array.from({ length: 256 }, (_, offset) => destroy(index + offset))
        for (const [outcome] of await Promise.all(some)) assert(outcome && !('error' in outcome))
      }
      const newer = path.join(folder, 'module', 'snapshot.2')
      const older = path.join(folder, 'module', 'snapshot.1')
      while (!existsSync(newer) || existsSync(older)) await first.call(claim, [random])
      await first[Symbol.asyncDispose]()
      const names = readdirSync(path.join(folder, 'module')).filter((name) => name !== 'seals')
      assert.deepEqual(names.sort(), ['changes.2', 'snapshot.2'])
      await using second = await openAt(folder)
      await assert.rejects(sign(second, wrapped), { code: 'KEY_DESTROYED' })
    }),
  )

  test(
    'sealed changes that are missing, altered or out of order are refused',
    withFolder(async (folder) => {
      const first = await openAt(folder)
      for (const index of [1, 2, 3]) {
        const name = `key_${String(index).repeat(32)}`
        await first.run(claim, call('destroyKey', { key: name, version: 1 }, {}))
      }
      await first[Symbol.asyncDispose]()
      const file = path.join(folder, 'module', 'changes.1')
      copyFileSync(file, `${file}.good`)
      const good = readFileSync(file)
      const length = 12 + good.readUInt32BE(0)
      const changes = [0, 1, 2].map((index) => good.subarray(index * length, (index + 1) * length))
      const [a = good, b = good, c = good] = changes
      for (const wrong of [
        [b, c],
        [a, c],
        [b, a, c],
        [a, a, b, c],
      ]) {
        writeFileSync(file, Buffer.concat(wrong))
        await assert.rejects(openAt(folder), { code: 'STATE_INVALID' })
      }
      rmSync(file)
      copyFileSync(`${file}.good`, file)
      await (await openAt(folder))[Symbol.asyncDispose]()
    }),
  )
})
