/**
 * The life of a module through its door: found, restarted from what the host keeps, unlocked, locked,
 * failed. What the host keeps here is kept in memory, exactly as it came.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { SealKind } from '../contract/domain-commands.ts'
import { HsmError } from '../contract/errors.ts'
import {
  type Ask,
  Caller,
  decodeAnswer,
  encodeAsks,
  type FrameAnswer,
  newKeyId,
  p256,
  slowCommand,
} from '../door.testing.ts'

const secret = Buffer.alloc(32, 7)

/** What a host would have on its disk. */
class Kept {
  seal: Uint8Array = new Uint8Array()
  snapshot: Uint8Array = new Uint8Array()
  readonly changes: Uint8Array[] = []
  readonly groups: Uint8Array[] = []

  keep(answer: FrameAnswer): FrameAnswer {
    this.groups.push(answer.group)
    this.changes.push(...answer.changes)
    return answer
  }

  async found(caller: Caller): Promise<void> {
    const { items } = this.keep(
      await caller.ask({
        command: 'found',
        arguments: { development: true, seal: 'key-file' },
        parts: { secret: caller.sealed('found', 'key-file', secret) },
      }),
    )
    const { seal, snapshot } = items[0]?.parts ?? {}
    assert(seal && snapshot)
    this.seal = seal
    this.snapshot = snapshot
  }

  stages(): Ask[] {
    const stage = (kind: string, part: Uint8Array): Ask => ({
      command: 'stage',
      arguments: { kind },
      parts: { data: part },
    })
    return [
      stage('snapshot', this.snapshot),
      stage('change', joined(this.changes)),
      stage('group', joined(this.groups)),
    ]
  }

  unlock(caller: Caller, given: Uint8Array = secret, seal = this.seal): Ask {
    return {
      command: 'unlock',
      arguments: { seal: 'key-file' },
      parts: { seal, secret: caller.sealed('unlock', 'key-file', given) },
    }
  }
}

/** Each behind its length (u32), as `stage` takes them. */
function joined(pieces: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    pieces.flatMap((piece) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(piece.length)
      return [length, piece]
    }),
  )
}

suite('a restart', () => {
  test('what was made before works afterwards, and what was destroyed stays so', async () => {
    const first = new Caller()
    const kept = new Kept()
    await kept.found(first)
    const [one, two] = [newKeyId(), newKeyId()].map((key) => ({ key, version: 1 }))
    assert(one && two)
    const wrapped: Uint8Array[] = []
    for (const reference of [one, two]) {
      const ask = { command: 'generateKey', arguments: { ...reference, template: p256 } }
      const { items } = kept.keep(await first.ask(ask))
      wrapped.push(items[0]?.parts.wrapped ?? new Uint8Array())
    }
    kept.keep(await first.ask({ command: 'destroyKey', arguments: two }))

    const second = new Caller()
    assert.equal(second.module.state, 'uninitialised')
    const staged = await second.ask(...kept.stages())
    assert(staged.items.every(({ error }) => !error))
    assert.equal(second.module.state, 'locked')
    const { items, leaves } = kept.keep(await second.ask(kept.unlock(second)))
    assert.equal(second.module.state, 'operational')
    assert.equal(items[0]?.result.recordSize, 4 + 3)
    assert.deepEqual(
      leaves.map(({ command, sequence }) => `${sequence} ${command}`),
      ['4 stage', '5 stage', '6 stage', '7 unlock'],
    )
    const sign = (reference: object, part: Uint8Array | undefined): Ask => ({
      command: 'sign',
      arguments: reference,
      parts: { data: secret, ...(part ? { wrapped: part } : {}) },
    })
    assert.equal(await second.refusal(sign(one, undefined)), 'KEY_NOT_LOADED')
    await second.ok(sign(one, wrapped[0]))
    assert.equal(await second.refusal(sign(two, wrapped[1])), 'KEY_DESTROYED')
  })

  test('another secret, seal, or module does not unlock, and the right one does after that', async () => {
    const kept = new Kept()
    await kept.found(new Caller())
    const other = new Kept()
    await other.found(new Caller())
    const caller = new Caller()
    await caller.ask(...kept.stages())
    const wrong = kept.unlock(caller, Buffer.alloc(32, 8))
    assert.equal(await caller.refusal(wrong), 'SEAL_INVALID')
    const foreign = kept.unlock(caller, secret, other.seal)
    assert.equal(await caller.refusal(foreign), 'STATE_INVALID')
    const stale = kept.unlock(new Caller())
    assert.equal(await caller.refusal(stale), 'CIPHERTEXT_INVALID')
    assert.equal(caller.module.state, 'locked')
    await caller.ok(kept.unlock(caller))
  })

  test('invariant 6: sealed state and record with one altered byte do not unlock', async () => {
    const kept = new Kept()
    const founder = new Caller()
    await kept.found(founder)
    kept.keep(
      await founder.ask({ command: 'destroyKey', arguments: { key: newKeyId(), version: 1 } }),
    )
    for (const altered of [kept.snapshot, ...kept.changes, ...kept.groups]) {
      const middle = Math.floor(altered.length / 2)
      altered[middle] = (altered[middle] ?? 0) ^ 1
      const caller = new Caller()
      await caller.ask(...kept.stages())
      const code = await caller.refusal(kept.unlock(caller))
      assert.match(String(code), /^(STATE|RECORD)_INVALID$/)
      altered[middle] = (altered[middle] ?? 0) ^ 1
    }
  })

  test('unlocking runs once at a time', async () => {
    const kept = new Kept()
    await kept.found(new Caller())
    const caller = new Caller()
    await caller.ask(...kept.stages())
    // In one write, so that the second arrives while the first is at work.
    const frames = [1_001, 1_002].map((id) => encodeAsks(id, [kept.unlock(caller)]))
    const second = caller.sendFrame(1_002, Buffer.alloc(0))
    const both = [caller.sendFrame(1_001, Buffer.concat(frames)), second]
    const answers = (await Promise.all(both)).map(decodeAnswer)
    const codes = answers.map(({ items: [item] }) => item?.error?.code)
    assert.deepEqual(codes, [undefined, 'MODULE_BUSY'])
  })
})

