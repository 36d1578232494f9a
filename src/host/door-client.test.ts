/**
 * The host's end of the door against a module's end that the test plays, on a pair of streams: what goes
 * out together, what is handed on and in which order, and what happens when the other end breaks.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type Duplex, duplexPair } from 'node:stream'
import { suite, test } from 'node:test'
import type { Call, Claim, Outcome } from '../hsm/contract/commands.ts'
import { encodeFrame, type Frame, FrameReader } from '../hsm/contract/frame.ts'
import { requestsInFlightMax } from '../hsm/contract/limits.ts'
import { type Arrived, DoorClient } from './door-client.ts'
import { HostError } from './errors.ts'
import { sendCalls } from './send-calls.ts'

const claim: Claim = { identity: 'id', requestId: 'r', protocol: 'test', address: '' }
const random = (lengthBytes: number): Call => ({
  command: 'random',
  arguments: { lengthBytes },
  parts: {},
})

interface Bench {
  readonly client: DoorClient
  readonly module: Duplex
  /** Frames as the module got them. */
  readonly frames: Frame[]
  /** How many writes they came in. */
  readonly chunks: Buffer[]
  readonly arrived: Arrived[]
  readonly heads: string[]
  readonly broken: unknown[]
  /** Answers a frame with `group` and one part for each item. */
  readonly answer: (frame: Frame | undefined, group: string, parts: readonly string[]) => void
}

function bench(): Bench {
  const [ours, module] = duplexPair()
  const arrived: Arrived[] = []
  const heads: string[] = []
  const broken: unknown[] = []
  const frames: Frame[] = []
  const chunks: Buffer[] = []
  const client = new DoorClient(ours, {
    arrived: (answer) => arrived.push(answer),
    head: (note) => heads.push(note),
    zeroised: () => undefined,
    broken: (reason) => broken.push(reason),
  })
  const reader = new FrameReader(
    (frame) => frames.push(frame),
    (error) => assert.fail(error),
  )
  module.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    reader.push(chunk)
  })
  const answer = (frame: Frame | undefined, group: string, parts: readonly string[]): void => {
    const items = parts.map((part) => ({ result: {}, parts: { bytes: part.length } }))
    const header = { id: frame?.header.id, leaves: group.length, changes: 0, items }
    module.write(
      encodeFrame(
        header,
        [group, ...parts].map((text) => Buffer.from(text)),
      ),
    )
  }
  return { client, module, frames, chunks, arrived, heads, broken, answer }
}

