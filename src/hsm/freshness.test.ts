/** Freshness by a TPM counter, with a TPM made of a key and the bytes that the specification gives. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type Ask, Caller } from './door.testing.ts'
import { CounterOfTests } from './freshness.testing.ts'

const secret = Buffer.alloc(32, 7)

/** A module with a domain, and what its host keeps. */
class Life {
  caller = new Caller()
  #seal: Uint8Array = new Uint8Array()
  readonly #stages: Ask[] = []

  static async found(): Promise<Life> {
    const life = new Life()
    const sealed = life.caller.sealed('found', 'key-file', secret)
    const founding = { development: true, seal: 'key-file' }
    const { items, group } = await life.caller.ask({
      ...{ command: 'found', arguments: founding, parts: { secret: sealed } },
    })
    const { seal, snapshot } = items[0]?.parts ?? {}
    assert(seal && snapshot)
    life.#seal = seal
    life.#keep('snapshot', snapshot, false)
    life.#keep('group', group)
    return life
  }

  /** What is kept now, to go back to. */
  get kept(): number {
    return this.#stages.length
  }

  /** Asks, and keeps what the answer wants kept. */
  async ask(command: string, args: object = {}, parts: object = {}) {
    const ask = { command, arguments: args, parts } as Ask
    const { items, group, changes } = await this.caller.ask(ask)
    for (const change of changes) this.#keep('change', change)
    this.#keep('group', group)
    const [item] = items
    assert(item)
    return item
  }

  /** A new process, with what was kept up to a moment. */
  async restart(upTo = this.#stages.length): Promise<void> {
    this.caller = new Caller()
    this.#stages.length = upTo
    for (const stage of this.#stages) await this.caller.ok(stage)
    const sealed = this.caller.sealed('unlock', 'key-file', secret)
    const parts = { seal: this.#seal, secret: sealed }
    const { group, changes } = await this.caller.ask({
      ...{ command: 'unlock', arguments: { seal: 'key-file' }, parts },
    })
    for (const change of changes) this.#keep('change', change)
    this.#keep('group', group)
  }

  async confirm(counter: CounterOfTests, pin = false) {
    const { result } = await this.ask('getChallenge', { command: 'confirmCounter' })
    const challenge = String(result?.challenge)
    const args = pin ? { challenge, pin: counter.pinned } : { challenge }
    return this.ask('confirmCounter', args, counter.certify(Buffer.from(challenge, 'hex')))
  }

  async status() {
    const { result } = await this.ask('getStatus')
    return [result?.state, result?.freshness]
  }

  #keep(kind: string, bytes: Uint8Array, isFramed = true): void {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    const data = isFramed ? Buffer.concat([length, bytes]) : bytes
    this.#stages.push({ command: 'stage', arguments: { kind }, parts: { data } })
  }
}

suite('freshness by a TPM counter', () => {
  test('without one it is none; one that is pinned confirms each start before anything is served', async () => {
    const life = await Life.found()
    assert.deepEqual(await life.status(), ['operational', 'none'])
    const counter = new CounterOfTests(41)
    const pinned = await life.confirm(counter, true)
    assert.equal(pinned.result?.next, 42)
    counter.value = 42
    assert.deepEqual(await life.status(), ['operational', 'tpm counter'])
    for (const next of [43, 44]) {
      await life.restart()
      assert.deepEqual(await life.status(), ['tampered', 'unconfirmed'])
      assert.equal((await life.ask('random', { lengthBytes: 1 })).error?.code, 'MODULE_TAMPERED')
      assert.equal((await life.confirm(counter)).result?.next, next)
      counter.value = next
      assert.deepEqual(await life.status(), ['operational', 'tpm counter'])
    }
  })

  test('invariant 7: an older state stops the module, over restarts, until it is acknowledged', async () => {
    const life = await Life.found()
    const counter = new CounterOfTests(1)
    await life.confirm(counter, true)
    counter.value = 2
    const older = life.kept
    await life.restart()
    await life.confirm(counter)
    counter.value = 3
    await life.restart(older)
    const refused = await life.confirm(counter)
    assert.equal(refused.error?.code, 'STATE_INVALID')
    assert.deepEqual(await life.status(), ['tampered', 'unconfirmed'])
    const { result } = await life.ask('getStatus')
    assert.match(String(result?.reason), /^state-back: /)
    await life.restart()
    assert.match(String((await life.ask('getStatus')).result?.reason), /^state-back: /)
    assert.equal((await life.ask('acknowledgeTamper')).error, undefined)
    assert.deepEqual(await life.status(), ['operational', 'none'])
    // Pinned again, it counts from where it is.
    assert.equal((await life.confirm(counter, true)).result?.next, 4)
    assert.deepEqual(await life.status(), ['operational', 'tpm counter'])
  })

  test('a crash between the state’s step and the counter’s costs nothing', async () => {
    const life = await Life.found()
    const counter = new CounterOfTests(7)
    await life.confirm(counter, true)
    for (let crash = 0; crash < 3; crash += 1) {
      await life.restart()
      assert.equal((await life.confirm(counter)).result?.next, 8)
    }
  })

  test('another counter, an answer to another question, and a counter that is behind do not confirm', async () => {
    const life = await Life.found()
    const counter = new CounterOfTests(7)
    assert.equal((await life.confirm(counter)).error?.code, 'ARGUMENT_INVALID', 'nothing is pinned')
    await life.confirm(counter, true)
    counter.value = 8
    await life.restart()
    assert.equal((await life.confirm(new CounterOfTests(8))).error?.code, 'ARGUMENT_INVALID')
    const challenge = 'ab'.repeat(32)
    const unasked = counter.certify(Buffer.from(challenge, 'hex'))
    const stale = await life.ask('confirmCounter', { challenge }, unasked)
    assert.equal(stale.error?.code, 'CHALLENGE_INVALID')
    const { result } = await life.ask('getChallenge', { command: 'confirmCounter' })
    const wrong = { challenge: result?.challenge }
    assert.equal((await life.ask('confirmCounter', wrong, unasked)).error?.code, 'ARGUMENT_INVALID')
    const good = counter.certify(Buffer.from(String(result?.challenge), 'hex'))
    const again = await life.ask('confirmCounter', wrong, good)
    assert.equal(again.error?.code, 'CHALLENGE_INVALID', 'a challenge is good once')
    assert.deepEqual(await life.status(), ['tampered', 'unconfirmed'])
    counter.value = 3
    assert.equal((await life.confirm(counter)).error?.code, 'STATE_INVALID')
  })
})