suite('an operational module', () => {
  test('a further seal opens the same domain', async () => {
    const first = new Caller()
    const kept = new Kept()
    await kept.found(first)
    const phrase = Buffer.from('a passphrase of many words')
    const added = await first.ask({
      command: 'addSeal',
      arguments: { seal: 'passphrase' },
      parts: { secret: first.sealed('addSeal', 'passphrase', phrase) },
    })
    kept.keep(added)
    const caller = new Caller()
    await caller.ask(...kept.stages())
    const seal = added.items[0]?.parts.seal ?? new Uint8Array()
    const secret = caller.sealed('unlock', 'passphrase', phrase)
    const parts = { seal, secret }
    await caller.ok({ command: 'unlock', arguments: { seal: 'passphrase' }, parts })
    assert.deepEqual(caller.module.open.domain.domainId, first.module.open.domain.domainId)
  })

  test('a snapshot comes in pieces, from the first on', async () => {
    const caller = await Caller.founded()
    const ask = (piece: unknown): Ask => ({ command: 'takeSnapshot', arguments: { piece } })
    assert.equal(await caller.refusal(ask(1)), 'ARGUMENT_INVALID')
    const { result } = await caller.ok(ask(0))
    assert.deepEqual(result, { generation: 2, pieces: 1 })
    for (const piece of [1, -1, 0.5, '0', null]) {
      assert.equal(await caller.refusal(ask(piece)), 'ARGUMENT_INVALID')
    }
  })

  test('a head on request covers everything that was answered before', async () => {
    const caller = await Caller.founded()
    await caller.ok({ command: 'getStatus' })
    const { result, parts } = await caller.ok({ command: 'signHead' })
    assert.deepEqual(result, { size: 2 })
    assert.equal(
      Buffer.from(parts.note ?? [])
        .toString()
        .split('\n')[1],
      '2',
    )
  })

  test('status tells what it is, and self-tests how many there are', async () => {
    const caller = await Caller.founded()
    const { result } = await caller.ok({ command: 'getStatus' })
    assert.partialDeepStrictEqual(result, {
      state: 'operational',
      reason: '',
      development: true,
      epoch: 1,
      loadedKeys: 0,
      freshness: 'none',
      recordSize: 1,
    })
    assert((await caller.ok({ command: 'selfTest' })).result.tests)
  })

  test('a failed module answers nothing but status and self-test', async () => {
    const caller = await Caller.founded()
    caller.module.fail('self-test failed: by hand')
    for (const command of ['random', 'lock', 'getTransportKey', 'stage']) {
      assert.equal(await caller.refusal({ command }), 'MODULE_FAILED')
    }
    const { result } = await caller.ok({ command: 'getStatus' })
    assert.partialDeepStrictEqual(result, { state: 'failed', reason: 'self-test failed: by hand' })
    await caller.ok({ command: 'selfTest' })
    assert.equal(caller.module.state, 'failed')
  })

  test('what was begun before a failure is not answered after it', async () => {
    const slow = slowCommand()
    const caller = await Caller.founded({ extra: [slow.row] })
    const waiting = caller.refusal({ command: 'wait' })
    await caller.ok({ command: 'getStatus' })
    caller.module.fail('self-test failed: by hand')
    slow.finish()
    assert.equal(await waiting, 'MODULE_FAILED')
  })

  test('a module that fails while it is unlocked or founded does not become operational', async () => {
    const phrase = Buffer.from('a passphrase of many words')
    const founding = (caller: Caller): Ask => ({
      command: 'found',
      arguments: { development: true, seal: 'passphrase' },
      parts: { secret: caller.sealed('found', 'passphrase', phrase) },
    })
    const first = new Caller()
    const { seal, snapshot } = (await first.ok(founding(first))).parts
    assert(seal && snapshot)
    const locked = new Caller()
    await locked.ok({
      command: 'stage',
      arguments: { kind: 'snapshot' },
      parts: { data: snapshot },
    })
    const unlock = {
      command: 'unlock',
      arguments: { seal: 'passphrase' },
      parts: { seal, secret: locked.sealed('unlock', 'passphrase', phrase) },
    }
    const fresh = new Caller()
    for (const [caller, ask] of [
      [locked, unlock],
      [fresh, founding(fresh)],
    ] as const) {
      const answer = caller.ask(ask)
      // Argon2id is at work when this is answered.
      await caller.ok({ command: 'getStatus' })
      caller.module.fail('self-test failed: by hand')
      assert.equal((await answer).items[0]?.error?.code, 'MODULE_FAILED')
      assert.equal(caller.module.opened, undefined)
      assert.equal(caller.module.reason, 'self-test failed: by hand')
    }
  })

  test('a known answer that is not met on the way to another state is a failure', async () => {
    const { module } = new Caller()
    const failing = () => Promise.reject(new HsmError('MODULE_FAILED', 'self-test failed: one'))
    await assert.rejects(module.move(failing), { code: 'MODULE_FAILED' })
    assert.equal(module.state, 'failed')
    assert.equal(module.reason, 'self-test failed: one')
    const other = new Caller()
    const refusing = () => Promise.reject(new HsmError('SEAL_INVALID', 'not this one'))
    await assert.rejects(other.module.move(refusing), { code: 'SEAL_INVALID' })
    assert.equal(other.module.state, 'uninitialised')
  })

  test('founding takes a secret that is long enough, and a domain is founded once', async () => {
    const caller = new Caller()
    const found = (bytes: Uint8Array, seal: SealKind = 'key-file'): Ask => ({
      command: 'found',
      arguments: { development: true, seal },
      parts: { secret: caller.sealed('found', seal, bytes) },
    })
    assert.equal(await caller.refusal(found(Buffer.alloc(31))), 'ARGUMENT_INVALID')
    assert.equal(await caller.refusal(found(Buffer.alloc(11), 'passphrase')), 'ARGUMENT_INVALID')
    assert.equal(await caller.refusal(found(secret, 'shares' as SealKind)), 'ARGUMENT_INVALID')
    assert.equal(caller.module.state, 'uninitialised')
    await caller.ok(found(secret))
    assert.equal(await caller.refusal(found(secret)), 'MODULE_STATE_INVALID')
  })

  test('an HsmError of the door is one of the contract', async () => {
    const caller = new Caller()
    await assert.rejects(caller.ok({ command: 'constructor' }), HsmError)
  })
})
