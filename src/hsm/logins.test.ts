/** PINs and logins through the door: who may set one, what a wrong one costs, and what a login is for. */

import assert from 'node:assert/strict'
import { argon2Sync } from 'node:crypto'
import { suite, test } from 'node:test'
import { newSigner, peopled, refusesAndRecords, twoOfficers } from './approvals.testing.ts'
import { Burst } from './burst.ts'
import type { DomainState, SecurityLevel } from './contract/domain-state.ts'
import type { HsmErrorCode } from './contract/errors.ts'
import { type Ask, type Caller, newKeyId } from './door.testing.ts'
import {
  approvedBy,
  logIn,
  pinCost,
  right,
  sealedPin,
  setPin,
  withPin,
  withPins,
} from './logins.testing.ts'
import { failuresPerHourMax, officerFailuresMax, sessionMs } from './logins.ts'
import { fixedClock, fixedMs, restarted } from './restart.testing.ts'

suite('setting a PIN', () => {
  test('by whom it is for, by nobody else alone, and by the rule officers', async () => {
    const { caller, anna, ben } = await peopled({}, { pinCost })
    const ask = await withPin(caller, 'setPin', 'anna')
    await refusesAndRecords(caller, 'APPROVALS_MISSING', ask)
    await refusesAndRecords(caller, 'APPROVALS_MISSING', await approvedBy(caller, ask, ben))
    await caller.ok(await approvedBy(caller, ask, anna))
    assert.equal(await logIn(caller, 'anna'), undefined)
    // Whoever has the key alone cannot set another; whoever is logged in can, and two officers can.
    const { caller: other, anna: her, ben: him, carl } = await peopled({}, { pinCost })
    await setPin(other, 'anna', right, her)
    const again = await withPin(other, 'setPin', 'anna', 'another PIN')
    await refusesAndRecords(other, 'APPROVALS_MISSING', await approvedBy(other, again, her))
    assert.equal(await logIn(other, 'anna'), undefined)
    await other.ok(await approvedBy(other, again, her))
    // That was another PIN: the session was that of the one before.
    const third = await withPin(other, 'setPin', 'anna', 'a third PIN')
    await refusesAndRecords(other, 'APPROVALS_MISSING', await approvedBy(other, third, her))
    await other.ok(await approvedBy(other, third, him, carl))
    assert.equal(await logIn(other, 'anna', 'a third PIN'), undefined)
  })

  test('what is not right changes nothing', async () => {
    const { caller, anna } = await peopled({}, { pinCost })
    for (const [pin, code] of [
      ['1234567', 'ARGUMENT_INVALID'],
      ['x'.repeat(1_025), 'ARGUMENT_INVALID'],
    ] as const) {
      const ask = await approvedBy(caller, await withPin(caller, 'setPin', 'anna', pin), anna)
      await refusesAndRecords(caller, code, ask)
    }
    const nobody = await withPin(caller, 'setPin', 'nobody')
    await refusesAndRecords(caller, 'PERSON_NOT_FOUND', await approvedBy(caller, nobody, anna))
    const { arguments: args } = await withPin(caller, 'setPin', 'anna')
    const { challenge } = args as { challenge: string }
    const pins: readonly (readonly [Buffer, HsmErrorCode])[] = [
      [sealedPin(caller, right, challenge, 'seal secret'), 'CIPHERTEXT_INVALID'],
      [sealedPin(caller, right, '00'.repeat(32)), 'CIPHERTEXT_INVALID'],
      [Buffer.from(right), 'CIPHERTEXT_INVALID'],
    ]
    for (const [pin, code] of pins) {
      const ask = { command: 'setPin', arguments: { person: 'anna', challenge }, parts: { pin } }
      await refusesAndRecords(caller, code, await approvedBy(caller, ask, anna))
    }
    const ofLogin = await withPin(caller, 'login', 'anna')
    const ask = { ...ofLogin, command: 'setPin' }
    await refusesAndRecords(caller, 'CHALLENGE_INVALID', await approvedBy(caller, ask, anna))
  })

  test('a PIN goes with its person over changes and a restart, not to another key', async () => {
    const { caller, anna, ben, otto } = await withPins({ clock: fixedClock })
    const people = [anna, ben, otto].map(({ asked }) => asked)
    const change = { people: [...people, newSigner('dora').asked] }
    const ask = { command: 'changeDomain', arguments: { change } }
    await caller.ok(await approvedBy(caller, ask, anna, ben))
    const next = await restarted(caller, { pinCost })
    assert.equal(await logIn(next, 'anna'), undefined)
    const others = {
      people: [anna.asked, ben.asked, newSigner('otto', { roles: ['operator'] }).asked],
    }
    const replace = { command: 'changeDomain', arguments: { change: others } }
    await next.ok(await approvedBy(next, replace, anna, ben))
    assert.equal(await logIn(next, 'otto'), 'LOGIN_FAILED')
  })

  test('who reads the domain state cannot search for a PIN', async () => {
    const { caller } = await withPins()
    const { parts } = await caller.ok({ command: 'getDomainState' })
    const { statement } = JSON.parse(String(Buffer.from(parts.state ?? [])))
    const [anna] = (JSON.parse(statement) as DomainState).people
    assert(anna?.pin)
    const parameters = {
      ...{ message: Buffer.from(right), nonce: Buffer.from(anna.pin.salt, 'base64') },
      ...{ parallelism: 1, tagLength: 32, memory: 64, passes: 1 },
    }
    const stretched = argon2Sync('argon2id', parameters)
    assert.notEqual(stretched.toString('base64'), anna.pin.hash)
    assert.equal(caller.module.open.domain.pinMac(stretched).toString('base64'), anna.pin.hash)
  })
})

