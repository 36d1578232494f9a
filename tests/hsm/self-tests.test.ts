/**
 * Every self-test of a real module process is made to fail, by its name: at the start, on demand, before a
 * first use, in the background; and a new pair is made inconsistent. Each time the module comes to
 * `failed`, where status and self-test are all that it answers, or to its end.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { commands } from '../../src/hsm/commands.ts'
import type { ModuleStatus } from '../../src/hsm/contract/commands.ts'
import { newKeyId, template } from '../../src/hsm/door.testing.ts'
import { allTests } from '../../src/hsm/self-tests.ts'
import { MatrixDomain } from './matrix-asks.ts'
import { ProcessCaller } from './process-caller.ts'

const entry = 'failing-tests-entry.ts'
const isLong = process.env.KEYHOLD_LONG !== undefined
const domain = await MatrixDomain.found()

async function statusOf(caller: ProcessCaller): Promise<ModuleStatus> {
  return (await caller.ok({ command: 'getStatus' })).result as unknown as ModuleStatus
}

async function breakTest(caller: ProcessCaller, name: string): Promise<void> {
  await caller.ok({ command: 'breakTest', arguments: { name } })
}

/** Status and self-test are answered, every other command is refused. */
async function assertFailed(caller: ProcessCaller, reason: string): Promise<void> {
  const { state, reason: said, loadedKeys, selfTests } = await statusOf(caller)
  assert.deepEqual({ state, said, loadedKeys }, { state: 'failed', said: reason, loadedKeys: 0 })
  assert(selfTests.failed > 0)
  for (const command of Object.keys(commands)) {
    if (['getStatus', 'getEntropyStatus', 'selfTest'].includes(command)) continue
    const asked = { getTransportKey: {}, lock: {} }[command] ?? { arguments: {} }
    assert.equal((await caller.one({ command, ...asked })).error?.code, 'MODULE_FAILED', command)
  }
  const one = { command: 'selfTest', arguments: { tests: ['HMAC-SHA-256'] } }
  assert((await caller.ok(one)).result.tests)
}

/** The end of the background's wait, with room for a busy machine. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 600; waited += 1) {
    if (await condition()) return
    await delay(50)
  }
  assert.fail('it did not come to pass')
}

suite('self-tests of a real module', { timeout: 120_000 }, () => {
  test('each fails on demand, by its name, and says so', async () => {
    await using caller = await ProcessCaller.start(undefined, entry)
    for (const { name } of allTests) {
      const ask = { command: 'selfTest', arguments: { tests: [name] } }
      await breakTest(caller, name)
      const { error } = await caller.one(ask)
      assert.deepEqual(error, { code: 'MODULE_FAILED', message: `self-test failed: ${name}` })
      await breakTest(caller, '')
      await caller.ok(ask)
    }
    await assertFailed(caller, `self-test failed: ${allTests[0]?.name}`)
  })

  // A module fails once: the long form starts one for each test.
  const each = isLong ? allTests : allTests.filter((_, index) => index % 40 === 7)
  for (const { name } of each) {
    test(`an operational module with this test not met has failed: ${name}`, async () => {
      await using caller = await domain.unlock(await ProcessCaller.start(undefined, entry))
      assert.equal((await statusOf(caller)).state, 'operational')
      await breakTest(caller, name)
      const all = { command: 'selfTest', arguments: isLong ? { tests: [name] } : {} }
      const { error } = await caller.one(all)
      assert.equal(error?.message, `self-test failed: ${name}`)
      await assertFailed(caller, `self-test failed: ${name}`)
    })
  }

  test('one before the door opens', async () => {
    await using caller = ProcessCaller.startFailing('failing-start-entry.ts')
    await assertFailed(caller, 'self-test failed: HKDF-SHA-256, RFC 5869 appendix A.1')
  })

  test('one before the first use of its row', async () => {
    await using caller = await domain.unlock(await ProcessCaller.start(undefined, entry))
    const of = template('AES-256-XTS', ['AES-256-XTS'], ['encrypt', 'decrypt'])
    const reference = { key: newKeyId(), version: 1 }
    await caller.ok({ command: 'generateKey', arguments: { ...reference, template: of } })
    const row = allTests.find(({ algorithm }) => algorithm === 'AES-256-XTS')
    assert(row)
    await breakTest(caller, row.name)
    const parts = { plaintext: Buffer.alloc(16) }
    const { error } = await caller.one({ command: 'encrypt', arguments: reference, parts })
    assert.equal(error?.code, 'MODULE_FAILED')
    await assertFailed(caller, `self-test failed: ${row.name}`)
  })

  test('all within the first round by themselves, and again after it', async () => {
    await using caller = await ProcessCaller.start(undefined, entry)
    assert((await statusOf(caller)).selfTests.pending > 100)
    await until(async () => (await statusOf(caller)).selfTests.pending === 0)
    const first = (await statusOf(caller)).selfTests
    assert.equal(first.failed, 0)
    await until(async () => (await statusOf(caller)).selfTests.passed > first.passed + 5)
    const last = allTests.at(-1)?.name ?? ''
    await breakTest(caller, last)
    await until(async () => (await statusOf(caller)).state === 'failed')
    await assertFailed(caller, `self-test failed: ${last}`)
  })

  test('a new pair that is not consistent ends the process', async () => {
    await using caller = await ProcessCaller.start(undefined, entry)
    await assert.rejects(caller.one({ command: 'makeInconsistentPair' }), /it ended/)
    const { kind } = await caller.ended
    assert.equal(kind, 'bug')
  })

  test('what is no name of a test is refused, and nothing has failed', async () => {
    await using caller = await ProcessCaller.start(undefined, entry)
    for (const tests of [['no such test'], [], 'AES-256-GCM', [7], ['x'.repeat(129)], ['a', 'a']]) {
      const { error } = await caller.one({ command: 'selfTest', arguments: { tests } })
      assert.equal(error?.code, 'ARGUMENT_INVALID')
    }
    assert.equal((await statusOf(caller)).state, 'uninitialised')
  })
})
