/**
 * A policy that becomes weaker, through the door, with what a host keeps kept in memory: who has to sign,
 * what opens afterwards, over restarts too, and what the module certifies of it.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  approved,
  newSigner,
  peopled,
  refusesAndRecords,
  twoOfficers,
} from './approvals.testing.ts'
import { openDomainStatement } from './contract/attestation.ts'
import { verifyCertificate, weakeningFormat } from './contract/certificate.ts'
import { type DomainState, openSignedDomainState, type Rule } from './contract/domain-state.ts'
import { type Ask, p256 } from './door.testing.ts'
import { KeptModule, keySecret, type MadeKey, withKey } from './kept.testing.ts'

const sign = (made: MadeKey): Ask => withKey('sign', made, { data: Buffer.from('data') })
const changing = (change: object): Ask => ({ command: 'changeDomain', arguments: { change } })
const weaker = { tamper: {}, destroysKeys: true }
const people = ['anna', 'ben'].map((name) => newSigner(name).asked)

async function guarded(): Promise<KeptModule> {
  const kept = await KeptModule.founded()
  await kept.ok(changing({ people, tamper: { 'chassis-opened': 2 } }))
  return kept
}

async function stateOf(kept: KeptModule): Promise<DomainState> {
  const { state } = (await kept.ok({ command: 'getDomainState' })).parts
  const opened = openSignedDomainState(JSON.parse(String(Buffer.from(state ?? []))))
  assert(opened)
  return opened
}

suite('a policy that becomes weaker', () => {
  test('no key from before opens any more, over restarts too; new ones do', async () => {
    const first = await guarded()
    const [loaded, other] = [await first.generate(), await first.generate()]
    await first.ok({ command: 'unloadKey', arguments: other.reference })
    const { result } = await first.ok(changing(weaker))
    assert.deepEqual(result.destroyed, { epoch: 1, kek: 1 })
    assert.equal(first.caller.module.keys.size, 0)
    const fresh = await first.generate()
    const second = await first.restarted()
    for (const kept of [first, second, await second.restarted()]) {
      for (const made of [loaded, other]) {
        assert.equal(await kept.refusal(sign(made)), 'WRAPPED_KEY_OUTDATED')
        assert.equal(await kept.refusal(withKey('rewrapKey', made, {})), 'WRAPPED_KEY_OUTDATED')
      }
      await kept.ok(sign(fresh))
      const { weakening, tamper, version } = await stateOf(kept)
      assert.deepEqual(tamper, {})
      const policies = ['response to chassis-opened']
      assert.partialDeepStrictEqual(weakening, { version, policies, epoch: 1, kek: 1 })
      const status = (await kept.ok({ command: 'getStatus' })).result
      assert.partialDeepStrictEqual(status, { kek: 2, rewrapping: false, state: 'operational' })
    }
  })

  test('unsaid, it is refused, says what is destroyed and how to ask; nothing has changed', async () => {
    const kept = await guarded()
    const made = await kept.generate()
    const { error } = await kept.one(changing({ tamper: {} }))
    assert.equal(error?.code, 'RULES_NOT_MET')
    assert.match(error?.message ?? '', /"destroysKeys": true .* every key .* chassis-opened/)
    await refusesAndRecords(kept.caller, 'RULES_NOT_MET', changing({ tamper: {} }))
    const no = changing({ tamper: {}, destroysKeys: false })
    await refusesAndRecords(kept.caller, 'RULES_NOT_MET', no)
    const text = changing({ tamper: {}, destroysKeys: 'true' })
    await refusesAndRecords(kept.caller, 'ARGUMENT_INVALID', text)
    await refusesAndRecords(kept.caller, 'ARGUMENT_INVALID', changing({ destroysKeys: true }))
    await kept.ok(sign(made))
  })

  test('what is stronger or equal destroys nothing, also when that is asked for', async () => {
    const kept = await guarded()
    const made = await kept.generate()
    const stronger = { tamper: { 'chassis-opened': 2, 'voltage-outside': 2 } }
    for (const change of [stronger, { people }, { tamper: { 'chassis-opened': 2 } }]) {
      const ask = changing({ ...change, destroysKeys: true })
      assert.equal(await kept.refusal(ask), 'ARGUMENT_INVALID')
    }
    assert.equal((await kept.ok(changing(stronger))).result.destroyed, undefined)
    assert.equal((await stateOf(kept)).weakening, undefined)
    await (await kept.restarted()).ok(sign(made))
  })

  test('it waits for keys that are being re-wrapped', async () => {
    const kept = await guarded()
    await kept.ok({ command: 'rotateKek' })
    await refusesAndRecords(kept.caller, 'REWRAP_UNFINISHED', changing(weaker))
    await kept.ok({ command: 'retireKek' })
    assert.deepEqual((await kept.ok(changing(weaker))).result.destroyed, { epoch: 1, kek: 2 })
  })

  test('later changes keep in mind what was destroyed; another weakening takes its place', async () => {
    const kept = await guarded()
    await kept.ok(changing(weaker))
    const before = (await stateOf(kept)).weakening
    await kept.ok(changing({ tamper: { 'chassis-opened': 2 } }))
    assert.deepEqual((await stateOf(kept)).weakening, before)
    await kept.ok(changing(weaker))
    const after = (await stateOf(kept)).weakening
    assert.deepEqual([before?.kek, after?.kek, after?.version], [1, 2, 5])
  })

  test('counted uses go with their keys', async () => {
    const kept = await guarded()
    const made = await kept.generate({ ...p256, usesMax: 100 })
    await kept.ok(sign(made))
    const uses = ({ caller }: KeptModule) => caller.module.open.ledger.counterOf('uses ')
    assert(uses(kept))
    await kept.ok(changing(weaker))
    for (const one of [kept, await kept.restarted()]) assert.equal(uses(one), undefined)
  })
})

suite('beside what else goes on', () => {
  test('an answer under the new KEK never goes out before the KEK does', async () => {
    const kept = await guarded()
    const weakened = kept.one(changing(weaker))
    const made = await kept.generate()
    // As if the power went here: the change is there already.
    await (await kept.restarted()).ok(sign(made))
    await weakened
  })

  test('a change that comes behind it stands behind it', async () => {
    const kept = await guarded()
    const weakened = kept.one(changing(weaker))
    await kept.ok(changing({ tamper: { 'voltage-outside': 2 } }))
    await weakened
    for (const one of [kept, await kept.restarted()]) {
      assert.deepEqual((await stateOf(one)).tamper, { 'voltage-outside': 2 })
    }
  })

  test('what was begun with a key that is destroyed comes to nothing', async () => {
    const kept = await guarded()
    const template = { ...p256, type: 'RSA-2048', algorithms: ['RSASSA-PSS-SHA-256'] }
    const made = await kept.generate(template)
    const begun = kept.one(sign(made))
    await kept.ok(changing(weaker))
    assert.equal((await begun).error?.code, 'KEY_DESTROYED')
  })

  test('torn between the two changes, keys are gone and the policy is as it was', async () => {
    const kept = await guarded()
    const made = await kept.generate()
    await kept.ok(changing(weaker))
    const { changes, ...disk } = kept.disk
    const torn = await KeptModule.unlocked({ ...disk, changes: changes.slice(0, -1) })
    assert.equal(await torn.refusal(sign(made)), 'WRAPPED_KEY_OUTDATED')
    assert.deepEqual((await stateOf(torn)).tamper, { 'chassis-opened': 2 })
  })
})

suite('whose approvals it takes', () => {
  const two: Rule = { ...twoOfficers, roles: ['officer', 'operator'] }

  test('those of every rule as it was, over the statement that says what is destroyed', async () => {
    const { caller, anna, ben } = await peopled({ export: two, tamper: { ...two, approvals: 1 } })
    const change = { rules: { officers: twoOfficers } }
    const ask = changing({ ...change, destroysKeys: true })
    await refusesAndRecords(caller, 'APPROVALS_MISSING', ask)
    // The rule "rules" is not there, and would let anybody; the rules that go protect themselves.
    await refusesAndRecords(caller, 'APPROVALS_MISSING', await approved(caller, ask, anna))
    const unsaid = await approved(caller, changing(change), anna, ben)
    const swapped = { ...unsaid, arguments: ask.arguments }
    await refusesAndRecords(caller, 'APPROVAL_INVALID', swapped)
    await caller.ok(await approved(caller, ask, anna, ben))
    assert.deepEqual(Object.keys(caller.module.open.ledger.domainState.rules), ['officers'])
    assert.equal(caller.module.open.domain.development, true, 'invariant 10')
  })
})

test('the certificate says what still opens the copies of then, and is checked offline', async () => {
  const kept = await guarded()
  const made = await kept.generate()
  const backup = kept.disk
  const { certificate: file } = (await kept.ok(changing(weaker))).parts
  const { statement } = (await kept.ok({ command: 'getDomainStatement' })).parts
  assert(file && statement)
  const domain = openDomainStatement(statement)
  const certificate = verifyCertificate(file, domain)
  assert.partialDeepStrictEqual(certificate, {
    format: weakeningFormat,
    weakening: { version: 3, policies: ['response to chassis-opened'], epoch: 1, kek: 1 },
    notProvedDestroyed: { shares: null, seals: { 'key-file': 1 }, outside: ['unknown'] },
  })
  const again = (await (await kept.restarted()).ok({ command: 'getDomainState' })).parts
  assert.deepEqual(verifyCertificate(again.certificate ?? file, domain), certificate)
  for (const at of [10, file.length >> 1, file.length - 30]) {
    const changed = Buffer.from(file)
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
    assert.throws(() => verifyCertificate(changed, domain), { code: 'ATTESTATION_INVALID' })
  }
  // What it says: the older state with its own seal is whole, and has the older policy.
  const old = await KeptModule.unlocked(backup, keySecret)
  await old.ok(sign(made))
  assert.deepEqual((await stateOf(old)).tamper, { 'chassis-opened': 2 })
})