suite('logging in', () => {
  test('a PIN is good in the next epoch, and wrong ones count on', async () => {
    const { caller } = await withPins()
    assert.equal(await logIn(caller, 'anna', 'wrong horse 1'), 'LOGIN_FAILED')
    await caller.ok({
      command: 'beginEpoch',
      arguments: { seal: 'key-file' },
      parts: { secret: caller.sealed('beginEpoch', 'key-file', Buffer.alloc(32, 8)) },
    })
    await caller.ok({ command: 'commitEpoch' })
    assert.equal(caller.module.open.domain.epoch, 2)
    assert.equal(await logIn(caller, 'ben'), undefined)
    for (let failures = 1; failures < officerFailuresMax; failures += 1) {
      assert.equal(await logIn(caller, 'anna', 'wrong horse 1'), 'LOGIN_FAILED')
    }
    assert.equal(await logIn(caller, 'anna'), 'LOGIN_LOCKED')
  })

  test('one refusal for whatever was wrong', async () => {
    const { caller } = await withPins()
    const messages = new Set<string | undefined>()
    for (const [person, pin] of [
      ['anna', 'wrong horse 1'],
      ['nobody', right],
      ['otto', ''],
      ['otto2', 'x'.repeat(1_024)],
    ] as const) {
      const { error } = await caller.one(await withPin(caller, 'login', person, pin))
      assert.equal(error?.code, 'LOGIN_FAILED')
      messages.add(error?.message)
    }
    assert.equal(messages.size, 1)
  })

  test('what was sealed for an attempt is good for that one', async () => {
    const { caller } = await withPins()
    const ask = await withPin(caller, 'login', 'anna')
    await caller.ok(ask)
    await refusesAndRecords(caller, 'CHALLENGE_INVALID', ask)
    const wrong = await withPin(caller, 'login', 'anna', 'wrong horse 1')
    assert.equal(await caller.refusal(wrong), 'LOGIN_FAILED')
    assert.equal(await caller.refusal(wrong), 'CHALLENGE_INVALID')
  })

  test('the time between guesses doubles for whoever is no officer, known or not', async () => {
    let time = fixedMs
    const { caller } = await withPins({ clock: () => time * 1_000 })
    for (const person of ['otto', 'nobody']) {
      for (const seconds of [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]) {
        assert.equal(await logIn(caller, person, 'wrong horse 1'), 'LOGIN_FAILED')
        time += seconds * 1_000 - 1
        assert.equal(await logIn(caller, person), 'LOGIN_LOCKED')
        time += 1
      }
    }
    assert.equal(await logIn(caller, 'otto'), undefined)
    // All is forgotten then.
    assert.equal(await logIn(caller, 'otto', 'wrong horse 1'), 'LOGIN_FAILED')
    time += 2_000
    assert.equal(await logIn(caller, 'otto'), undefined)
  })

  test('an officer is locked out after five, also over a restart, until officers let him in', async () => {
    const { caller, anna, ben } = await withPins({ clock: fixedClock })
    for (let failures = 1; failures < officerFailuresMax; failures += 1) {
      assert.equal(await logIn(caller, 'anna', 'wrong horse 1'), 'LOGIN_FAILED')
    }
    // One that is right sets it back.
    assert.equal(await logIn(caller, 'anna'), undefined)
    for (let failures = 0; failures < officerFailuresMax; failures += 1) {
      assert.equal(await logIn(caller, 'anna', 'wrong horse 1'), 'LOGIN_FAILED')
    }
    assert.equal(await logIn(caller, 'anna'), 'LOGIN_LOCKED')
    const next = await restarted(caller, { pinCost })
    assert.equal(await logIn(next, 'anna'), 'LOGIN_LOCKED')
    assert.equal(await logIn(next, 'ben'), undefined)
    const reset = { command: 'resetLogin', arguments: { person: 'anna' } }
    await refusesAndRecords(next, 'APPROVALS_MISSING', reset)
    await refusesAndRecords(next, 'APPROVALS_MISSING', await approvedBy(next, reset, anna))
    await next.ok(await approvedBy(next, reset, anna, ben))
    assert.equal(await logIn(next, 'anna'), undefined)
  })

  test('guesses that came at once do not count less', async () => {
    const { caller } = await withPins()
    const asks = await Promise.all(
      Array.from({ length: 8 }, () => withPin(caller, 'login', 'anna', 'wrong horse 1')),
    )
    const codes = await Promise.all(asks.map((ask) => caller.refusal(ask)))
    assert.deepEqual(codes, [
      ...Array.from({ length: officerFailuresMax }, () => 'LOGIN_FAILED'),
      ...Array.from({ length: 3 }, () => 'LOGIN_LOCKED'),
    ])
  })

  test('a line of guesses is bounded', async () => {
    const { caller } = await withPins()
    const asks = await Promise.all(
      Array.from({ length: 12 }, (_, index) => withPin(caller, 'login', `nobody ${index}`)),
    )
    const codes = await Promise.all(asks.map((ask) => caller.refusal(ask)))
    assert.equal(codes.filter((code) => code === 'LOGIN_FAILED').length, 9)
    assert.equal(codes.filter((code) => code === 'MODULE_BUSY').length, 3)
  })

  test("whoever lacks an officer's key cannot keep him out", async () => {
    const { caller, anna, ben } = await withPins()
    for (let failures = 0; failures < officerFailuresMax; failures += 1) {
      await logIn(caller, 'anna', 'wrong horse 1')
    }
    const ask = await withPin(caller, 'login', 'anna')
    assert.equal(await caller.refusal(await approvedBy(caller, ask, ben)), 'LOGIN_LOCKED')
    const signed = await approvedBy(caller, await withPin(caller, 'login', 'anna'), anna)
    await caller.ok(signed)
    assert.equal(await logIn(caller, 'anna'), 'LOGIN_LOCKED')
    for (let failures = 0; failures < officerFailuresMax; failures += 1) {
      const wrong = await withPin(caller, 'login', 'anna', 'wrong horse 1')
      const own = await approvedBy(caller, wrong, anna)
      assert.equal(await caller.refusal(own), 'LOGIN_FAILED')
    }
    const own = await approvedBy(caller, await withPin(caller, 'login', 'anna'), anna)
    assert.equal(await caller.refusal(own), 'LOGIN_LOCKED')
  })

  test('a guess that ends while an epoch is taken up has no answer: it would not be counted', async () => {
    const slow = { memoryKib: 32 * 1024, passes: 16, lanes: 1 }
    const { caller } = await peopled({}, { pinCost: slow })
    const guess = caller.refusal(await withPin(caller, 'login', 'anna'))
    await caller.ok({
      command: 'beginEpoch',
      arguments: { seal: 'key-file' },
      parts: { secret: caller.sealed('beginEpoch', 'key-file', Buffer.alloc(32, 8)) },
    })
    assert.equal(await guess, 'MODULE_BUSY')
    await caller.ok({ command: 'abortEpoch' })
    assert.equal(await logIn(caller, 'anna'), 'LOGIN_FAILED')
  })

  test('many failures within an hour stop the module', async () => {
    const { caller } = await withPins()
    for (let count = 1; count < failuresPerHourMax; count += 1) {
      assert.equal(await logIn(caller, `nobody ${count}`), 'LOGIN_FAILED')
    }
    assert.equal(caller.module.state, 'operational')
    assert.equal(await logIn(caller, 'nobody'), 'LOGIN_FAILED')
    assert.match(caller.module.reason, /^logins-failed: 100 within an hour$/)
  })

  test('so many, within the time, and not before', () => {
    const burst = new Burst(3, 1_000)
    const told = [0, 999, 1_000, 1_500, 1_501, 1_502, 5_000].map((now) => burst.add(now))
    assert.deepEqual(told, [false, false, false, true, false, false, false])
  })
})

