/** Self-tests on demand, by who may: each is named, and so is the first that is not met. */

import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import type { Call } from '../../src/hsm/contract/commands.ts'
import { allTests } from '../../src/hsm/self-tests.ts'
import type { Caller } from '../../src/kms/kms.ts'
import { selfTest } from '../../src/kms/module.ts'
import { TestKms } from './open.ts'

const entry = path.join(import.meta.dirname, '../hsm/failing-tests-entry.ts')

suite('self-tests on demand', { timeout: 60_000 }, () => {
  let t: TestKms
  let officer: Caller
  before(async () => {
    t = await TestKms.open({ entry })
    officer = await t.everywhere('security-officer')
  })
  after(() => t[Symbol.asyncDispose]())

  test('everything, with the noise sources, or what is named', async () => {
    const { tests, sources } = await selfTest(t.kms, officer, undefined)
    assert.deepEqual(
      tests,
      allTests.map(({ name }) => name),
    )
    assert(sources.length > 1)
    for (const { name, state } of sources) assert.equal(state, 'healthy', name)
    const one = await selfTest(t.kms, await t.everywhere('operator'), ['HMAC-SHA-256'])
    assert(one.tests.length > 0 && one.tests.length < 10)
    assert.deepEqual(one.sources, [])
    await t.refuses('ARGUMENT_INVALID', () => selfTest(t.kms, officer, ['no such test']))
  })

  test('by nobody else, and in no namespace', async () => {
    for (const role of ['auditor', 'administrator', 'application'] as const) {
      const caller = await t.everywhere(role)
      await t.refuses('ACCESS_DENIED', () => selfTest(t.kms, caller, undefined))
    }
    await t.refuses('ACCESS_DENIED', () => selfTest(t.kms, t.as('security-officer'), undefined))
  })

  test('one that is not met is named, and the module has failed', async () => {
    const broken = allTests.at(-1)?.name ?? ''
    const breakTest = { command: 'breakTest', arguments: { name: broken }, parts: {} }
    await t.ask(breakTest as unknown as Call)
    const message = `self-test failed: ${broken}`
    await assert.rejects(selfTest(t.kms, officer, undefined), { code: 'MODULE_FAILED', message })
    const { result } = await t.ask({ command: 'getStatus', arguments: {}, parts: {} })
    assert.partialDeepStrictEqual(result, { state: 'failed', reason: message })
  })
})
