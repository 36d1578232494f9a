/** The rule `floor`: what is taken from a key for good takes approvals, a rotation and what can be undone do not. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { approved, peopled, refusesAndRecords, twoOfficers } from './approvals.testing.ts'
import { generate } from './commands.testing.ts'
import type { KeyTemplate } from './contract/keys.ts'
import { type Ask, type Caller, p256, template } from './door.testing.ts'

const aes = template('AES-256', ['AES-256-GCM'], ['encrypt', 'decrypt'])
const agreeing = template('X25519', ['X25519'], ['agree'])

const founded = () => peopled({ floor: twoOfficers })

async function made(caller: Caller, of: KeyTemplate) {
  const { reference, wrapped } = await generate(caller, of)
  const asks = (change: object): Ask => ({
    command: 'changeKey',
    arguments: { ...reference, change },
    parts: { wrapped },
  })
  return { reference, wrapped, asks }
}

const successor = (caller: Caller, key: string, of: KeyTemplate, version = 2) =>
  caller.ok({ command: 'generateKey', arguments: { key, version, template: of } })

suite('the rule floor', () => {
  test('compromised, deactivated or with fewer uses only as people have signed', async () => {
    const { caller, anna, ben } = await founded()
    for (const change of [
      { state: 'compromised' },
      { state: 'deactivated' },
      { uses: ['verify'] },
    ]) {
      const { reference, asks } = await made(caller, p256)
      const ask = asks(change)
      await refusesAndRecords(caller, 'APPROVALS_MISSING', ask)
      await refusesAndRecords(caller, 'APPROVALS_MISSING', await approved(caller, ask, anna))
      const other = await approved(caller, asks({ state: 'suspended' }), anna, ben)
      const parts = { ...ask.parts, approvals: other.parts?.approvals ?? Buffer.alloc(0) }
      await refusesAndRecords(caller, 'APPROVAL_INVALID', { ...ask, parts })
      const { wrapped } = (await caller.ok(await approved(caller, ask, anna, ben))).parts
      assert(wrapped)
      await caller.ok({ command: 'raiseFloor', arguments: reference, parts: { wrapped } })
    }
  })

  test('what can be taken back needs nobody', async () => {
    const { caller } = await founded()
    const { asks } = await made(caller, p256)
    await caller.ok(asks({ state: 'suspended' }))
    const dates = await made(caller, p256)
    await caller.ok(dates.asks({ notAfter: 5, uses: ['sign', 'verify'] }))
  })

  test('a version that was rotated is deactivated by nobody, by no other key in its place', async () => {
    const { caller } = await founded()
    const { reference, asks } = await made(caller, aes)
    const ask = asks({ state: 'deactivated' })
    await refusesAndRecords(caller, 'APPROVALS_MISSING', ask)
    await successor(caller, (await made(caller, aes)).reference.key, aes)
    await refusesAndRecords(caller, 'APPROVALS_MISSING', ask)
    await successor(caller, reference.key, { ...aes, uses: ['encrypt'] })
    await refusesAndRecords(caller, 'APPROVALS_MISSING', ask)
    await successor(caller, reference.key, p256, 3)
    await refusesAndRecords(caller, 'APPROVALS_MISSING', ask)
    await successor(caller, reference.key, aes, 4)
    const { wrapped } = (await caller.ok(ask)).parts
    assert(wrapped)
    const worse = { ...asks({ state: 'compromised' }), parts: { wrapped } }
    await refusesAndRecords(caller, 'APPROVALS_MISSING', worse)
  })

  test('a key that agrees is not deactivated so: what it made could not be made again', async () => {
    const { caller } = await founded()
    const { reference, asks } = await made(caller, agreeing)
    await successor(caller, reference.key, agreeing)
    await refusesAndRecords(caller, 'APPROVALS_MISSING', asks({ state: 'deactivated' }))
  })
})
