/**
 * The door: pipelining, batches, answers out of order, leaves and heads, and what it does before there
 * is a domain and after it is locked. The module is the real one, in this process.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { verifyCheckpoint } from './contract/checkpoint.ts'
import { encodeFrame } from './contract/frame.ts'
import { itemsMax, leavesUnstoredMax } from './contract/limits.ts'
import { type Ask, Caller, claim, encodeAsks, newKeyId, p256, slowCommand } from './door.testing.ts'

const status: Ask = { command: 'getStatus' }

async function withKey(caller: Caller): Promise<{ key: string; version: number }> {
  const reference = { key: newKeyId(), version: 1 }
  await caller.ok({ command: 'generateKey', arguments: { ...reference, template: p256 } })
  return reference
}

async function assertAlive(caller: Caller): Promise<void> {
  assert.equal((await caller.one(status)).error, undefined)
}

suite('answers', () => {
  test('requests are pipelined: many frames in one write, each with its answer', async () => {
    const caller = await Caller.founded()
    const reference = await withKey(caller)
    const ids = Array.from({ length: 50 }, (_, index) => 1_000 + index)
    const frames = ids.map((id) =>
      encodeAsks(id, [
        { command: 'sign', arguments: reference, parts: { data: Buffer.from([id & 255]) } },
      ]),
    )
    const last = caller.sendFrame(1_049, Buffer.concat(frames))
    await last
    const answered = caller.frames.map(({ header }) => header.id)
    assert.deepEqual(answered.slice(-50), ids)
  })

  test('a batch has an outcome for each command, in their order', async () => {
    const caller = await Caller.founded()
    const reference = await withKey(caller)
    const { items, leaves } = await caller.ask(
      { command: 'random', arguments: { lengthBytes: 5 } },
      {
        command: 'sign',
        arguments: { key: newKeyId(), version: 1 },
        parts: { data: Buffer.alloc(1) },
      },
      { command: 'nothing' },
      { command: 'sign', arguments: reference, parts: { data: Buffer.alloc(1) } },
      { command: 'sign', arguments: reference },
    )
    assert.deepEqual(
      items.map(({ error }) => error?.code),
      [undefined, 'KEY_NOT_LOADED', 'COMMAND_UNKNOWN', undefined, 'ARGUMENT_INVALID'],
    )
    assert.equal(items[0]?.parts.bytes?.length, 5)
    assert.deepEqual(
      leaves.map(({ command, outcome }) => `${command} ${outcome}`),
      ['random OK', 'sign KEY_NOT_LOADED', '? COMMAND_UNKNOWN', 'sign OK', 'sign ARGUMENT_INVALID'],
    )
  })

  test('a slow command does not hold up a fast one, and its leaf comes when it is answered', async () => {
    const { row, finish } = slowCommand()
    const caller = new Caller({ extra: [row] })
    const slow = caller.ask({ command: 'wait' })
    const fast = await caller.ask(status)
    assert.equal(fast.leaves[0]?.sequence, 0)
    finish()
    assert.equal((await slow).leaves[0]?.sequence, 1)
  })

  test('a batch with a slow command is answered as one', async () => {
    const { row, finish } = slowCommand()
    const caller = new Caller({ extra: [row] })
    const batch = caller.ask(status, { command: 'wait' }, status)
    await assertAlive(caller)
    finish()
    const { items, leaves } = await batch
    assert.deepEqual(
      items.map(({ result }) => result.waited),
      [undefined, true, undefined],
    )
    assert.deepEqual(
      leaves.map(({ sequence }) => sequence),
      [1, 2, 3],
    )
  })

  test('the answers of one turn go out in one write', async () => {
    const caller = await Caller.founded()
    let chunks = 0
    caller.stream.on('data', () => {
      chunks += 1
    })
    const frames = [1_001, 1_002, 1_003].map((id) => encodeAsks(id, [status]))
    await caller.sendFrame(1_003, Buffer.concat(frames))
    assert.equal(chunks, 1)
  })

  test('a leaf says who asked for what, on which key, and with what outcome', async () => {
    const caller = await Caller.founded()
    const reference = await withKey(caller)
    const sign = { command: 'sign', arguments: reference, parts: { data: Buffer.from('a') } }
    const [first] = (await caller.ask(sign)).leaves
    const [second] = (await caller.ask(sign)).leaves
    const other = { ...sign, parts: { data: Buffer.from('b') } }
    const [third] = (await caller.ask(other)).leaves
    assert(first && second && third)
    const { command, outcome, key, version, ...said } = first
    assert.deepEqual(
      { command, outcome, key, version },
      {
        command: 'sign',
        outcome: 'OK',
        ...reference,
      },
    )
    assert.partialDeepStrictEqual(said, claim)
    assert.deepEqual(first.argumentsDigest, second.argumentsDigest)
    assert.notDeepEqual(first.argumentsDigest, third.argumentsDigest)
  })

  test('what would not fit into a frame is refused, and the rest of the batch answered', async () => {
    const caller = await Caller.founded()
    const asks = Array.from({ length: 64 }, () => ({
      command: 'random',
      arguments: { lengthBytes: 65_536 },
    }))
    const { items } = await caller.ask(...asks)
    const codes = items.map(({ error }) => error?.code)
    assert.equal(codes[0], undefined)
    assert.equal(codes.at(-1), 'FRAME_INVALID')
    assert.equal(items.filter(({ error }) => !error).length, codes.indexOf('FRAME_INVALID'))
  })

  test('a key whose answer does not fit is not there', async () => {
    const caller = await Caller.founded()
    const keys = Array.from({ length: 150 }, () => newKeyId())
    const make = (key: string): Ask => ({
      command: 'generateKey',
      arguments: { key, version: 1, template: p256 },
    })
    const { items } = await caller.ask(...keys.map(make))
    const refused = keys.filter((_, index) => items[index]?.error)
    const [key] = refused
    assert(key, 'the header does not hold so many attributes')
    assert.equal(caller.module.keys.size, keys.length - refused.length)
    await caller.ok(make(key))
  })

  test('heads are sent after enough leaves, and verify', async () => {
    const caller = await Caller.founded()
    const batch = Array.from({ length: itemsMax }, () => status)
    for (let frames = 0; frames < 17; frames += 1) await caller.ask(...batch)
    const notices = caller.frames.filter(({ header }) => header.id === 0)
    const note = Buffer.from(notices.at(-1)?.body ?? []).toString()
    const { identityPublicKey } = caller.module.open.domain
    assert(verifyCheckpoint(note, { ed25519: identityPublicKey }).size >= 4_096)
  })

  test('nothing is done while too much of the record is not stored, and again when it is', async () => {
    const caller = await Caller.founded()
    const batch = Array.from({ length: itemsMax }, () => status)
    for (let left = leavesUnstoredMax / itemsMax; left >= 0; left -= 1) await caller.ask(...batch)
    const { leaves, items } = await caller.ask(status)
    assert.equal(items[0]?.error?.code, 'RECORD_NOT_STORED')
    assert.equal(leaves[0]?.outcome, 'RECORD_NOT_STORED')
    caller.stream.write(encodeFrame({ id: 0, stored: caller.module.open.record.size }, []))
    await assertAlive(caller)
  })
})

suite('states at the door', () => {
  test('before there is a domain, commands over keys are refused and change nothing', async () => {
    const caller = new Caller()
    const asks: readonly Ask[] = [
      { command: 'random', arguments: { lengthBytes: 1 } },
      { command: 'lock' },
      { command: 'unlock', arguments: { seal: 'passphrase' } },
      { command: 'generateKey', arguments: { key: newKeyId(), version: 1, template: p256 } },
    ]
    for (const ask of asks) assert.equal(await caller.refusal(ask), 'MODULE_STATE_INVALID')
    assert.equal(caller.module.state, 'uninitialised')
  })

  test('what was asked before founding is in the first group of the record', async () => {
    const caller = new Caller()
    await caller.ask(status)
    const { leaves } = await caller.ask({
      command: 'found',
      arguments: { development: true, seal: 'key-file' },
      parts: { secret: caller.sealed('found', 'key-file', Buffer.alloc(32, 7)) },
    })
    assert.deepEqual(
      leaves.map(({ command }) => command),
      ['getStatus', 'found'],
    )
  })

  test('a command that must stand alone does not run in a batch', async () => {
    const caller = await Caller.founded()
    for (const command of ['lock', 'signHead', 'takeSnapshot']) {
      const { items } = await caller.ask(status, { command })
      assert.deepEqual(
        items.map(({ error }) => error?.code),
        [undefined, 'FRAME_INVALID'],
      )
    }
    assert.equal(caller.module.state, 'operational')
  })

  test('more than the prelude can hold is refused without a leaf', async () => {
    const caller = new Caller()
    const batch = Array.from({ length: itemsMax }, () => status)
    for (let frames = 0; frames < 16; frames += 1) await caller.ask(...batch)
    await assert.rejects(caller.ask(status), { code: 'RECORD_NOT_STORED' })
    assert.equal(caller.module.prelude.leaves.length, 16 * itemsMax)
  })

  test('lock waits for what was begun, is the last answer, and erases the keys at once', async () => {
    const { row, finish } = slowCommand()
    const caller = await Caller.founded({ extra: [row] })
    await withKey(caller)
    const slow = caller.ask({ command: 'wait' })
    const locked = caller.ask({ command: 'lock' })
    assert.equal(await caller.refusal(status), 'MODULE_STATE_INVALID')
    assert.equal(caller.module.keys.size, 0)
    finish()
    assert.equal((await slow).items[0]?.result.waited, true)
    assert.deepEqual((await locked).items[0]?.result, {})
    await caller.ended()
    assert.equal(caller.isEnded, true)
  })

  test('when the host closes the door the module ends', async () => {
    const caller = await Caller.founded()
    caller.stream.end()
    await caller.until(() => caller.isEnded)
  })
})
