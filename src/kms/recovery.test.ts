/**
 * A crash between each two steps of each change: before and behind every call of the module, with a
 * module that goes on as it is and with one that starts anew. What is left is finished or undone, every
 * key works or is gone as a whole, and asking again does what was asked exactly once.
 */

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { type Cut, keyInput, namespace, TestKms } from '../../tests/kms/open.ts'
import { HostError } from '../host/errors.ts'
import { parseKeyId } from '../hsm/contract/keys.ts'
import { type KeyVersionsTable, versionsOf } from '../storage/key-versions.ts'
import { KmsError } from './errors.ts'
import { runJobs } from './jobs/jobs.ts'
import { disableKey, enableKey, rotateKey } from './keys/changes.ts'
import { createKey } from './keys/create.ts'
import { destroyKey, scheduleDestruction } from './keys/destruction.ts'
import { getKey } from './keys/record.ts'
import type { Kms, ModuleHost } from './kms.ts'

/** One more than any of the changes takes. */
const callsMax = 5

const cuts: readonly Cut[] = Array.from({ length: callsMax }, (_, index) => index + 1).flatMap(
  (at): Cut[] => [
    { at, side: 'before' },
    { at, side: 'behind' },
  ],
)

suite('what a crash leaves', () => {
  let t: TestKms
  let made = 0
  before(async () => {
    t = await TestKms.open()
  })
  after(() => t[Symbol.asyncDispose]())

  const create = (kms: Kms, name: string, idempotencyKey?: string) =>
    createKey(kms, t.as('operator'), namespace, keyInput(name, { type: 'P-256' }), {
      idempotencyKey,
    })
  const get = (name: string) => getKey(t.kms, t.as('operator'), namespace, name)
  const newName = () => {
    made += 1
    return `crash-${made}`
  }

  /** Each cut that the change is long enough for, once with either way to go on. */
  async function everyCut(
    prepare: (kms: Kms, name: string) => Promise<unknown>,
    change: (kms: Kms, name: string) => Promise<unknown>,
    check: (name: string, before: KeyVersionsTable[]) => Promise<void>,
  ): Promise<number> {
    let count = 0
    for (const restarts of [false, true]) {
      for (const cut of cuts) {
        const name = newName()
        await prepare(t.kms, name)
        const before = await rowsOf(name)
        const isCut = await t.cutOff(cut, (kms) => change(kms, name))
        if (restarts && isCut) await t.restart()
        else await t.reopen()
        if (!isCut) break
        count += 1
        await assertNothingIsLeft()
        await check(name, before)
      }
    }
    return count
  }

  async function assertNothingIsLeft(): Promise<void> {
    assert.deepEqual(await t.kms.db.query.selectFrom('intents').selectAll().execute(), [])
    const answers = await t.kms.db.query.selectFrom('answers').selectAll().execute()
    assert(answers.every(({ answer }) => answer !== null))
  }

  async function rowsOf(name: string): Promise<KeyVersionsTable[]> {
    const record = await get(name).catch(() => undefined)
    return record ? versionsOf(t.kms.db.query, record.id) : []
  }

  /** What the module says to a signature with this wrapped key. */
  async function sign({ keyId, version, wrapped }: KeyVersionsTable): Promise<string> {
    assert(wrapped)
    const args = { key: parseKeyId(keyId), version }
    try {
      await t.ask({ command: 'sign', arguments: args, parts: { data: Buffer.from('x'), wrapped } })
      return 'signed'
    } catch (error) {
      assert(error instanceof KmsError)
      return error.code
    }
  }

  /** The stored wrapped keys are in the state that the rows say, and the module agrees. */
  async function signAll(name: string): Promise<string[]> {
    return Promise.all((await rowsOf(name)).map(sign))
  }

  test('of a creation, nothing: the name and the idempotency key are free', async () => {
    const count = await everyCut(
      async () => undefined,
      (kms, name) => create(kms, name, name),
      async (name) => {
        await assert.rejects(get(name), { code: 'KEY_NOT_FOUND' })
        const record = await create(t.kms, name, name)
        assert.deepEqual(await create(t.kms, name, name), record)
        assert.deepEqual(await signAll(name), ['signed'])
      },
    )
    assert.equal(count, 4)
  })

  test('of a rotation, all or nothing; asking again leaves two versions', async () => {
    const rotate = (kms: Kms, name: string) =>
      rotateKey(kms, t.as('operator'), namespace, name, { idempotencyKey: `rotate-${name}` })
    const count = await everyCut(create, rotate, async (name, [first]) => {
      assert(first)
      const { currentVersion, versions } = await get(name)
      assert([1, 2].includes(currentVersion))
      const now = await signAll(name)
      const [expected, old] =
        versions === 1
          ? [['signed'], 'signed']
          : [['KEY_STATE_INVALID', 'signed'], 'WRAPPED_KEY_OUTDATED']
      assert.deepEqual(now, expected)
      assert.equal(await sign(first), old)
      const rotated = await rotate(t.kms, name)
      assert.equal(rotated.versions, 2)
      assert.deepEqual(await signAll(name), ['KEY_STATE_INVALID', 'signed'])
      assert.deepEqual(await rotate(t.kms, name), rotated)
    })
    assert.equal(count, 12)
  })

  test('a change of state is finished, and the older wrapped keys are refused', async () => {
    const disable = (kms: Kms, name: string) => disableKey(kms, t.as('operator'), namespace, name)
    const enable = (kms: Kms, name: string) => enableKey(kms, t.as('operator'), namespace, name)
    const disabled = await everyCut(create, disable, async (name, [first]) => {
      assert(first)
      assert.equal((await get(name)).state, 'suspended')
      assert.deepEqual(await signAll(name), ['KEY_STATE_INVALID'])
      assert.equal(await sign(first), 'WRAPPED_KEY_OUTDATED')
      await enable(t.kms, name)
      assert.deepEqual(await signAll(name), ['signed'])
    })
    const prepare = async (kms: Kms, name: string) => {
      await create(kms, name)
      await disable(kms, name)
    }
    const enabled = await everyCut(prepare, enable, async (name, [first]) => {
      assert(first)
      assert.equal((await get(name)).state, 'active')
      assert.deepEqual(await signAll(name), ['signed'])
      assert.equal(await sign(first), 'WRAPPED_KEY_OUTDATED')
    })
    assert.deepEqual([disabled, enabled], [8, 8])
  })

  test('a scheduled destruction stays scheduled', async () => {
    const schedule = (kms: Kms, name: string) =>
      scheduleDestruction(kms, t.as('security-officer'), namespace, name, { days: 3 })
    const count = await everyCut(create, schedule, async (name) => {
      const { state, destructionDue } = await get(name)
      assert.equal(state, 'suspended')
      assert(destructionDue !== undefined)
      assert.deepEqual(await signAll(name), ['KEY_STATE_INVALID'])
    })
    assert.equal(count, 8)
  })

  test('a destruction is finished', async () => {
    const prepare = async (kms: Kms, name: string) => {
      await create(kms, name)
      await rotateKey(kms, t.as('operator'), namespace, name)
    }
    const destroy = (kms: Kms, name: string) =>
      destroyKey(kms, t.as('security-officer'), namespace, name, { confirm: name })
    const count = await everyCut(prepare, destroy, async (name, before) => {
      const { state, versions } = await get(name)
      assert.deepEqual([state, versions], ['destroyed', 2])
      assert((await rowsOf(name)).every(({ wrapped }) => wrapped === null))
      const said = await Promise.all(before.map(sign))
      assert.deepEqual(said, ['KEY_DESTROYED', 'KEY_DESTROYED'])
    })
    assert.equal(count, 4)
  })

  /** Fails the calls that are listed, with the module having run them or not. */
  function failingHost(failing: readonly Cut[]): ModuleHost {
    let calls = 0
    return t.through(async (claim, asked) => {
      calls += 1
      const cut = failing.find(({ at }) => at === calls)
      if (cut?.side === 'behind') await t.host.call(claim, asked)
      if (cut) throw new HostError('MODULE_ENDED', 'the module ended')
      return t.host.call(claim, asked)
    })
  }

  test('a module that goes away leaves a change that the job finishes', async () => {
    for (const cut of cuts.slice(0, 4)) {
      const name = newName()
      await create(t.kms, name)
      // The second failure is that of recovery at once: it waits for the next minute.
      await t.reopen(failingHost([cut, { at: cut.at + 1, side: 'before' }]))
      const disabling = disableKey(t.kms, t.as('operator'), namespace, name)
      await assert.rejects(disabling, { code: 'MODULE_UNAVAILABLE' })
      await runJobs(t.kms)
      await runJobs(t.kms)
      await assertNothingIsLeft()
      assert.equal((await get(name)).state, 'suspended')
      assert.deepEqual(await signAll(name), ['KEY_STATE_INVALID'])
    }
    await t.reopen()
  })

  test('a manager starts without its module and finishes later', async () => {
    const name = newName()
    await create(t.kms, name)
    const cut = { at: 1, side: 'behind' } as const
    assert(await t.cutOff(cut, (kms) => disableKey(kms, t.as('operator'), namespace, name)))
    await t.reopen(failingHost([{ at: 1, side: 'before' }]))
    assert.equal((await get(name)).state, 'active')
    // The next change of the key finishes the one before first.
    assert.equal((await enableKey(t.kms, t.as('operator'), namespace, name)).state, 'active')
    await assertNothingIsLeft()
    assert.deepEqual(await signAll(name), ['signed'])
    await t.reopen()
  })

  test('a creation that the module did not answer is undone at once', async () => {
    for (const side of ['before', 'behind'] as const) {
      const name = newName()
      await t.reopen(failingHost([{ at: 1, side }]))
      await assert.rejects(create(t.kms, name, name), { code: 'MODULE_UNAVAILABLE' })
      await assertNothingIsLeft()
      assert.equal((await create(t.kms, name, name)).name, name)
    }
    await t.reopen()
  })
})
