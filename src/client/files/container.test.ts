/** The header of an encrypted file, and the vectors of docs/formats/file.md. */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { encryptMessage, type Read } from './cobblestone.ts'
import {
  encodeHeader,
  keyIdOf,
  messageContext,
  readHeader,
  wrappedFileKeyBytesMax,
} from './container.ts'

function readerOf(bytes: Uint8Array): Read {
  let offset = 0
  return async (buffer) => {
    const piece = bytes.subarray(offset, offset + buffer.length)
    buffer.set(piece)
    offset += piece.length
    return piece.length
  }
}

suite('encrypted file', () => {
  test('the vectors of docs/formats/file.md', async () => {
    const file = new URL('../../../docs/formats/file.json', import.meta.url)
    const vectors = JSON.parse(readFileSync(file, 'utf8'))
    const [fileKey, wrapped, salt] = [vectors.fileKey, vectors.wrappedFileKey, vectors.salt].map(
      (text: string) => Buffer.from(text, 'hex'),
    )
    assert(fileKey && wrapped && salt)
    for (const { messageLength, fileLength, sha512 } of vectors.messages) {
      const message = createHash('shake128', { outputLength: Math.max(1, messageLength) })
        .update(`keyhold ${messageLength}`)
        .digest()
        .subarray(0, messageLength)
      const header = encodeHeader(wrapped)
      const digest = createHash('sha512').update(header)
      let length = header.length
      const context = messageContext(header)
      await encryptMessage(
        { inputKey: fileKey, context, salt },
        readerOf(message),
        async (bytes) => {
          digest.update(bytes)
          length += bytes.length
        },
      )
      assert.equal(length, fileLength)
      assert.equal(digest.digest('hex'), sha512)
    }
  })

  test('a header comes back, and says which key it needs', async () => {
    const wrapped = Buffer.concat([Buffer.of(1), Buffer.alloc(16, 0xab), Buffer.alloc(60, 7)])
    const header = encodeHeader(wrapped)
    const read = readerOf(Buffer.concat([header, Buffer.from('rest')]))
    const found = await readHeader(read)
    assert.deepEqual(found.header, header)
    assert.deepEqual(found.wrappedFileKey, wrapped)
    assert.equal(keyIdOf(found.wrappedFileKey), `key_${'ab'.repeat(16)}`)
    const rest = Buffer.alloc(8)
    assert.equal(await read(rest), 4)
    assert.equal(keyIdOf(Buffer.alloc(76)), undefined)
  })

  test('lengths that do not fit are refused when written, too', () => {
    for (const length of [0, wrappedFileKeyBytesMax + 1]) {
      assert.throws(() => encodeHeader(Buffer.alloc(length)), { code: 'FILE_INVALID' })
    }
  })

  test('any bytes are a header or FILE_INVALID', async () => {
    const start = encodeHeader(Buffer.alloc(100)).subarray(0, 9)
    const anything = fc.uint8Array({ maxLength: 200 })
    const nearly = anything.map((bytes) => Buffer.concat([start, bytes]))
    await fc.assert(
      fc.asyncProperty(fc.oneof(anything, nearly), async (bytes) => {
        const failure = await readHeader(readerOf(bytes)).then(
          () => undefined,
          (error: { code: string }) => error.code,
        )
        assert(failure === undefined || failure === 'FILE_INVALID')
      }),
    )
  })
})
