/** Versions of the domain state: each follows from the one before, and none is weaker without saying so. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  approved,
  enrol,
  newSigner,
  peopled,
  refusesAndRecords,
  twoOfficers,
} from './approvals.testing.ts'
import { encodeCustodianPublicKey } from './contract/custodian-key.ts'
import type { DomainChangeAsked } from './contract/domain-commands.ts'
import {
  type Custodians,
  type DomainState,
  openSignedDomainState,
  peopleMax,
  type Rule,
  ruleNames,
  type SecurityLevel,
  type SignedDomainState,
} from './contract/domain-state.ts'
import { XWingPrivateKey } from './contract/x-wing.ts'
import { Domain } from './domain.ts'
import { foundDomainState } from './domain-state.ts'
import { type Ask, Caller, type CallerOptions, decodeAnswer, encodeAsks } from './door.testing.ts'
import { levelProfiles } from './levels.ts'
import { fixedClock, restarted, stagedAgain } from './restart.testing.ts'

const changing = (change: unknown): Ask => ({ command: 'changeDomain', arguments: { change } })

async function stateOf(caller: Caller): Promise<{ state: DomainState; hash: string }> {
  const { result, parts } = await caller.ok({ command: 'getDomainState' })
  const signed = JSON.parse(String(Buffer.from(parts.state ?? []))) as SignedDomainState
  const state = openSignedDomainState(signed)
  assert(state, 'it is signed by a member')
  return { state, hash: String(result.hash) }
}

const people = ['anna', 'ben', 'carl'].map((name) => newSigner(name).asked)

suite('versions', () => {
  test('each names the one before it, is signed, and is in force at once and after a restart', async () => {
    const caller = await Caller.founded({ clock: fixedClock })
    let before = await stateOf(caller)
    assert.deepEqual([before.state.version, before.state.predecessor], [1, '0'.repeat(64)])
    const changes: readonly DomainChangeAsked[] = [
      { people },
      { tamper: { 'chassis-opened': 2 } },
      { rules: { officers: twoOfficers } },
    ]
    for (const change of changes) {
      await enrol(caller, change)
      const { state, hash } = await stateOf(caller)
      assert.equal(state.version, before.state.version + 1)
      assert.equal(state.predecessor, before.hash)
      assert.equal(state.maker, state.members[0]?.module)
      before = { state, hash }
    }
    assert.deepEqual(await stateOf(await restarted(caller)), before)
  })

  test('what a change does not name stays', async () => {
    const caller = await Caller.founded()
    await enrol(caller, { people, rules: { officers: twoOfficers } })
    const { state: before } = await stateOf(caller)
    await enrol(caller, { tamper: { 'voltage-outside': 2 } })
    const { state: after } = await stateOf(caller)
    const { version: _v, predecessor: _p, time: _t, tamper, ...rest } = after
    assert.partialDeepStrictEqual(before, rest)
    assert.deepEqual(tamper, { 'voltage-outside': 2 })
  })

  test('what is not of its form', async () => {
    const caller = await Caller.founded()
    const [anna, ben] = people
    assert(anna && ben)
    const crowd = Array.from({ length: peopleMax + 1 }, (_, index) => newSigner(`p${index}`).asked)
    const point = Buffer.from(
      newSigner('x', { kind: 'p-256' }).asked.credential.publicKey,
      'base64',
    )
    point.writeUInt8((point.at(-1) ?? 0) ^ 1, point.length - 1)
    const offCurve = { kind: 'p-256', publicKey: point.toString('base64') }
    const wrongKind = { ...anna.credential, kind: 'p-256' }
    const otherEncoding = { kind: 'ed25519', publicKey: `${anna.credential.publicKey}=` }
    const rule = (more: object) => ({ rules: { officers: { ...twoOfficers, ...more } } })
    for (const change of [
      {},
      5,
      { epoch: 2 },
      { custodians: null },
      { members: [] },
      { level: 0 },
      { level: 5 },
      { people: [anna, { ...ben, name: 'anna' }] },
      { people: [anna, { ...anna, name: 'ben' }] },
      { people: crowd },
      { people: [{ ...anna, pin: null }] },
      { people: [{ ...anna, roles: [] }] },
      { people: [{ ...anna, roles: ['boss'] }] },
      { people: [{ ...anna, roles: ['officer', 'officer'] }] },
      ...['', ' anna', 'a'.repeat(65), 'an\nna', 'anna\u202e', 'anna.'].map((name) => ({
        people: [{ ...anna, name }],
      })),
      { people: [{ ...anna, credential: wrongKind }] },
      { people: [{ ...anna, credential: offCurve }] },
      { people: [{ ...anna, credential: otherEncoding }] },
      { people: [{ ...anna, credential: { ...anna.credential, relyingParty: 'a' } }] },
      { rules: { unknown: twoOfficers } },
      rule({ approvals: 0 }),
      rule({ approvals: 17 }),
      rule({ roles: [] }),
      rule({ roles: ['boss'] }),
      rule({ excludeRequester: 1 }),
      rule({ more: 1 }),
      { tamper: { 'no-signal': 1 } },
      { tamper: { 'chassis-opened': 3 } },
      { tamper: { 'clock-back': 2 } },
    ]) {
      await refusesAndRecords(caller, 'ARGUMENT_INVALID', changing(change))
    }
  })
})

suite('no policy becomes weaker unasked', () => {
  const officers: Rule = { approvals: 2, roles: ['officer', 'operator'], excludeRequester: true }
  const founded = async () => {
    const caller = await Caller.founded()
    await enrol(caller, {
      people,
      rules: { officers, export: officers },
      tamper: { 'chassis-opened': 2 },
    })
    return caller
  }
  const changes: Readonly<Record<string, (rule: Rule) => object>> = {
    'fewer approvals': (rule) => ({ ...rule, approvals: 1 }),
    'more roles': (rule) => ({ ...rule, roles: [...rule.roles, 'auditor'] }),
    'the requester counts': (rule) => ({ ...rule, excludeRequester: false }),
  }
  for (const [name, change] of Object.entries(changes)) {
    test(name, async () => {
      const caller = await founded()
      const ask = changing({ rules: { officers, export: change(officers) } })
      await refusesAndRecords(caller, 'RULES_NOT_MET', ask)
    })
  }

  test('a rule that is left out', async () => {
    await refusesAndRecords(await founded(), 'RULES_NOT_MET', changing({ rules: { officers } }))
  })

  test('a response that is left out, or that only stops', async () => {
    for (const tamper of [{}, { 'chassis-opened': 1 }, { 'voltage-outside': 2 }]) {
      await refusesAndRecords(await founded(), 'RULES_NOT_MET', changing({ tamper }))
    }
  })

  test('stronger is permitted', async () => {
    const caller = await founded()
    const three = { ...officers, roles: ['officer'] }
    const rules = { officers: three, export: three, destroy: three }
    await caller.ok(changing({ rules }))
    const tamper = { 'chassis-opened': 2, 'voltage-outside': 2 }
    await caller.ok(changing({ tamper }))
  })
})

suite('rules that can be met, and not got around', () => {
  test('people enough, one more where the requester does not count', async () => {
    const caller = await Caller.founded()
    const three = (more: object) => ({ officers: { ...twoOfficers, approvals: 3, ...more } })
    const [anna, ben, carl] = people
    for (const change of [
      { rules: { officers: twoOfficers } },
      { people: people.slice(1), rules: three({}) },
      { people, rules: three({ excludeRequester: true }) },
      { people, rules: three({ roles: ['operator'] }) },
      { people: [anna, ben, { ...carl, roles: ['auditor'] }], rules: three({}) },
    ]) {
      await refusesAndRecords(caller, 'RULES_NOT_MET', changing(change))
    }
    await caller.ok(changing({ people, rules: three({}) }))
    assert.equal((await stateOf(caller)).state.version, 2)
  })

  test('nobody leaves whom a rule needs', async () => {
    const { caller, anna, ben } = await peopled()
    const ask = changing({ people: [anna.asked] })
    await refusesAndRecords(caller, 'RULES_NOT_MET', await approved(caller, ask, anna, ben))
    await caller.ok(
      await approved(caller, changing({ people: [anna.asked, ben.asked] }), anna, ben),
    )
  })

  test('the rule officers is as strong as any other: whoever names the people can be all of them', async () => {
    const caller = await Caller.founded()
    const one = { ...twoOfficers, approvals: 1 }
    const excluded = { ...twoOfficers, excludeRequester: true }
    for (const rules of [
      { export: twoOfficers },
      { officers: one, export: twoOfficers },
      { officers: twoOfficers, export: excluded },
    ]) {
      await refusesAndRecords(caller, 'RULES_NOT_MET', changing({ people, rules }))
    }
    await caller.ok(changing({ people, rules: { officers: excluded, export: one } }))
  })
})

suite('security levels', () => {
  const custodians = (threshold: number): Custodians => ({
    ...{ shareSet: '00'.repeat(16), threshold, names: ['a', 'b', 'c'] },
  })
  const founding = (level: SecurityLevel, approvals: number) => ({
    level,
    people: people.map((person) => ({ ...person, pin: null })),
    rules: Object.fromEntries(ruleNames.map((name) => [name, { ...twoOfficers, approvals }])),
    tamper: {},
  })
  const found = (
    { development = false, threshold = 0 },
    asked: Parameters<typeof foundDomainState>[1],
  ) => {
    using domain = Domain.found({ development })
    const circumstances = { custodians: threshold > 0 ? custodians(threshold) : null, time: 1 }
    return foundDomainState(domain, asked, circumstances)
  }
  const refusedBy = { name: 'HsmError', code: 'LEVEL_NOT_PERMITTED' }

  for (const level of [2, 3, 4] as const) {
    const { quorumMin, custodiansMin } = levelProfiles[level]
    test(`level ${level}: ${quorumMin} approvals for each rule, ${custodiansMin} custodians`, () => {
      const right = founding(level, quorumMin)
      const threshold = custodiansMin
      found({ threshold }, right)
      if (quorumMin > 1) assert.throws(() => found({ threshold }, founding(level, 1)), refusedBy)
      for (const name of ruleNames.filter((rule) => rule !== 'officers')) {
        const { [name]: _, ...rules } = right.rules
        assert.throws(() => found({ threshold }, { ...right, rules }), refusedBy, name)
      }
      assert.throws(() => found({ threshold }, { ...right, rules: {} }), refusedBy)
      if (threshold > 0) assert.throws(() => found({ threshold: 0 }, right), refusedBy)
      assert.throws(() => found({ threshold, development: true }, right), refusedBy)
      const responses = Object.entries(levelProfiles[level].tamper)
      for (const [signal] of responses.filter(([, response]) => response > 1)) {
        const tamper = { [signal]: 1 } as const
        assert.throws(() => found({ threshold }, { ...right, tamper }), refusedBy, signal)
      }
    })
  }

  test('a development domain stays at level 1', async () => {
    const caller = await Caller.founded()
    const ask = changing({ people, level: 2, rules: allRules })
    await refusesAndRecords(caller, 'LEVEL_NOT_PERMITTED', ask)
  })

  const allRules = Object.fromEntries(ruleNames.map((name) => [name, twoOfficers]))
  // It stands still, as after a restart, within the time of approvals that are made meanwhile.
  const soonMicros = (Date.now() + 30_000) * 1_000
  const clock = () => soonMicros
  /** At level 1, with a seal that no other level permits. */
  const foundedBelow = async (options: CallerOptions = {}, more: object = {}) => {
    const caller = new Caller({ clock, ...options })
    const secret = caller.sealed('found', 'key-file', Buffer.alloc(32, 7))
    const args = { development: false, seal: 'key-file', ...more }
    await caller.ok({ command: 'found', arguments: args, parts: { secret } })
    return caller
  }

  test('no domain goes up to where nothing that it has would open it, and none goes down unasked', async () => {
    const own = await foundedBelow()
    await refusesAndRecords(own, 'LEVEL_NOT_PERMITTED', changing({ level: 2 }))
    const signers = [newSigner('anna'), newSigner('ben')]
    const asked = signers.map(({ asked }) => asked)
    const up = changing({ people: asked, level: 2, rules: allRules })
    const { error } = await own.one(up)
    assert.deepEqual(error, {
      code: 'LEVEL_NOT_PERMITTED',
      message:
        'security level 2 asks for a seal by passphrase or tpm or shares, in this epoch; there is key-file',
    })
    await refusesAndRecords(own, 'LEVEL_NOT_PERMITTED', up)
    const phrase = Buffer.from('correct horse battery staple')
    const { seal } = (
      await own.ok({
        command: 'addSeal',
        arguments: { seal: 'passphrase' },
        parts: { secret: own.sealed('addSeal', 'passphrase', phrase) },
      })
    ).parts
    assert(seal)
    await own.ok(up)
    assert.equal(own.module.level, 2)
    const { caller, unlock } = await stagedAgain(own, { clock })
    await assert.rejects(unlock, { code: 'LEVEL_NOT_PERMITTED' })
    const secret = caller.sealed('unlock', 'passphrase', phrase)
    const args = { seal: 'passphrase' }
    await caller.ok({ command: 'unlock', arguments: args, parts: { seal, secret } })
    assert.equal(caller.module.level, 2)
    await refusesAndRecords(own, 'APPROVALS_MISSING', changing({ level: 1 }))
    const lower = await approved(own, changing({ level: 1 }), ...signers)
    await refusesAndRecords(own, 'RULES_NOT_MET', lower)
  })

  test('no domain goes up to where its module may not work', async () => {
    const standing = { sourceManifest: 'ab'.repeat(32), hasHardwareEntropy: () => true }
    const keepers = ['ada', 'ben'].map((name, index) => {
      const { publicKey } = new XWingPrivateKey(Buffer.alloc(32, index))
      return { name, kind: 'key', publicKey: encodeCustodianPublicKey(publicKey) }
    })
    const custodians = { threshold: 2, people: keepers }
    const up = changing({ people, level: 3, rules: allRules })
    const refused = async (options: CallerOptions) =>
      refusesAndRecords(await foundedBelow(options, { custodians }), 'LEVEL_NOT_PERMITTED', up)
    await refused({ ...standing, sourceManifest: 'unverified' })
    await refused({ ...standing, hasHardwareEntropy: () => false })
    const own = await foundedBelow(standing, { custodians })
    await own.ok(up)
    assert.equal(own.module.level, 3)
  })

  test('no domain goes up while a seal is at work, which asked for the level before', async () => {
    const own = await foundedBelow()
    const secret = own.sealed('addSeal', 'passphrase', Buffer.from('correct horse battery staple'))
    const asks = [
      { command: 'addSeal', arguments: { seal: 'passphrase' }, parts: { secret } },
      changing({ people, level: 2, rules: allRules }),
    ]
    const frames = await Promise.all(
      asks.map((ask, index) => own.sendFrame(index + 1_000, encodeAsks(index + 1_000, [ask]))),
    )
    const codes = frames.map((frame) => decodeAnswer(frame).items[0]?.error?.code)
    assert.deepEqual(codes, [undefined, 'MODULE_BUSY'])
  })
})
