/**
 * Any bytes into the door, and valid frames that were altered: each frame is answered, or refused with a
 * code of the contract, and the module goes on. How long a single one may take is bounded too, because a
 * module that thinks about bad input serves nobody.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { hsmErrorCodes } from '../../src/hsm/contract/errors.ts'
import { frameBytesMax } from '../../src/hsm/contract/limits.ts'
import { Caller, encodeAsks, newKeyId, p256, template } from '../../src/hsm/door.testing.ts'

const codes: ReadonlySet<string> = new Set(hsmErrorCodes)
/** Many times what it takes on a slow machine: for a search that never ends, not for a measurement. */
const timeout = 60_000

/** Altered in a few digits it is still no id of the caller's own requests, which count from 1. */
const idBeyond = 9_000_000_000

interface Refusable {
  readonly error?: { readonly code: string }
}

/** The module answers, and so has everything before; every refusal has a documented code. */
async function assertLives(caller: Caller): Promise<void> {
  await caller.ok({ command: 'getStatus' })
  for (const { header } of caller.frames.splice(0)) {
    const { error, items = [] } = header as Refusable & { readonly items?: readonly Refusable[] }
    for (const refused of [{ error }, ...items]) {
      if (refused.error) assert(codes.has(refused.error.code), refused.error.code)
    }
  }
}

/** The zeros that complete the last frame in these bytes. */
function missing(bytes: Buffer): number {
  let end = 0
  while (end < bytes.length) {
    const length = Buffer.alloc(4)
    bytes.copy(length, 0, end)
    end += 4 + length.readUInt32BE()
  }
  return end - bytes.length
}

function framed(bytes: Uint8Array): Buffer {
  const frame = Buffer.concat([Buffer.alloc(4), bytes])
  frame.writeUInt32BE(bytes.length)
  return frame
}

const change = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) })
const changes = fc.array(change, { minLength: 1, maxLength: 4 })

function altered(frame: Buffer, at: readonly { at: number; to: number }[], from: number): Buffer {
  const copy = Buffer.from(frame)
  for (const one of at) copy.writeUInt8(one.to, from + (one.at % (copy.length - from)))
  return copy
}

/** Frames of one request for each kind of command that takes arguments or parts. */
function requests(): Buffer[] {
  const key = { key: newKeyId(), version: 1 }
  const data = Buffer.alloc(40, 3)
  const asks = [
    { command: 'generateKey', arguments: { ...key, template: p256 } },
    { command: 'sign', arguments: { ...key, input: 'digest' }, parts: { data } },
    { command: 'decrypt', arguments: key, parts: { wrapped: data, ciphertext: data, iv: data } },
    { command: 'importKey', arguments: { ...key, template: p256, class: 'private' } },
    { command: 'deriveKey', arguments: { ...key, into: { ...key, template: p256 } } },
    { command: 'changeKey', arguments: { ...key, change: { uses: ['sign'] } } },
    { command: 'random', arguments: { lengthBytes: 16 } },
    { command: 'takeSnapshot', arguments: { piece: 0 } },
    { command: 'addSeal', arguments: { seal: 'key-file' }, parts: { secret: data } },
  ]
  return [...asks.map((ask) => [ask]), asks].map((some, index) =>
    encodeAsks(idBeyond + index, some),
  )
}

suite('any bytes', { timeout }, () => {
  test('a frame of any content', async () => {
    const caller = await Caller.founded()
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), async (bytes) => {
        caller.stream.write(framed(bytes))
        await assertLives(caller)
      }),
      { numRuns: 300 },
    )
  })

  test('a header of any JSON', async () => {
    const caller = await Caller.founded()
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 6 }), fc.uint8Array(), async (value, body) => {
        const text = Buffer.from(JSON.stringify(value))
        caller.stream.write(framed(Buffer.concat([framed(text), body])))
        await assertLives(caller)
      }),
      { numRuns: 300 },
    )
  })

  test('arguments of any JSON for any command', async () => {
    const caller = await Caller.founded()
    const names = ['sign', 'generateKey', 'changeKey', 'unwrapKey', 'random', 'agree', 'found']
    const any = fc.dictionary(
      fc.constantFrom('key', 'version', 'template', 'into', 'seal', 'piece', 'lengthBytes', 'x'),
      fc.oneof(fc.jsonValue({ maxDepth: 4 }), fc.constant(newKeyId()), fc.constant(1)),
    )
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), any, async (command, args) => {
        caller.stream.write(encodeAsks(idBeyond, [{ command, arguments: args }]))
        await assertLives(caller)
      }),
      { numRuns: 300 },
    )
  })

  test('a template of any members', async () => {
    const caller = await Caller.founded()
    const members = Object.entries(template('AES-256', ['AES-256-GCM'], ['encrypt']))
    const any = fc.record(
      Object.fromEntries(
        members.map(([name, value]) => [name, fc.oneof(fc.constant(value), fc.jsonValue())]),
      ),
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(any, async (of) => {
        const args = { key: newKeyId(), version: 1, template: of }
        caller.stream.write(encodeAsks(idBeyond, [{ command: 'generateKey', arguments: args }]))
        await assertLives(caller)
      }),
      { numRuns: 200 },
    )
  })

  test('a request with any bytes changed behind its length', async () => {
    const caller = await Caller.founded()
    const frames = requests()
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...frames), changes, async (frame, at) => {
        caller.stream.write(altered(frame, at, 4))
        await assertLives(caller)
      }),
      { numRuns: 600 },
    )
  })

  test('a stream whose lengths are changed too, cut anywhere', async () => {
    const caller = await Caller.founded()
    const frames = requests()
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...frames), changes, fc.nat(), async (frame, at, cut) => {
        const bytes = altered(frame, at, 2)
        const zeros = missing(bytes)
        fc.pre(zeros <= frameBytesMax)
        const whole = Buffer.concat([bytes, Buffer.alloc(zeros)])
        const middle = cut % whole.length
        caller.stream.write(whole.subarray(0, middle))
        caller.stream.write(whole.subarray(middle))
        await assertLives(caller)
      }),
      { numRuns: 300 },
    )
  })

  test('the same before there is a domain', async () => {
    const frames = requests()
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...frames), changes, async (frame, at) => {
        const caller = new Caller()
        caller.stream.write(altered(frame, at, 4))
        await assertLives(caller)
        assert.equal(caller.module.state, 'uninitialised')
      }),
      { numRuns: 100 },
    )
  })
})
