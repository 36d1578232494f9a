/**
 * Frames cross the door whole or not at all: every way of cutting the stream gives the same frames, each
 * length is bounded before anything is allocated, and what cannot be read is reported and passed over
 * without losing what follows.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { HsmError } from './errors.ts'
import { cutParts, encodeFrame, type Frame, FrameReader, parseHeader } from './frame.ts'
import { frameBytesMax, headerBytesMax } from './limits.ts'

const refused = { code: 'FRAME_INVALID' }

interface Seen {
  readonly frames: Frame[]
  readonly errors: HsmError[]
  readonly reader: FrameReader
}

function listen(): Seen {
  const frames: Frame[] = []
  const errors: HsmError[] = []
  const reader = new FrameReader(
    (frame) => frames.push(frame),
    (error) => errors.push(error),
  )
  return { frames, errors, reader }
}

/** A frame of this text as header and these bytes as body, whatever they are. */
function rawFrame(header: string, body = Buffer.alloc(0)): Buffer {
  const text = Buffer.from(header)
  const lengths = Buffer.alloc(8)
  lengths.writeUInt32BE(4 + text.length + body.length, 0)
  lengths.writeUInt32BE(text.length, 4)
  return Buffer.concat([lengths, text, body])
}

const good = rawFrame('{"id":1}', Buffer.from('body'))

suite('frame', () => {
  test('the bytes are the two lengths, the header and the parts', () => {
    const frame = encodeFrame({ id: 1 }, [Buffer.from('bo'), Buffer.from('dy')])
    assert.deepEqual(frame, good)
    assert.equal(frame.toString('hex', 0, 8), '0000001000000008')
  })

  test('frames come out the same however the stream is cut', () => {
    const headers = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean()))
    const frames = fc.array(fc.tuple(headers, fc.array(fc.uint8Array())), { maxLength: 5 })
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 30 })), (sent, cuts) => {
        const plain = JSON.parse(JSON.stringify(sent.map(([header]) => header)))
        const stream = Buffer.concat(sent.map(([, parts], i) => encodeFrame(plain[i], parts)))
        const seen = listen()
        let offset = 0
        for (const cut of [...cuts, stream.length]) {
          seen.reader.push(stream.subarray(offset, offset + cut))
          offset = Math.min(stream.length, offset + cut)
        }
        assert.deepEqual(seen.errors, [])
        assert.deepEqual(
          seen.frames.map(({ header, body }) => [header, Buffer.from(body)]),
          sent.map(([, parts], i) => [plain[i], Buffer.concat(parts)]),
        )
        assert.equal(seen.reader.pendingBytes, 0)
      }),
    )
  })

  test('a frame owns its bytes', () => {
    const seen = listen()
    const chunk = Buffer.from(good)
    seen.reader.push(chunk)
    chunk.fill(0)
    assert.equal(Buffer.from(seen.frames[0]?.body ?? []).toString(), 'body')
  })

  test('headers that are not canonical JSON objects are refused', () => {
    for (const text of [
      '',
      ' {}',
      '{"a": 1}',
      '{"a":1,"a":1}',
      '{"a":1.0}',
      '{"a":1e3}',
      '{"a":NaN}',
      '{"2":0,"1":0}',
      '{"a":"\\u0041"}',
      '[]',
      'null',
      '1',
      '"text"',
      '{"a":1}{"a":1}',
    ]) {
      assert.throws(() => parseHeader(Buffer.from(text)), refused, text)
    }
    assert.throws(
      () => parseHeader(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])),
      refused,
    )
  })

  test('a header nested as deeply as fits is refused or read, and nothing else happens', () => {
    const depth = headerBytesMax / 2 - 16
    const seen = listen()
    seen.reader.push(rawFrame(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`))
    assert.equal(seen.frames.length + seen.errors.length, 1)
  })

  test('what is refused is passed over, and the next frame is read', () => {
    const tooLong = Buffer.alloc(4 + frameBytesMax + 1)
    tooLong.writeUInt32BE(frameBytesMax + 1, 0)
    const longHeader = rawFrame('{}', Buffer.alloc(headerBytesMax + 1))
    longHeader.writeUInt32BE(headerBytesMax + 1, 4)
    const headerBeyondFrame = rawFrame('{}')
    headerBeyondFrame.writeUInt32BE(3, 4)
    for (const bad of [
      tooLong,
      longHeader,
      headerBeyondFrame,
      Buffer.from([0, 0, 0, 0]),
      Buffer.from([0, 0, 0, 3, 1, 2, 3]),
      rawFrame('not JSON'),
    ]) {
      const seen = listen()
      for (const chunk of [bad, good]) seen.reader.push(chunk)
      assert.deepEqual(
        seen.errors.map(({ code }) => code),
        ['FRAME_INVALID'],
      )
      assert.equal(seen.frames.length, 1)
    }
  })

  test('any bytes give frames or refusals and never an exception', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), (chunks) => {
        const { reader } = listen()
        for (const chunk of chunks) reader.push(chunk)
      }),
    )
  })

  test('a frame or header that is too large is not made', () => {
    assert.throws(() => encodeFrame({}, [Buffer.alloc(frameBytesMax)]), refused)
    assert.throws(() => encodeFrame({ a: 'x'.repeat(headerBytesMax) }, []), refused)
  })
})

suite('parts', () => {
  test('the lengths must use the body exactly', () => {
    const body = Buffer.from('abcdef')
    assert.deepEqual(
      cutParts(body, [2, 0, 4]).map(String),
      ['ab', '', 'cdef'].map((text) => String(Buffer.from(text))),
    )
    for (const lengths of [[], [5], [7], [3, 4], [-1, 7], [1.5, 4.5], [Number.NaN], [2 ** 32]]) {
      assert.throws(() => cutParts(body, lengths), refused, String(lengths))
    }
  })
})
