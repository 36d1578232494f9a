/** Challenges and versions bind approvals to one command at one moment: nothing that was signed works twice. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  approved,
  newSigner,
  peopled,
  refusesAndRecords,
  signedAsk,
  termsFor,
  twoOfficers,
} from './approvals.testing.ts'
import { generate } from './commands.testing.ts'
import { approvalMsMax } from './contract/approval.ts'
import { type Ask, newKeyId, p256, template } from './door.testing.ts'

const rules = { destroy: twoOfficers, export: twoOfficers, unlock: twoOfficers }
const destroy = (): Ask => ({
  command: 'destroyKey',
  arguments: { key: newKeyId(), version: 1 },
})

suite('once', () => {
  test('a challenge that was used is used, also for another approval of the same', async () => {
    const { caller, anna, ben } = await peopled(rules)
    const ask = destroy()
    const terms = await termsFor(caller, 'destroyKey')
    const signed = await signedAsk(caller, ask, terms, [anna, ben])
    await caller.ok(signed)
    await refusesAndRecords(caller, 'CHALLENGE_INVALID', signed)
    await refusesAndRecords(
      caller,
      'CHALLENGE_INVALID',
      await signedAsk(caller, destroy(), terms, [anna, ben]),
    )
  })

  test('twice in one frame is once', async () => {
    const { caller, anna, ben } = await peopled(rules)
    const signed = await approved(caller, destroy(), anna, ben)
    const { items } = await caller.ask(signed, signed)
    assert.deepEqual(
      items.map(({ error }) => error?.code),
      [undefined, 'CHALLENGE_INVALID'],
    )
  })

  test('a command that failed gives its challenge back, at once or later', async () => {
    const { caller, anna, ben } = await peopled(rules)
    const wrong: Ask = {
      command: 'addSeal',
      arguments: { seal: 'passphrase' },
      parts: { secret: caller.sealed('addSeal', 'passphrase', Buffer.from('short')) },
    }
    const failing = await approved(caller, wrong, anna, ben)
    // The second time it is the seal again that is refused, not the challenge.
    await refusesAndRecords(caller, 'ARGUMENT_INVALID', failing)
    await refusesAndRecords(caller, 'ARGUMENT_INVALID', failing)
    const wrapping = await generate(caller, template('AES-256', ['AES-256-KWP'], ['wrap']))
    const target = await generate(caller, p256)
    const ask = {
      command: 'wrapKey',
      arguments: { ...wrapping.reference, target: target.reference },
    }
    const notExportable = await approved(caller, ask, anna, ben)
    await refusesAndRecords(caller, 'KEY_NOT_EXPORTABLE', notExportable)
    await refusesAndRecords(caller, 'KEY_NOT_EXPORTABLE', notExportable)
  })

  test('a challenge is for one command, of one module, for seven days', async () => {
    let time = Date.now()
    const { caller, anna, ben } = await peopled(rules, { clock: () => time * 1_000 })
    const other = await peopled(rules)
    const ask = destroy()
    const terms = await termsFor(caller, 'destroyKey')
    const foreign = await termsFor(other.caller, 'destroyKey')
    const { challenge } = foreign
    await refusesAndRecords(
      caller,
      'CHALLENGE_INVALID',
      await signedAsk(caller, ask, { ...terms, challenge }, [anna, ben]),
    )
    const unload = await termsFor(caller, 'unloadKey')
    await refusesAndRecords(
      caller,
      'CHALLENGE_INVALID',
      await signedAsk(caller, ask, unload, [anna, ben]),
    )
    time += approvalMsMax - 1_000
    const late = { ...terms, notBefore: time - 1_000, expires: time + 10_000 }
    const signed = await signedAsk(caller, ask, late, [anna, ben])
    time += 2_000
    await refusesAndRecords(caller, 'CHALLENGE_INVALID', signed)
  })

  test('the oldest of many challenges makes room', async () => {
    const { caller, anna, ben } = await peopled(rules)
    const ask = destroy()
    const first = await signedAsk(caller, ask, await termsFor(caller, 'destroyKey'), [anna, ben])
    const challenges: Ask[] = Array.from({ length: 256 }, () => ({
      command: 'getChallenge',
      arguments: { command: 'destroyKey' },
    }))
    for (let count = 0; count < 1_024; count += 256) await caller.ask(...challenges)
    await refusesAndRecords(caller, 'CHALLENGE_INVALID', first)
    await caller.ok(await approved(caller, ask, anna, ben))
  })

  test('a change of the domain is bound by the version before it', async () => {
    const { caller, anna, ben, carl } = await peopled()
    const people = [anna, ben, carl, newSigner('dora')].map(({ asked }) => asked)
    const ask = { command: 'changeDomain', arguments: { change: { people } } }
    const older = await termsFor(caller, 'changeDomain')
    for (const wrong of [
      { ...older, predecessor: 'ab'.repeat(32) },
      { ...older, predecessor: '' },
      { ...(await termsFor(caller, 'getStatus')), requester: 'ben' },
    ]) {
      await refusesAndRecords(
        caller,
        'APPROVAL_INVALID',
        await signedAsk(caller, ask, wrong, [anna, ben]),
      )
    }
    // Where the version binds it, any module of the domain may do it.
    const signed = await signedAsk(caller, ask, { ...older, module: 'any' }, [anna, ben])
    await caller.ok(signed)
    await refusesAndRecords(caller, 'APPROVAL_INVALID', signed)
  })
})
