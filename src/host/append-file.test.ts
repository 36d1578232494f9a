/** What is acknowledged is there, what is torn goes aside, what is wrong is refused. */

import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite, test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { flipBit } from '../../tests/hsm/flip-bit.ts'
import { AppendFile, type DiskCalls, disk, frameRecords } from './append-file.ts'

const now = new Date(0)

function withFile(use: (file: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-append-'))
    try {
      await use(path.join(folder, 'groups'))
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
}

async function open(file: string, calls: DiskCalls = disk, from = 0) {
  const records: string[] = []
  const opened = await AppendFile.open(file, {
    calls,
    now,
    from,
    take: ({ bytes }) => records.push(bytes.toString()),
  })
  return { file: opened, records }
}

function append(file: AppendFile, ...records: string[]): Promise<void> {
  return new Promise((resolve, reject) =>
    file.append(frameRecords(records.map((text) => Buffer.from(text))), (error) =>
      error ? reject(error) : resolve(),
    ),
  )
}

/** Where what stands behind the record "one" begins. */
const behindOne = frameRecords([Buffer.from('one')]).length

suite('append-only file', () => {
  test(
    'records come back in order, from the beginning and from any record on',
    withFile(async (path) => {
      const first = await open(path)
      await append(first.file, 'one', 'two')
      await append(first.file, 'three')
      await first.file.close()
      assert.equal(statSync(path).mode & 0o777, 0o600)
      const second = await open(path)
      assert.deepEqual(second.records, ['one', 'two', 'three'])
      await second.file.close()
      const third = await open(path, disk, behindOne)
      assert.deepEqual(third.records, ['two', 'three'])
      await third.file.close()
    }),
  )

  test(
    'wherever a power loss cuts the last append, whole records stay and the rest is set aside',
    withFile(async (file) => {
      const whole = frameRecords([Buffer.from('one'), Buffer.from('three')])
      for (let length = 0; length < whole.length; length += 1) {
        writeFileSync(file, whole.subarray(0, length))
        const { file: opened, records } = await open(file)
        const kept = length < behindOne ? 0 : behindOne
        assert.deepEqual(records, kept ? ['one'] : [])
        await append(opened, 'next')
        await opened.close()
        const next = frameRecords([Buffer.from('next')])
        assert.deepEqual(readFileSync(file), Buffer.concat([whole.subarray(0, kept), next]))
        const aside = `${file}.torn-1970-01-01T000000.000Z`
        if (length > kept) assert.deepEqual(readFileSync(aside), whole.subarray(kept, length))
        rmSync(aside, { force: true })
      }
    }),
  )

  test(
    'a record of no length or of too much is refused, and the file stays as it is',
    withFile(async (file) => {
      for (const length of [0, 4 * 1024 * 1024 + 1, 0xffff_ffff]) {
        const bytes = Buffer.concat([frameRecords([Buffer.from('one')]), Buffer.alloc(64)])
        bytes.writeUInt32BE(length, behindOne)
        const framed = bytes.subarray(behindOne, behindOne + 8)
        bytes.writeUInt32BE(crc32(framed), behindOne + 8)
        writeFileSync(file, bytes)
        await assert.rejects(open(file), { code: 'FOLDER_TORN' })
        assert.deepEqual(readFileSync(file), bytes)
      }
    }),
  )

  test(
    'a file that ends before the place to begin at is refused',
    withFile(async (file) => {
      writeFileSync(file, frameRecords([Buffer.from('one')]))
      await assert.rejects(open(file, disk, behindOne + 1), { code: 'FOLDER_TORN' })
    }),
  )

  test(
    'invariant 6: one changed bit is refused, wherever it is',
    withFile(async (file) => {
      const bytes = frameRecords([Buffer.from('one'), Buffer.from('last')])
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        writeFileSync(file, flipBit(bytes, bit))
        await assert.rejects(open(file), { code: 'FOLDER_TORN' }, `bit ${bit}`)
        assert.deepEqual(readFileSync(file), flipBit(bytes, bit))
      }
    }),
  )

  test(
    'any bytes are opened, with a whole beginning kept, or refused as torn',
    withFile(async (file) => {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
          writeFileSync(file, bytes)
          try {
            const { file: opened } = await open(file)
            assert.deepEqual(readFileSync(file), Buffer.from(bytes.subarray(0, opened.length)))
            await opened.close()
          } catch (error) {
            assert(error instanceof Error && 'code' in error && error.code === 'FOLDER_TORN')
          }
        }),
        { numRuns: 50 },
      )
    }),
  )

  test(
    'what a failed append left is cut off before the next',
    withFile(async (file) => {
      let left = 2
      const calls: DiskCalls = {
        ...disk,
        // The first two writes put half on the disk and then find it full.
        write: (descriptor, bytes, offset, length, position, done) => {
          if (left === 0) return disk.write(descriptor, bytes, offset, length, position, done)
          left -= 1
          disk.write(descriptor, bytes, offset, length >> 1, position, () =>
            done(new Error('ENOSPC'), 0),
          )
        },
      }
      const { file: opened } = await open(file, calls)
      await assert.rejects(append(opened, 'much longer than the next'), /ENOSPC/)
      await assert.rejects(append(opened, 'the same again'), /ENOSPC/)
      assert.equal(opened.length, 0)
      await append(opened, 'short')
      await opened.close()
      assert.deepEqual(readFileSync(file), frameRecords([Buffer.from('short')]))
    }),
  )

  test(
    'a disk that takes a byte at a time gets all of them',
    withFile(async (file) => {
      const calls: DiskCalls = {
        ...disk,
        write: (descriptor, bytes, offset, _length, position, done) =>
          disk.write(descriptor, bytes, offset, 1, position, done),
      }
      const { file: opened } = await open(file, calls)
      await append(opened, 'one', 'two')
      await opened.close()
      const { file: again, records } = await open(file)
      await again.close()
      assert.deepEqual(records, ['one', 'two'])
    }),
  )

  test(
    'a record longer than one read comes back whole',
    withFile(async (file) => {
      const long = 'x'.repeat(3 * 1024 * 1024)
      const first = await open(file)
      await append(first.file, 'one', long, 'two')
      await first.file.close()
      const { file: opened, records } = await open(file)
      assert.deepEqual(records, ['one', long, 'two'])
      await opened.close()
      assert.deepEqual(readdirSync(path.dirname(file)), ['groups'])
    }),
  )
})
