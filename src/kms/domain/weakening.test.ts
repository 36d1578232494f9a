/** A policy that becomes weaker, through the manager and the real module: what is left of every key. */

import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { namespace, TestKms } from '../../../tests/kms/open.ts'
import { openDomainStatement } from '../../hsm/contract/attestation.ts'
import { verifyCertificate, weakeningFormat } from '../../hsm/contract/certificate.ts'
import type { DomainChangeAsked } from '../../hsm/contract/domain-commands.ts'
import { createGrant } from '../access/grants.ts'
import { createNamespace } from '../access/namespaces.ts'
import { ensureAuthority } from '../authority.ts'
import { changeDomain, domainState } from '../domain.ts'
import { rotateKey } from '../keys/changes.ts'
import { createKey } from '../keys/create.ts'
import { scheduleDestruction } from '../keys/destruction.ts'
import { newIntent, writeIntent } from '../keys/intents.ts'
import { getDestructionCertificate, getKey, listVersions } from '../keys/record.ts'
import type { Caller, Kms } from '../kms.ts'
import { useKeyOnce } from '../use.ts'
import { getRotation, rotateKek } from './rotation.ts'

const stronger: DomainChangeAsked = { tamper: { 'chassis-opened': 2 } }
const weaker: DomainChangeAsked = { tamper: {}, destroysKeys: true }

let t: TestKms
let officer: Caller
let operator: Caller
before(async () => {
  t = await TestKms.open()
  officer = await t.everywhere('security-officer')
  operator = await t.everywhere('operator')
  await createNamespace(t.kms, t.first, { name: 'other' })
})
after(() => t[Symbol.asyncDispose]())

const create = async (name: string, where = namespace) => {
  const input = { name, owner: 'Ada', purpose: 'tests', type: 'P-256' } as const
  const { id } = await createKey(t.kms, operator, where, input)
  const grant = { key: name, identity: operator.identity.id, operations: ['sign'] } as const
  await createGrant(t.kms, t.first, where, grant)
  return id
}
const sign = (key: string, where = namespace) => {
  const target = { namespace: where, key, operation: 'sign' } as const
  return useKeyOnce(t.kms, operator, target, { data: Buffer.from('x') })
}
const change = (asked: DomainChangeAsked, confirm?: string) =>
  changeDomain(t.kms, officer, { change: asked, confirm })
const domainId = () => t.host.status().domainId
const strengthen = () => change(stronger)
const assertDestroyed = async (key: string, where = namespace) => {
  assert.equal((await getKey(t.kms, operator, where, key)).state, 'destroyed')
  for (const one of await listVersions(t.kms, operator, where, key)) {
    assert.equal(one.state, 'destroyed')
    assert(one.destroyedBy)
  }
  await assert.rejects(sign(key, where), { code: 'KEY_DESTROYED' })
}

