/**
 * Everything that a frame can be besides well formed. After each attack the module must still answer;
 * the vectors of docs/formats/door.json are frames to be read or to be refused.
 */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { HsmError } from './contract/errors.ts'
import { encodeFrame, type Frame, FrameReader } from './contract/frame.ts'
import { frameBytesMax, headerBytesMax, itemsMax } from './contract/limits.ts'
import { type Ask, Caller, claim, decodeAnswer, encodeAsks, slowCommand } from './door.testing.ts'

const status: Ask = { command: 'getStatus' }

/** The code with which a frame is refused as a whole. */
function codeOf({ header }: Frame): unknown {
  return (header as { error?: { code: string } }).error?.code
}

async function assertAlive(caller: Caller): Promise<void> {
  assert.equal((await caller.one(status)).error, undefined)
}

suite('frames that are refused', () => {
  test('each gets its code and a leaf, and the module goes on', async () => {
    const caller = await Caller.founded()
    const item = { command: 'getStatus', arguments: {}, parts: {} }
    const good = { id: 900, claim, items: [item] }
    const headers: readonly object[] = [
      { ...good, items: [] },
      { ...good, items: {} },
      { ...good, items: Array(itemsMax + 1).fill(item) },
      { ...good, more: 1 },
      { id: 900, items: [item] },
      { ...good, claim: { ...claim, more: '' } },
      { ...good, claim: { ...claim, identity: 7 } },
      { ...good, claim: { ...claim, identity: 'x'.repeat(129) } },
      { ...good, claim: { ...claim, identity: '\u{1f600}'.repeat(33) } },
      { ...good, claim: { ...claim, address: 'a\nb' } },
      { ...good, claim: { ...claim, address: 'a\u0085b' } },
      { ...good, claim: { ...claim, requestId: '\ud800' } },
      { ...good, items: [{ ...item, more: 1 }] },
      { ...good, items: [{ ...item, command: 5 }] },
      { ...good, items: [{ ...item, command: 'x'.repeat(65) }] },
      { ...good, items: [{ ...item, arguments: [] }] },
      { ...good, items: [{ ...item, arguments: null }] },
      { ...good, items: [{ ...item, parts: { data: 1 } }] },
      { ...good, items: [{ ...item, parts: { data: -1 } }] },
      { ...good, items: [{ ...item, parts: { data: 0.5 } }] },
      { ...good, items: [{ ...item, parts: { data: '0' } }] },
      { ...good, items: [{ ...item, parts: { 'a b': 0 } }] },
      { ...good, items: [{ ...item, parts: { 1: 0 } }] },
      { ...good, items: [{ command: 'getStatus', arguments: {} }] },
    ]
    for (const header of headers) {
      const frame = await caller.sendFrame(900, encodeFrame(header, []))
      assert.equal(codeOf(frame), 'FRAME_INVALID', JSON.stringify(header).slice(0, 200))
    }
    const trailing = await caller.sendFrame(900, encodeFrame(good, [Buffer.alloc(1)]))
    assert.equal(codeOf(trailing), 'FRAME_INVALID')
    const { leaves } = await caller.ask(status)
    assert.equal(leaves.length, headers.length + 2)
    assert(
      leaves
        .slice(0, -1)
        .every(({ command, outcome }) => `${command} ${outcome}` === '? FRAME_INVALID'),
    )
  })

  test('one whose id cannot be read is answered under -1', async () => {
    const caller = await Caller.founded()
    for (const id of [-1, 1.5, '7', null, 2 ** 53, {}]) {
      const frame = await caller.sendFrame(-1, encodeFrame({ id, claim, items: [] }, []))
      assert.equal(codeOf(frame), 'FRAME_INVALID')
    }
    await assertAlive(caller)
  })

  test('an id in use is refused under -1, and the first to use it gets its answer', async () => {
    const { row, finish } = slowCommand()
    const caller = new Caller({ extra: [row] })
    const slow = caller.sendFrame(5, encodeAsks(5, [{ command: 'wait' }]))
    assert.equal(codeOf(await caller.sendFrame(-1, encodeAsks(5, [status]))), 'FRAME_INVALID')
    finish()
    assert.equal(decodeAnswer(await slow).items[0]?.result.waited, true)
  })

  test('lengths beyond the limits are passed over without being kept', async () => {
    const caller = await Caller.founded()
    const oversized = Buffer.alloc(4 + frameBytesMax + 1, 0x61)
    oversized.writeUInt32BE(frameBytesMax + 1, 0)
    assert.equal(codeOf(await caller.sendFrame(-1, oversized)), 'FRAME_INVALID')
    const header = Buffer.alloc(8 + headerBytesMax + 1, 0x61)
    header.writeUInt32BE(header.length - 4, 0)
    header.writeUInt32BE(headerBytesMax + 1, 4)
    assert.equal(codeOf(await caller.sendFrame(-1, header)), 'FRAME_INVALID')
    for (const total of [0, 1, 2, 3]) {
      const short = Buffer.alloc(4 + total)
      short.writeUInt32BE(total)
      assert.equal(codeOf(await caller.sendFrame(-1, short)), 'FRAME_INVALID')
    }
    await assertAlive(caller)
  })

  test('JSON that is not canonical, deep, or no object is refused', async () => {
    const caller = await Caller.founded()
    const texts = [
      '{"id":1,"id":2}',
      '{ "id":1}',
      '{"id":1.0}',
      '[]',
      'null',
      '7',
      '',
      '{"__proto__":1}',
      `{"id":900,"items":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
      '\ufeff{"id":1}',
    ]
    for (const text of texts) {
      const bytes = Buffer.from(text)
      const frame = Buffer.concat([Buffer.alloc(8), bytes])
      frame.writeUInt32BE(4 + bytes.length, 0)
      frame.writeUInt32BE(bytes.length, 4)
      const refused = caller.frames.length
      caller.stream.write(frame)
      await caller.until(() => caller.frames.length > refused)
      const [answer] = caller.frames.slice(refused)
      assert(answer)
      assert.equal(codeOf(answer), 'FRAME_INVALID', text.slice(0, 40))
    }
    await assertAlive(caller)
  })

  test('invariant 9: arguments may be nested, but not as deeply as the stack is', async () => {
    const caller = await Caller.founded()
    const nested = (levels: number, open: string, close: string) => {
      const args = `${open.repeat(levels)}1${close.repeat(levels)}`
      const items = `[{"command":"getStatus","arguments":${args},"parts":{}}]`
      const header = `{"id":900,"claim":${JSON.stringify(claim)},"items":${items}}`
      return encodeFrame(JSON.parse(header), [])
    }
    // Of members that look like an index, JSON.stringify prints each level by calling itself.
    for (const open of ['{"0":', '{"a":']) {
      const { items } = decodeAnswer(await caller.sendFrame(900, nested(8, open, '}')))
      assert.equal(items[0]?.error?.code, 'ARGUMENT_INVALID')
      for (const levels of [9, 100, 2_000]) {
        assert.equal(
          codeOf(await caller.sendFrame(900, nested(levels, open, '}'))),
          'FRAME_INVALID',
        )
      }
    }
    // Near the end of the stack, where printing once still goes well and printing again does not.
    const header = (levels: number) =>
      `{"id":900,"claim":${JSON.stringify(claim)},"items":[{"command":"getStatus","arguments":` +
      `${'{"0":'.repeat(levels)}1${'}'.repeat(levels)},"parts":{}}]}`
    for (let levels = 2_000; levels < 3_500; levels += 1) {
      const text = Buffer.from(header(levels))
      const frame = Buffer.alloc(8 + text.length)
      frame.writeUInt32BE(4 + text.length, 0)
      frame.writeUInt32BE(text.length, 4)
      frame.set(text, 8)
      caller.stream.write(frame)
      if (levels % 100 === 0) await assertAlive(caller)
    }
    await assertAlive(caller)
  })

  test('a false acknowledgement is refused', async () => {
    const caller = await Caller.founded()
    for (const header of [
      { id: 0, stored: 1_000_000 },
      { id: 0, stored: -1 },
      { id: 0, stored: 'x' },
      { id: 0 },
      { id: 0, stored: 0, more: 1 },
    ]) {
      const code = codeOf(await caller.sendFrame(-1, encodeFrame(header, [])))
      assert.match(String(code), /^(FRAME|ARGUMENT)_INVALID$/)
    }
    await assertAlive(caller)
  })

  test('more refused frames than an answer could tell of are not remembered', async () => {
    const caller = await Caller.founded()
    const bad = encodeFrame({ id: -5 }, [])
    caller.stream.write(Buffer.concat(Array(2_000).fill(bad)))
    await caller.until(() => caller.frames.length >= 2_001)
    assert.equal(codeOf(caller.frames.at(-1) as Frame), 'RECORD_NOT_STORED')
    assert.equal((await caller.ask(status)).leaves.length, 513)
    assert.equal((await caller.ask(status)).leaves.length, 1)
  })

  test('invariant 9: whatever bytes arrive, cut however, the module lives and answers', async () => {
    const caller = await Caller.founded()
    const good = encodeAsks(901, [status])
    const near = fc
      .tuple(fc.nat(good.length - 1), fc.uint8Array({ maxLength: 4 }))
      .map(([offset, bytes]) => {
        const changed = Buffer.from(good)
        changed.set(bytes.subarray(0, good.length - offset), offset)
        // The frame's own length stays, so that what follows is read as a frame again.
        changed.writeUInt32BE(good.length - 4, 0)
        return changed
      })
    await fc.assert(
      fc.asyncProperty(fc.array(near, { maxLength: 4 }), fc.nat(400), async (frames, cut) => {
        const bytes = Buffer.concat(frames)
        caller.stream.write(bytes.subarray(0, cut))
        caller.stream.write(bytes.subarray(cut))
        await assertAlive(caller)
      }),
      { numRuns: 60 },
    )
  })
})

interface Vector {
  readonly comment: string
  readonly frame: string
  readonly header?: object
  readonly parts?: readonly string[]
  readonly error?: string
}

suite('docs/formats/door.json', () => {
  const file = path.join(import.meta.dirname, '../../docs/formats/door.json')
  const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[] }

  for (const { comment, frame, header, parts = [], error } of vectors) {
    test(comment, () => {
      const bytes = Buffer.from(frame, 'hex')
      const taken: Frame[] = []
      const refused: HsmError[] = []
      const reader = new FrameReader(
        (whole) => taken.push(whole),
        (reason) => refused.push(reason),
      )
      for (const byte of bytes) reader.push(Buffer.from([byte]))
      assert.deepEqual(
        refused.map(({ code }) => code),
        error === undefined ? [] : [error],
      )
      if (header === undefined) return
      assert.deepEqual(taken[0]?.header, header)
      assert.equal(Buffer.from(taken[0]?.body ?? []).toString('hex'), parts.join(''))
      const encoded = encodeFrame(
        header,
        parts.map((part) => Buffer.from(part, 'hex')),
      )
      assert.deepEqual(encoded, bytes)
    })
  }
})
