/** What stands in the ledger beside the domain state, and that nothing in it pushes another thing out. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { newSigner } from './approvals.testing.ts'
import { type Caller, newKeyId, type SealingCommand, template } from './door.testing.ts'
import { usesCountersMax } from './ledger.ts'
import { approvedBy, logIn, pinCost, withPins } from './logins.testing.ts'
import { officerFailuresMax } from './logins.ts'
import { fixedClock, restarted } from './restart.testing.ts'

const wrong = 'wrong horse 1'
const hmac = template('generic-secret', ['HMAC-SHA-256'], ['mac', 'verifyMac'])

/** As keys with a limit on their uses do, each used once. */
function fillWithUses(caller: Caller): void {
  const { ledger } = caller.module.open
  const fill = () => {
    for (let count = 0; count <= usesCountersMax; count += 1) {
      ledger.putCounter(`uses ${newKeyId()}/1`, { reserved: 1 })
    }
  }
  assert.throws(fill, { code: 'LEDGER_FULL' })
}

suite('a ledger full of the uses of keys', () => {
  test('refuses the uses of a further key, and counts failed logins of officers', async () => {
    const { caller } = await withPins()
    fillWithUses(caller)
    const reference = { key: newKeyId(), version: 1 }
    const made = { ...reference, template: { ...hmac, usesMax: 9 } }
    await caller.ok({ command: 'generateKey', arguments: made })
    const mac = { command: 'mac', arguments: reference, parts: { data: Buffer.from('data') } }
    assert.equal(await caller.refusal(mac), 'LEDGER_FULL')
    for (let failures = 0; failures < officerFailuresMax; failures += 1) {
      assert.equal(await logIn(caller, 'anna', wrong), 'LOGIN_FAILED')
    }
    assert.equal(await logIn(caller, 'anna'), 'LOGIN_LOCKED')
  })

  test('has room for seals, the end of a shredding and the counter of a TPM', async () => {
    const { caller } = await withPins()
    const seal = (command: SealingCommand, byte: number) => ({
      command,
      arguments: { seal: 'key-file' },
      parts: { secret: caller.sealed(command, 'key-file', Buffer.alloc(32, byte)) },
    })
    await caller.ok(seal('beginEpoch', 8))
    await caller.ok({ command: 'commitEpoch' })
    fillWithUses(caller)
    await caller.ok(seal('addSeal', 9))
    const { parts } = await caller.ok({ command: 'retireKek' })
    assert(parts.certificate)
    const { ledger } = caller.module.open
    assert.deepEqual(ledger.counter('seals'), { 'key-file': 2 })
    const name = `freshness ${'00'.repeat(91)} ${'00'.repeat(34)}`
    ledger.putCounter(name, { next: 1 })
    assert.deepEqual(ledger.counter(name), { next: 1 })
  })
})

test('who is nobody any more has no counter, also after a restart', async () => {
  const { caller, anna, ben } = await withPins({ clock: fixedClock })
  const carl = newSigner('carl')
  const change = async (...people: (typeof anna)[]) => {
    const asked = { change: { people: people.map((one) => one.asked) } }
    const ask = { command: 'changeDomain', arguments: asked }
    await caller.ok(await approvedBy(caller, ask, anna, ben))
  }
  await change(anna, ben, carl)
  for (const name of ['anna', 'carl'])
    assert.equal(await logIn(caller, name, wrong), 'LOGIN_FAILED')
  const failures = (of: Caller) =>
    ['anna', 'carl'].map((name) => of.module.open.ledger.counter(`login plain: ${name}`)?.failures)
  assert.deepEqual(failures(caller), [1, 1])
  await change(anna, ben)
  assert.deepEqual(failures(caller), [1, undefined])
  assert.deepEqual(failures(await restarted(caller, { pinCost })), [1, undefined])
})
