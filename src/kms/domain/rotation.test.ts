/** Renewing the key-encryption key through the manager and the real module. */

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { namespace, TestKms } from '../../../tests/kms/open.ts'
import { approvalStatement, signApproval } from '../../hsm/contract/approval.ts'
import { kekOfWrapped } from '../../hsm/contract/keys.ts'
import { findKeyVersion } from '../../storage/key-versions.ts'
import type { KmsErrorCode } from '../errors.ts'
import { KmsError } from '../errors.ts'
import { runJobs } from '../jobs/jobs.ts'
import { rotateKey } from '../keys/changes.ts'
import { createKey } from '../keys/create.ts'
import { destroyKey } from '../keys/destruction.ts'
import type { KeyRecord } from '../keys/rows.ts'
import type { Caller } from '../kms.ts'
import { finishRotation, getRotation, retireKek, rotateKek } from './rotation.ts'

suite('rotating the KEK', () => {
  let t: TestKms
  let officer: Caller
  before(async () => {
    t = await TestKms.open()
    // Of the whole domain, where the officer of one namespace has no say.
    officer = await t.everywhere('security-officer')
  })
  after(() => t[Symbol.asyncDispose]())

  const create = (name: string): Promise<KeyRecord> =>
    createKey(t.kms, t.as('operator'), namespace, {
      ...{ name, owner: 'Ada', purpose: 'tests', type: 'P-256' },
    })
  const stored = async ({ id }: KeyRecord, version = 1) => {
    const row = await findKeyVersion(t.kms.db.query, { keyId: id, version })
    assert(row?.wrapped)
    return { ...row, wrapped: row.wrapped }
  }
  const load = async ({ id }: KeyRecord, wrapped: Uint8Array, version = 1): Promise<string> => {
    const args = { key: id, version }
    await t.ask({ command: 'unloadKey', arguments: args, parts: {} })
    try {
      await t.ask({ command: 'loadKey', arguments: args, parts: { wrapped } })
      return 'loaded'
    } catch (error) {
      assert(error instanceof KmsError)
      return error.code
    }
  }
  const rotated = async (): Promise<Awaited<ReturnType<typeof getRotation>>> => {
    await rotateKek(t.kms, officer)
    await t.kms.background.idle()
    return getRotation(t.kms, officer)
  }

  test('nobody but an officer of the whole installation may', async () => {
    const others = [t.as('security-officer'), t.as('operator'), t.first]
    for (const caller of others) await t.refuses('ACCESS_DENIED', () => rotateKek(t.kms, caller))
    assert.equal(await getRotation(t.kms, officer), undefined)
  })

  test('every version is re-wrapped, and its older copy does not open any more', async () => {
    const key = await create('many')
    for (let version = 2; version <= 70; version += 1) {
      await rotateKey(t.kms, t.as('operator'), namespace, 'many')
    }
    const olds = [await stored(key, 1), await stored(key, 70)]
    const { total = 0, ...rotation } = (await rotated()) ?? {}
    assert.partialDeepStrictEqual(rotation, {
      phase: 'done',
      kek: 2,
      epoch: 1,
      left: 0,
      failed: [],
    })
    assert(total >= 70)
    for (const old of olds) {
      const { wrapped, kek, revision } = await stored(key, old.version)
      assert.deepEqual([kek, kekOfWrapped(wrapped), revision], [2, 2, old.revision])
      assert.equal(await load(key, wrapped, old.version), 'loaded')
      assert.equal(await load(key, old.wrapped, old.version), 'WRAPPED_KEY_OUTDATED')
    }
    assert.equal((await stored(await create('later'))).kek, 2)
  })

  test('what cannot be re-wrapped keeps the KEK before, is named, and may be destroyed', async () => {
    const [good, bad] = [await create('good'), await create('bad')]
    const { wrapped, kek } = await stored(bad)
    const torn = Buffer.from(wrapped).fill(1, wrapped.length - 9)
    await t.kms.db.query
      .updateTable('keyVersions')
      .set({ wrapped: torn })
      .where('keyId', '=', bad.id)
      .execute()
    const old = await stored(good)
    const failed = await rotated()
    const code: KmsErrorCode = 'WRAPPED_KEY_INVALID'
    assert.partialDeepStrictEqual(failed, { phase: 'rewrap', left: 1, ended: 0, kek: kek + 1 })
    assert.deepEqual(failed?.failed, [{ key: bad.id, version: 1, code }])
    assert.equal(await load(good, old.wrapped), 'loaded')
    await t.refuses('REWRAP_UNFINISHED', () => rotateKek(t.kms, officer))
    await t.restart()
    await t.kms.background.idle()
    await destroyKey(t.kms, t.as('security-officer'), namespace, 'bad', { confirm: 'bad' })
    await runJobs(t.kms)
    const done = await getRotation(t.kms, officer)
    assert.partialDeepStrictEqual(done, { phase: 'done', left: 0, failed: [] })
    assert.equal(await load(good, old.wrapped), 'WRAPPED_KEY_OUTDATED')
  })

  test('where the rules want approvals, they are wanted at the beginning and at the end', async () => {
    await using other = await TestKms.open()
    const ada = generateKeyPairSync('ed25519')
    const publicKey = ada.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
    const people = [
      { name: 'ada', roles: ['officer'], credential: { kind: 'ed25519', publicKey } },
    ] as const
    const rule = { approvals: 1, roles: ['officer'], excludeRequester: false } as const
    const rules = { epoch: rule, officers: rule, rules: rule }
    await other.ask({
      command: 'changeDomain',
      arguments: { change: { people, rules } },
      parts: {},
    })
    const { domainId: domain, moduleId: module } = other.host.status()
    const approvalsOf = async (command: 'rotateKek' | 'retireKek') => {
      const { result } = await other.host.run(
        { identity: '', requestId: '', protocol: '', address: '' },
        { command: 'getChallenge', arguments: { command }, parts: {} },
      )
      const { challenge } = result
      const from = { module, challenge, predecessor: '', requester: 'ada' }
      const now = Date.now()
      const terms = { ...from, notBefore: now - 1_000, expires: now + 60_000 }
      const asked = { command, arguments: {}, parts: {} }
      const signed = signApproval(approvalStatement(domain, asked, terms), 'ada', ada.privateKey)
      return { approvals: Buffer.from(JSON.stringify({ ...terms, approvals: [signed] })) }
    }
    const chief = await other.everywhere('security-officer')
    await other.refuses('APPROVALS_MISSING', () => rotateKek(other.kms, chief))
    assert.equal(await getRotation(other.kms, chief), undefined)
    await rotateKek(other.kms, chief, await approvalsOf('rotateKek'))
    await other.kms.background.idle()
    assert.equal((await getRotation(other.kms, chief))?.phase, 'retire')
    await runJobs(other.kms)
    await other.refuses('APPROVALS_MISSING', () => retireKek(other.kms, chief))
    const done = await retireKek(other.kms, chief, await approvalsOf('retireKek'))
    assert.partialDeepStrictEqual(done, { phase: 'done', kek: 2, left: 0 })
  })

  test('cut off at each command of its beginning, it was never begun or comes to its end', async () => {
    const key = await create('cut')
    for (const side of ['before', 'behind'] as const) {
      for (const at of [1, 2, 3]) {
        const { kek } = await stored(key)
        assert(await t.cutOff({ at, side }, (kms) => rotateKek(kms, officer)))
        await t.reopen()
        await t.kms.background.idle()
        await finishRotation(t.kms)
        const isMade = at === 3 && side === 'behind'
        const done = await getRotation(t.kms, officer)
        if (isMade) assert.partialDeepStrictEqual(done, { phase: 'done', kek: kek + 1, left: 0 })
        else if (at > 1) assert.equal(done, undefined)
        assert.equal((await stored(key)).kek, isMade ? kek + 1 : kek)
      }
    }
  })
})