/** Lets everything that is on its way arrive. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

function bytesOf(outcomes: readonly Outcome[]): string[] {
  return outcomes.map((outcome) => {
    assert('parts' in outcome && 'bytes' in outcome.parts)
    return Buffer.from(outcome.parts.bytes ?? []).toString()
  })
}

suite('door client', () => {
  test('requests of one turn go in one write, answers in any order find who asked', async () => {
    const { client, frames, chunks, arrived, answer } = bench()
    const first = client.send(claim, [random(1)])
    const second = client.send(claim, [random(2), random(3)])
    await settled()
    assert.equal(chunks.length, 1)
    assert.equal(client.inFlight, 2)
    assert.deepEqual(frames[0]?.header, {
      id: 1,
      claim,
      items: [{ command: 'random', arguments: { lengthBytes: 1 }, parts: {} }],
    })
    answer(frames[1], 'group of second', ['b', 'c'])
    answer(frames[0], 'group of first', ['a'])
    await settled()
    assert.deepEqual(
      arrived.map(({ group }) => Buffer.from(group).toString()),
      ['group of second', 'group of first'],
    )
    assert.equal(client.inFlight, 0)
    for (const { settle } of arrived) settle(undefined)
    assert.deepEqual(bytesOf(await first), ['a'])
    assert.deepEqual(bytesOf(await second), ['b', 'c'])
  })

  test('an answer that arrived is settled as the keeper says, also after the end', async () => {
    const { client, frames, arrived, answer } = bench()
    const kept = client.send(claim, [random(1)])
    const failed = client.send(claim, [random(1)])
    const lost = client.send(claim, [random(1)])
    await settled()
    answer(frames[0], 'g', ['a'])
    answer(frames[1], 'g', ['b'])
    await settled()
    client.end(new HostError('MODULE_ENDED', 'it ended'))
    await assert.rejects(lost, { code: 'MODULE_ENDED' })
    arrived[0]?.settle(undefined)
    arrived[1]?.settle(new HostError('STORAGE_FAILED', 'full'))
    assert.deepEqual(bytesOf(await kept), ['a'])
    await assert.rejects(failed, { code: 'STORAGE_FAILED' })
    assert.throws(() => client.send(claim, [random(1)]), { code: 'MODULE_UNAVAILABLE' })
  })

  test('parts of calls follow in the order of their members; refusals are outcomes', async () => {
    const { client, module, frames } = bench()
    const parts = { wrapped: Buffer.from('key'), data: Buffer.from('message') }
    const call: Call = { command: 'sign', arguments: { key: 'k', version: 1 }, parts }
    const asked = client.send(claim, [call, random(1)])
    await settled()
    const [frame] = frames
    assert.equal(Buffer.from(frame?.body ?? []).toString(), 'keymessage')
    assert.deepEqual(frame?.header.items, [
      { command: 'sign', arguments: { key: 'k', version: 1 }, parts: { wrapped: 3, data: 7 } },
      { command: 'random', arguments: { lengthBytes: 1 }, parts: {} },
    ])
    const error = { code: 'FRAME_INVALID', message: 'no' }
    module.write(encodeFrame({ id: 1, error }, []))
    assert.deepEqual(await asked, [{ error }, { error }])
  })

  test('sealed changes are cut apart, heads are handed on', async () => {
    const { client, module, heads, arrived } = bench()
    const asked = client.send(claim, [random(1)])
    await settled()
    const changes = Buffer.from('\0\0\0\x01a\0\0\0\x02bc', 'latin1')
    const item = { error: { code: 'KEY_DESTROYED', message: 'gone' } }
    const header = { id: 1, leaves: 1, changes: changes.length, items: [item] }
    module.write(encodeFrame({ id: 0, head: 4 }, [Buffer.from('note')]))
    module.write(encodeFrame(header, [Buffer.from('g'), changes]))
    await settled()
    assert.deepEqual(heads, ['note'])
    assert.deepEqual(arrived[0]?.changes.map(String), ['a', 'bc'])
    arrived[0]?.settle(undefined)
    assert.deepEqual(await asked, [item])
  })

  test('what is stored is acknowledged with the next request, or when it has become much', async () => {
    const { client, frames } = bench()
    client.acknowledge(5)
    client.acknowledge(7)
    await settled()
    assert.equal(frames.length, 0)
    const asked = client.send(claim, [random(1)])
    await settled()
    assert.deepEqual(
      frames.map(({ header }) => header.stored ?? header.id),
      [1, 7],
    )
    client.acknowledge(7 + 4_096)
    await settled()
    assert.deepEqual(frames[2]?.header, { id: 0, stored: 7 + 4_096 })
    client.end(new HostError('MODULE_ENDED', 'over'))
    await assert.rejects(asked, { code: 'MODULE_ENDED' })
  })

  test('too many requests in flight are refused before anything is sent', async () => {
    const { client } = bench()
    const asked: Promise<Outcome[]>[] = []
    for (let count = 0; count < requestsInFlightMax; count += 1) {
      asked.push(client.send(claim, [random(1)]))
    }
    assert.throws(() => client.send(claim, [random(1)]), { code: 'OVERLOADED' })
    client.end(new HostError('MODULE_ENDED', 'over'))
    const ends = await Promise.allSettled(asked)
    assert(ends.every(({ status }) => status === 'rejected'))
  })

  test('a long batch goes in several frames, a call too large for any is refused alone', async () => {
    const { client, frames, arrived, answer } = bench()
    const large = Buffer.alloc(3 * 1024 * 1024)
    const data = (bytes: Buffer): Call => ({
      command: 'mac',
      arguments: { key: 'k', version: 1 },
      parts: { data: bytes },
    })
    const calls = [
      ...Array.from({ length: 300 }, (_, index) => random(index)),
      data(large),
      data(large),
      data(Buffer.alloc(5 * 1024 * 1024)),
      random(300),
    ]
    const asked = sendCalls(client, claim, calls)
    await settled()
    const counts = frames.map(({ header }) =>
      Array.isArray(header.items) ? header.items.length : 0,
    )
    assert.equal(counts[0], 256)
    assert.equal(
      counts.reduce((sum, count) => sum + count),
      303,
    )
    assert(counts.length < 12)
    for (const [index, frame] of frames.entries()) {
      answer(frame, 'g', Array(counts[index]).fill(String(index)))
    }
    await settled()
    for (const { settle } of arrived) settle(undefined)
    const outcomes = await asked
    assert.equal(outcomes.length, calls.length)
    const [refused] = outcomes.splice(302, 1)
    assert(refused && 'error' in refused && refused.error.code === 'FRAME_INVALID')
    const expected = counts.flatMap((count, index) => Array(count).fill(String(index)))
    assert.deepEqual(bytesOf(outcomes), expected)
  })

  test('an answer that makes no sense breaks the door', async () => {
    const answers: [object, string][] = [
      [{ id: 2, leaves: 0, changes: 0, items: [] }, ''],
      [{ id: 1, leaves: 1, changes: 0, items: [] }, 'g'],
      [{ id: 1, leaves: 9, changes: 0, items: [{ result: {}, parts: {} }] }, 'g'],
      [{ id: 1, leaves: 0, changes: 0, items: [{ result: {}, parts: {} }] }, 'g'],
      [{ id: 1, leaves: -1, changes: 2, items: [{ result: {}, parts: {} }] }, 'g'],
      [{ id: 1, leaves: 0, changes: 1, items: [{ result: {}, parts: {} }] }, 'g'],
      [{ id: 1, leaves: 0, changes: 0, items: [null] }, ''],
      [{ id: 1, error: 'no' }, ''],
      [{ id: 0, head: 7 }, 'note'],
      [{ id: 'x' }, ''],
      [{}, ''],
    ]
    for (const [header, body] of answers) {
      const { client, module, broken } = bench()
      const asked = client.send(claim, [random(1)])
      asked.catch(() => undefined)
      await settled()
      module.write(encodeFrame(header, [Buffer.from(body)]))
      await settled()
      assert.equal(broken.length, 1, JSON.stringify(header))
    }
    const { client, module, broken } = bench()
    module.end(Buffer.from('\0\0\0\x05\0\0\0\x01{', 'latin1'))
    await once(module, 'finish')
    await settled()
    assert.equal(broken.length, 1)
    assert.equal(client.inFlight, 0)
  })
})
