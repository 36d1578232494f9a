/**
 * A domain with the rule `floor`: keys are rotated without people, also when the manager is cut off in between
 * and the module that finishes it has no key loaded. The version before is deactivated each time.
 */

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { newSigner, twoOfficers } from '../../src/hsm/approvals.testing.ts'
import { rotateKey } from '../../src/kms/keys/changes.ts'
import { createKey } from '../../src/kms/keys/create.ts'
import { versionsOf } from '../../src/storage/key-versions.ts'
import { keyInput, namespace, TestKms } from './open.ts'

suite('rotations under the rule floor', { timeout: 60_000 }, () => {
  let t: TestKms
  before(async () => {
    t = await TestKms.open()
    const people = ['anna', 'ben'].map((name) => newSigner(name).asked)
    const change = { people, rules: { officers: twoOfficers, floor: twoOfficers } }
    await t.ask({ command: 'changeDomain', arguments: { change }, parts: {} })
  })
  after(() => t[Symbol.asyncDispose]())

  const statesOf = async (id: string) => {
    const rows = await versionsOf(t.kms.db.query, id)
    return rows.map(({ version, state }) => `${version} ${state}`).toSorted()
  }

  test('by nobody', async () => {
    const { id } = await createKey(t.kms, t.as('operator'), namespace, keyInput('nightly'))
    await rotateKey(t.kms, t.as('operator'), namespace, 'nightly')
    await rotateKey(t.kms, t.as('operator'), namespace, 'nightly')
    assert.deepEqual(await statesOf(id), ['1 deactivated', '2 deactivated', '3 active'])
  })

  for (const at of [2, 3]) {
    for (const side of ['before', 'behind'] as const) {
      test(`cut off ${side} call ${at}, and finished by a module that starts anew`, async () => {
        const name = `cut-${at}-${side}`
        const caller = t.as('operator')
        const { id } = await createKey(t.kms, caller, namespace, keyInput(name))
        assert(await t.cutOff({ at, side }, (kms) => rotateKey(kms, caller, namespace, name)))
        await t.restart()
        await rotateKey(t.kms, caller, namespace, name)
        assert.deepEqual(await statesOf(id), ['1 deactivated', '2 deactivated', '3 active'])
      })
    }
  }
})