suite('a policy that becomes weaker', () => {
  test('takes the id of the domain, says how many keys go, and nothing has changed until then', async () => {
    await strengthen()
    await create('first')
    const { tamper } = weaker
    assert(tamper)
    await t.refuses('RULES_NOT_MET', () => change({ tamper }))
    await t.refuses('CONFIRMATION_INVALID', () => change(weaker))
    await assert.rejects(change(weaker, 'acme'), /destroys all keys of the domain for good, 1 of/)
    await t.refuses('ARGUMENT_INVALID', () =>
      change({ ...stronger, destroysKeys: true }, domainId()),
    )
    assert.equal(await getRotation(t.kms, officer), undefined)
    await sign('first')
  })

  test('destroys every version in every namespace, with its cause; the service goes on', async () => {
    const authority = new X509Certificate((await ensureAuthority(t.kms)).certificatePem)
    await create('many')
    for (let count = 0; count < 3; count += 1) await rotateKey(t.kms, operator, namespace, 'many')
    await create('elsewhere', 'other')
    await create('due')
    await scheduleDestruction(t.kms, officer, namespace, 'due', { days: 7 })
    const { destroyed, certificate, version } = await change(weaker, domainId())
    assert.deepEqual(destroyed, { epoch: 1, kek: 1 })
    const done = await getRotation(t.kms, officer)
    assert.partialDeepStrictEqual(done, {
      kind: 'weaken',
      phase: 'done',
      kek: 2,
      left: 0,
      total: 8,
    })

    for (const name of ['first', 'many', 'due']) await assertDestroyed(name)
    await assertDestroyed('elsewhere', 'other')
    assert.equal((await getKey(t.kms, operator, namespace, 'due')).destructionDue, undefined)
    const versions = await listVersions(t.kms, operator, namespace, 'many')
    assert.deepEqual(
      versions.map(({ destroyedBy }) => destroyedBy),
      [version, version, version, version],
    )
    const asked = { namespace, key: 'many', version: 2 }
    const kept = await getDestructionCertificate(t.kms, officer, asked)
    const { parts } = await t.ask({ command: 'getDomainStatement', arguments: {}, parts: {} })
    assert('statement' in parts && parts.statement && certificate)
    const domain = openDomainStatement(parts.statement)
    const checked = verifyCertificate(kept, domain)
    assert.equal(checked.format, weakeningFormat)
    assert.deepEqual(verifyCertificate(certificate, domain), checked)

    const renewed = new X509Certificate((await ensureAuthority(t.kms)).certificatePem)
    assert(renewed.verify(renewed.publicKey) && !renewed.verify(authority.publicKey))
    await create('behind')
    await sign('behind')
  })

  test('keys of before are nothing to a later rotation', async () => {
    await rotateKek(t.kms, officer)
    await t.kms.background.idle()
    const done = await getRotation(t.kms, officer)
    // The authority's key and the one behind.
    assert.partialDeepStrictEqual(done, { kind: 'kek', phase: 'done', total: 2, failed: [] })
    await sign('behind')
    await assertDestroyed('many')
  })

  test('keys that another renewal left to be re-wrapped are not lost', async () => {
    await strengthen()
    await t.ask({ command: 'rotateKek', arguments: {}, parts: {} })
    await t.refuses('REWRAP_UNFINISHED', () => change(weaker, domainId()))
    await sign('behind')
    await rotateKek(t.kms, officer)
    await t.kms.background.idle()
    await sign('behind')
  })

  test('cut off at each command of its beginning, it never was or comes to its end', async () => {
    for (const side of ['before', 'behind'] as const) {
      for (const at of [1, 2, 3, 4]) {
        await strengthen()
        const name = `cut-${side}-${at}`
        await create(name)
        const cut = (kms: Kms) =>
          changeDomain(kms, officer, { change: weaker, confirm: domainId() })
        assert(await t.cutOff({ at, side }, cut))
        // What a restart waits for, so that no call meets a key that is half-way.
        await t.reopen()
        const { statement } = await domainState(t.kms, officer)
        const isMade = at === 4 && side === 'behind'
        assert.equal(JSON.parse(statement).tamper['chassis-opened'], isMade ? undefined : 2)
        const rotation = await getRotation(t.kms, officer)
        if (isMade) {
          await assertDestroyed(name)
          await getDestructionCertificate(t.kms, officer, { namespace, key: name })
          assert.partialDeepStrictEqual(rotation, { kind: 'weaken', phase: 'done' })
        } else {
          await sign(name)
          assert.notEqual(rotation?.phase, 'begun')
        }
      }
    }
  })

  test('a change of a key that a crash left comes to nothing', async () => {
    const id = await create('halfway')
    await strengthen()
    await change(weaker, domainId())
    const plan = { versions: [1], to: 'suspended', row: { state: 'suspended' } } as const
    const intent = newIntent(t.kms, id, { kind: 'states', ...plan, reservation: undefined })
    await t.kms.db.write((query) => writeIntent(query, t.kms, intent))
    await t.reopen()
    assert.deepEqual(await t.kms.db.query.selectFrom('intents').selectAll().execute(), [])
    await assertDestroyed('halfway')
  })
})
