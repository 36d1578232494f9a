/**
 * Approvals through the door of a module: who has to sign, what they sign, and that whatever is not
 * exactly that is refused with its code, changes nothing and is a leaf.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import {
  approved,
  enrol,
  newSigner,
  peopled,
  refusesAndRecords,
  signedAsk,
  statementBytes,
  termsFor,
  twoOfficers,
  withPart,
} from './approvals.testing.ts'
import { generate } from './commands.testing.ts'
import { type ApprovalTerms, approvalMsMax } from './contract/approval.ts'
import type { HsmErrorCode } from './contract/errors.ts'
import { type Ask, Caller, newKeyId, template } from './door.testing.ts'

const rules = { destroy: twoOfficers, export: twoOfficers, unlock: twoOfficers }
const destroy = (key = newKeyId()): Ask => ({
  command: 'destroyKey',
  arguments: { key, version: 1 },
})

const outcomeOf = async (caller: Caller, ask: Ask) => (await caller.one(ask)).error?.code

suite('how many sign', () => {
  test('as many as the rule wants, and not one less', async () => {
    const { caller, anna, ben, carl } = await peopled(rules)
    await refusesAndRecords(caller, 'APPROVALS_MISSING', destroy())
    await refusesAndRecords(caller, 'APPROVALS_MISSING', await approved(caller, destroy(), anna))
    await caller.ok(await approved(caller, destroy(), anna, ben))
    await caller.ok(await approved(caller, destroy(), carl, ben, anna))
  })

  test('people of every kind of key, who sign by openssl and node:crypto', async () => {
    const caller = await Caller.founded()
    const signers = [
      newSigner('anna', { by: 'openssl' }),
      newSigner('ben', { kind: 'p-256', by: 'openssl' }),
      newSigner('carl', { kind: 'ml-dsa-65' }),
    ]
    const three = { ...twoOfficers, approvals: 3 }
    const people = signers.map(({ asked }) => asked)
    await enrol(caller, { people, rules: { officers: three, destroy: three } })
    await caller.ok(await approved(caller, destroy(), ...signers))
    await refusesAndRecords(
      caller,
      'APPROVALS_MISSING',
      await approved(caller, destroy(), ...signers.slice(1)),
    )
  })

  test('a destruction that was approved can be asked for again without', async () => {
    const { caller, anna, ben } = await peopled(rules)
    const ask = destroy()
    await caller.ok(await approved(caller, ask, anna, ben))
    const { changes } = await caller.ask(ask)
    assert.equal(changes.length, 0)
    await caller.ok(ask)
  })

  test('one person once, and nobody who is not of the domain', async () => {
    const { caller, anna, ben } = await peopled(rules)
    await refusesAndRecords(
      caller,
      'APPROVAL_INVALID',
      await approved(caller, destroy(), anna, anna),
    )
    const stranger = newSigner('eve')
    await refusesAndRecords(
      caller,
      'APPROVAL_INVALID',
      await approved(caller, destroy(), anna, stranger),
    )
    const sameName = newSigner('ben')
    await refusesAndRecords(
      caller,
      'APPROVAL_INVALID',
      await approved(caller, destroy(), anna, sameName),
    )
    // Whoever is wrong spoils the set, although the others would be enough.
    await refusesAndRecords(
      caller,
      'APPROVAL_INVALID',
      await approved(caller, destroy(), anna, ben, stranger),
    )
  })

  test('a role that the rule does not name does not count', async () => {
    const caller = await Caller.founded()
    const anna = newSigner('anna')
    const ben = newSigner('ben')
    const otto = newSigner('otto', { roles: ['operator', 'auditor'] })
    const people = [anna, ben, otto].map(({ asked }) => asked)
    await enrol(caller, { people, rules: { officers: twoOfficers, destroy: twoOfficers } })
    await refusesAndRecords(
      caller,
      'APPROVALS_MISSING',
      await approved(caller, destroy(), anna, otto),
    )
    await caller.ok(await approved(caller, destroy(), anna, otto, ben))
  })

  test('whoever asks does not count where the rule says so, but has to sign', async () => {
    const excluded = { ...twoOfficers, excludeRequester: true }
    const { caller, anna, ben, carl } = await peopled({ officers: excluded, destroy: excluded })
    await refusesAndRecords(
      caller,
      'APPROVALS_MISSING',
      await approved(caller, destroy(), anna, ben),
    )
    await refusesAndRecords(
      caller,
      'APPROVALS_MISSING',
      await approved(caller, destroy(), ben, carl),
    )
    await caller.ok(await approved(caller, destroy(), anna, ben, carl))
  })

  test('a command under no rule takes approvals that are right, and no others', async () => {
    const { caller, anna } = await peopled()
    const ask = { command: 'random', arguments: { lengthBytes: 4 } }
    const once = await approved(caller, ask, anna)
    await caller.ok(once)
    await refusesAndRecords(caller, 'CHALLENGE_INVALID', once)
    await caller.ok(ask)
  })

  test('before there is a domain nobody approves', async () => {
    const caller = new Caller()
    const ask = withPart({ command: 'getStatus' }, {})
    assert.equal(await outcomeOf(caller, ask), 'ARGUMENT_INVALID')
  })
})

suite('what they sign', () => {
  test('other arguments: each of them, and each part', async () => {
    const { caller, anna, ben } = await peopled(rules)
    const ask: Ask = {
      command: 'destroyKey',
      arguments: { key: newKeyId(), version: 1 },
    }
    const { parts = {} } = await approved(caller, ask, anna, ben)
    for (const change of [{ key: newKeyId() }, { version: 2 }]) {
      const other = { ...ask, arguments: { ...(ask.arguments as object), ...change }, parts }
      await refusesAndRecords(caller, 'APPROVAL_INVALID', other)
    }
    await caller.ok({ ...ask, parts })

    const seal: Ask = {
      command: 'addSeal',
      arguments: { seal: 'key-file' },
      parts: { secret: caller.sealed('addSeal', 'key-file', Buffer.alloc(32, 1)) },
    }
    const signed = await approved(caller, seal, anna, ben)
    const secret = caller.sealed('addSeal', 'key-file', Buffer.alloc(32, 2))
    await refusesAndRecords(caller, 'APPROVAL_INVALID', {
      ...signed,
      parts: { ...signed.parts, secret },
    })
    const kind = { ...signed, arguments: { seal: 'passphrase' } }
    await refusesAndRecords(caller, 'APPROVAL_INVALID', kind)
    await caller.ok(signed)
  })

  test('a wrapped key that comes along is no part of it: the arguments name the key', async () => {
    const { caller, anna, ben } = await peopled(rules)
    const wrapping = await generate(caller, template('AES-256', ['AES-256-KWP'], ['wrap']))
    const more = { exportable: true }
    const target = await generate(caller, template('AES-256', ['AES-256-GCM'], ['encrypt'], more))
    const ask = {
      command: 'wrapKey',
      arguments: { ...wrapping.reference, target: target.reference },
    }
    const { parts } = await approved(caller, ask, anna, ben)
    const { wrapped } = wrapping
    await caller.ok({ ...ask, parts: { ...parts, wrapped, targetWrapped: target.wrapped } })
  })

  test('another command', async () => {
    const { caller, anna, ben } = await peopled({ ...rules, tamper: twoOfficers })
    const { parts = {} } = await approved(caller, { command: 'zeroise', arguments: {} }, anna, ben)
    await refusesAndRecords(caller, 'CHALLENGE_INVALID', { ...destroy(), parts })
    const ask = destroy()
    const terms = await termsFor(caller, 'destroyKey')
    const other = await signedAsk(caller, { ...ask, command: 'unloadKey' }, terms, [anna, ben])
    await refusesAndRecords(caller, 'APPROVAL_INVALID', { ...ask, parts: other.parts ?? {} })
  })

  test('another module, another domain', async () => {
    const { caller, anna, ben } = await peopled(rules)
    const ask = destroy()
    const terms = await termsFor(caller, 'destroyKey')
    for (const module of ['0'.repeat(32), 'any']) {
      const signed = await signedAsk(caller, ask, { ...terms, module }, [anna, ben])
      await refusesAndRecords(caller, 'APPROVAL_INVALID', signed)
    }
    const statement = statementBytes('0'.repeat(32), ask, terms)
    const approvals = [anna, ben].map(({ approve }) => approve(statement))
    await refusesAndRecords(caller, 'APPROVAL_INVALID', withPart(ask, { ...terms, approvals }))
    await caller.ok(await signedAsk(caller, ask, terms, [anna, ben]))
  })

  const terms: Readonly<Record<string, readonly [Partial<ApprovalTerms>, HsmErrorCode]>> = {
    'no challenge': [{ challenge: '' }, 'CHALLENGE_INVALID'],
    'a challenge that nobody issued': [{ challenge: 'ab'.repeat(32) }, 'CHALLENGE_INVALID'],
    'a challenge and a version': [{ predecessor: 'ab'.repeat(32) }, 'APPROVAL_INVALID'],
    'not good yet': [
      { notBefore: Date.now() + 30_000, expires: Date.now() + 60_000 },
      'APPROVAL_INVALID',
    ],
    'not good any more': [
      { notBefore: Date.now() - 60_000, expires: Date.now() - 30_000 },
      'APPROVAL_INVALID',
    ],
    'good for too long': [{ expires: Date.now() + approvalMsMax + 60_000 }, 'APPROVAL_INVALID'],
    'ends before it begins': [{ expires: 1 }, 'APPROVAL_INVALID'],
  }
  for (const [name, [change, code]] of Object.entries(terms)) {
    test(name, async () => {
      const { caller, anna, ben } = await peopled(rules)
      const right = await termsFor(caller, 'destroyKey')
      const ask = destroy()
      await refusesAndRecords(
        caller,
        code,
        await signedAsk(caller, ask, { ...right, ...change }, [anna, ben]),
      )
      // Nothing of it was used up.
      await caller.ok(await signedAsk(caller, ask, right, [anna, ben]))
    })
  }

  test('terms that were changed after they were signed', async () => {
    const { caller, anna, ben } = await peopled(rules)
    const ask = destroy()
    const right = await termsFor(caller, 'destroyKey')
    const approvals = [anna, ben].map(({ approve }) =>
      approve(
        statementBytes(String(caller.module.open.domain.domainId.toString('hex')), ask, right),
      ),
    )
    for (const change of [
      { requester: 'ben' },
      { notBefore: right.notBefore - 1 },
      { expires: right.expires + 1 },
    ]) {
      await refusesAndRecords(
        caller,
        'APPROVAL_INVALID',
        withPart(ask, { ...right, ...change, approvals }),
      )
    }
    await caller.ok(withPart(ask, { ...right, approvals }))
  })

  test('invariant 6: one bit flipped anywhere in approvals', async () => {
    const { caller, anna, ben } = await peopled(rules)
    const ask = await approved(caller, destroy(), anna, ben)
    const { approvals } = ask.parts ?? {}
    assert(approvals)
    const flip = async (bit: number) => {
      const altered = Buffer.from(approvals)
      altered.writeUInt8((altered[bit >> 3] ?? 0) ^ (1 << (bit & 7)), bit >> 3)
      const code = await outcomeOf(caller, { ...ask, parts: { approvals: altered } })
      assert(
        code && /^(APPROVAL_|APPROVALS_|CHALLENGE_|ARGUMENT_)/.test(code),
        `bit ${bit}: ${code}`,
      )
    }
    const bits = fc.nat(approvals.length * 8 - 1)
    await fc.assert(fc.asyncProperty(bits, flip), {
      numRuns: process.env.KEYHOLD_LONG ? 20_000 : 1_000,
    })
    await caller.ok(ask)
  })
})

suite('the form of the part', () => {
  test('whatever is not of it is refused', async () => {
    const { caller, anna, ben } = await peopled(rules)
    const ask = destroy()
    const signed = await approved(caller, ask, anna, ben)
    const right = JSON.parse(String(signed.parts?.approvals)) as Record<string, unknown>
    const [one] = right.approvals as readonly Record<string, unknown>[]
    const changes: Record<string, unknown>[] = [
      ...Object.keys(right).map((name) => ({ [name]: undefined })),
      ...Object.keys(right).map((name) => ({ [name]: { a: 1 } })),
      { more: 1 },
      { module: 'ALL' },
      { challenge: 'AB'.repeat(32) },
      { predecessor: '00' },
      { requester: 'a\u0000b' },
      { notBefore: -1 },
      { notBefore: 1.5 },
      { expires: 9e15 },
      { approvals: [] },
      { approvals: Array.from({ length: 17 }, (_, index) => ({ ...one, person: `p${index}` })) },
      { approvals: [{ ...one, signature: 'not base64!' }] },
      { approvals: [{ ...one, signature: `${String(one?.signature)}=` }] },
      { approvals: [{ ...one, signature: '' }] },
      { approvals: [{ ...one, clientData: 'AAAA' }] },
      { approvals: [{ ...one, more: 1 }] },
    ]
    for (const change of changes) {
      await refusesAndRecords(caller, 'ARGUMENT_INVALID', withPart(ask, { ...right, ...change }))
    }
    for (const bytes of ['', '[]', 'null', '{', '\ufeff{}', `${' '.repeat(65_536)}{}`]) {
      const parts = { approvals: Buffer.from(bytes) }
      await refusesAndRecords(caller, 'ARGUMENT_INVALID', { ...ask, parts })
    }
    const passkey = { ...one, clientData: 'AAAA', authenticatorData: 'AAAA' }
    const notOfKey = { ...right, approvals: [passkey] }
    await refusesAndRecords(caller, 'APPROVAL_INVALID', withPart(ask, notOfKey))
    await caller.ok(signed)
  })
})