suite('at security level 4', () => {
  const atLevel = (caller: Caller, level: SecurityLevel) => {
    const { ledger } = caller.module.open
    const state = { ...ledger.domainState, level }
    ledger.putDomainState({ ...ledger.signedDomainState, statement: JSON.stringify(state) })
  }
  const destroy = (): Ask => ({
    command: 'destroyKey',
    arguments: { key: newKeyId(), version: 1 },
  })

  test('an officer counts while he is logged in', async () => {
    let time = fixedMs
    const { caller, anna, ben } = await withPins({ clock: () => time * 1_000 })
    atLevel(caller, 3)
    await caller.ok(await approvedBy(caller, destroy(), anna, ben))
    atLevel(caller, 4)
    const ask = await approvedBy(caller, destroy(), anna, ben)
    await refusesAndRecords(caller, 'APPROVALS_MISSING', ask)
    assert.equal(await logIn(caller, 'anna'), undefined)
    await refusesAndRecords(caller, 'APPROVALS_MISSING', ask)
    assert.equal(await logIn(caller, 'ben'), undefined)
    await caller.ok(ask)
    time += sessionMs - 1
    await caller.ok(await approvedBy(caller, destroy(), anna, ben))
    time += 1
    await refusesAndRecords(
      caller,
      'APPROVALS_MISSING',
      await approvedBy(caller, destroy(), anna, ben),
    )
  })

  test('also to acknowledge a tamper signal; a restart ends all sessions', async () => {
    const { caller, anna, ben } = await withPins({ clock: fixedClock })
    const people = [anna, ben].map(({ asked }) => asked)
    const rules = { officers: twoOfficers, destroy: twoOfficers, tamper: twoOfficers }
    const change = { command: 'changeDomain', arguments: { change: { people, rules } } }
    await caller.ok(await approvedBy(caller, change, anna, ben))
    atLevel(caller, 4)
    caller.module.tamper.signal('wall-hit', 'by hand')
    const acknowledge = { command: 'acknowledgeTamper' }
    await refusesAndRecords(
      caller,
      'APPROVALS_MISSING',
      await approvedBy(caller, acknowledge, anna, ben),
    )
    assert.equal(await logIn(caller, 'anna'), undefined)
    assert.equal(await logIn(caller, 'ben'), undefined)
    await caller.ok(await approvedBy(caller, acknowledge, anna, ben))
    const next = await restarted(caller, { pinCost })
    atLevel(next, 4)
    await refusesAndRecords(next, 'APPROVALS_MISSING', await approvedBy(next, destroy(), anna, ben))
  })
})
