/** Cobblestone-256 with the vectors of C2SP, at every boundary, and under attack. */

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { suite, test } from 'node:test'
import { inflateSync } from 'node:zlib'
import fc from 'fast-check'
import { readText } from '../../../tests/vectors/files.ts'
import {
  chunkBytes,
  decryptMessage,
  encryptMessage,
  messageHeaderBytes,
  type Read,
  saltBytes,
  sealedChunkBytes,
} from './cobblestone.ts'

interface Vector {
  readonly tcId: number
  readonly comment: string
  readonly key: string
  readonly ctx: string
  readonly ct: string
  readonly msgLength?: number
  readonly msgSha512?: string
  readonly result: 'valid' | 'invalid'
}

/** The bytes, given out as far as the buffer is long. */
function readerOf(bytes: Uint8Array): Read {
  let offset = 0
  return async (buffer) => {
    const piece = bytes.subarray(offset, offset + buffer.length)
    buffer.set(piece)
    offset += piece.length
    return piece.length
  }
}

async function encrypt(
  message: Uint8Array,
  inputKey: Uint8Array,
  context: Uint8Array,
  salt = randomBytes(saltBytes),
) {
  const pieces: Buffer[] = []
  await encryptMessage({ inputKey, context, salt }, readerOf(message), async (bytes) => {
    pieces.push(Buffer.from(bytes))
  })
  return Buffer.concat(pieces)
}

/** What came out, and whether the end was reached. */
async function decrypt(sealed: Uint8Array, inputKey: Uint8Array, context: Uint8Array) {
  const pieces: Buffer[] = []
  const write = async (bytes: Uint8Array): Promise<void> => void pieces.push(Buffer.from(bytes))
  const failure = await decryptMessage({ inputKey, context }, readerOf(sealed), write).then(
    () => undefined,
    (error: { code: string; message: string }) => error,
  )
  return { message: Buffer.concat(pieces), failure }
}

const sha512 = (bytes: Uint8Array) => createHash('sha512').update(bytes).digest('hex')

suite('Cobblestone-256', () => {
  const { tests }: { tests: readonly Vector[] } = JSON.parse(readText('c2sp/cobblestone-256.json'))

  for (const vector of tests) {
    test(`C2SP ${vector.tcId}: ${vector.comment}`, async () => {
      const [key, context, compressed] = [vector.key, vector.ctx, vector.ct].map((text) =>
        Buffer.from(text, 'hex'),
      )
      assert(key && context && compressed)
      const sealed = inflateSync(compressed)
      const { message, failure } = await decrypt(sealed, key, context)
      assert.equal(failure === undefined, vector.result === 'valid')
      if (failure) {
        assert.equal(failure.code, 'FILE_INVALID')
        assert(message.length <= (vector.msgLength ?? 0), 'more came out than was authenticated')
        return
      }
      assert.equal(message.length, vector.msgLength)
      assert.equal(sha512(message), vector.msgSha512)
      const again = await encrypt(message, key, context, sealed.subarray(0, saltBytes))
      assert(again.equals(sealed), 'encrypted again with the same salt, it is the same')
    })
  }

  test('every length around the boundaries comes back, and has the one length it can have', async () => {
    const key = randomBytes(32)
    const context = Buffer.from('context')
    const atOnce = 64 * chunkBytes
    for (const base of [0, chunkBytes, 2 * chunkBytes, atOnce, atOnce + chunkBytes]) {
      for (const length of [base - 1, base, base + 1].filter((value) => value >= 0)) {
        const message = randomBytes(length)
        const sealed = await encrypt(message, key, context)
        const full = Math.floor(length / chunkBytes)
        const rest = (length % chunkBytes) + 16
        assert.equal(sealed.length, messageHeaderBytes + full * sealedChunkBytes + rest)
        const back = await decrypt(sealed, key, context)
        assert.equal(back.failure, undefined)
        assert(back.message.equals(message))
      }
    }
  })

  test('the counter of chunks goes past one byte', async () => {
    const key = randomBytes(32)
    const message = randomBytes(300 * chunkBytes + 5)
    const sealed = await encrypt(message, key, Buffer.alloc(0))
    const back = await decrypt(sealed, key, Buffer.alloc(0))
    assert(back.message.equals(message))
  })

  test('whatever is cut, extended, swapped or altered is refused with one message', async () => {
    const key = randomBytes(32)
    const context = Buffer.from('x')
    const sealed = await encrypt(randomBytes(3 * chunkBytes + 100), key, context)
    const messages = new Set<string>()
    const assertRefused = async (bytes: Uint8Array, what: string) => {
      const { failure } = await decrypt(bytes, key, context)
      assert(failure, what)
      assert.equal(failure.code, 'FILE_INVALID', what)
      messages.add(failure.message)
    }
    const chunkAt = (index: number) => messageHeaderBytes + index * sealedChunkBytes
    for (let index = 0; index <= 3; index += 1) {
      for (const offset of [0, -1, 1]) {
        await assertRefused(sealed.subarray(0, chunkAt(index) + offset), `cut at chunk ${index}`)
      }
    }
    await assertRefused(sealed.subarray(0, -1), 'cut by a byte')
    await assertRefused(Buffer.concat([sealed, Buffer.alloc(1)]), 'extended by a byte')
    await assertRefused(Buffer.concat([sealed, sealed.subarray(chunkAt(3))]), 'last chunk twice')
    const first = sealed.subarray(chunkAt(0), chunkAt(1))
    const second = sealed.subarray(chunkAt(1), chunkAt(2))
    const header = sealed.subarray(0, messageHeaderBytes)
    const rest = sealed.subarray(chunkAt(2))
    await assertRefused(Buffer.concat([header, second, first, rest]), 'two chunks swapped')
    await assertRefused(Buffer.concat([header, first, rest]), 'a chunk left out')
    await fc.assert(
      fc.asyncProperty(fc.nat(sealed.length * 8 - 1), async (bit) => {
        const altered = Buffer.from(sealed)
        altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        await assertRefused(altered, `bit ${bit}`)
      }),
      { numRuns: 100 },
    )
    assert.equal(messages.size, 1)
  })
})
