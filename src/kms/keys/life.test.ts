/** The life of a key through the manager and the real module, and what is refused on the way. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { keyInput, namespace, TestKms } from '../../../tests/kms/open.ts'
import { sealKeyToImport } from '../../hsm/contract/import.ts'
import { findKeyVersion } from '../../storage/key-versions.ts'
import { type Role, roles } from '../access/permissions.ts'
import { KmsError } from '../errors.ts'
import { runJobs } from '../jobs/jobs.ts'
import type { Caller } from '../kms.ts'
import { newId } from '../names.ts'
import { listAliases, removeAlias, setAlias } from './aliases.ts'
import { disableKey, enableKey, rotateKey } from './changes.ts'
import { createKey, importKey } from './create.ts'
import { cancelDestruction, destroyKey, scheduleDestruction } from './destruction.ts'
import { getKey, getPublicKey, listKeys, listVersions, updateKey } from './record.ts'
import type { KeyRecord } from './rows.ts'
import { templateFor } from './template.ts'

const dayMs = 24 * 60 * 60 * 1_000
const p256 = { type: 'P-256' } as const

suite('keys', () => {
  let t: TestKms
  let operator: Caller
  let officer: Caller
  before(async () => {
    t = await TestKms.open()
    operator = t.as('operator')
    officer = t.as('security-officer')
  })
  after(() => t[Symbol.asyncDispose]())

  const create = (name: string, more = {}): Promise<KeyRecord> =>
    createKey(t.kms, operator, namespace, keyInput(name, more))
  const get = (key: string): Promise<KeyRecord> => getKey(t.kms, operator, namespace, key)
  const states = async (key: string): Promise<string[]> =>
    (await listVersions(t.kms, operator, namespace, key)).map(({ state }) => state)
  /** What the module says to a use with the wrapped key that is stored, or another. */
  const sign = async (keyId: string, version: number, wrapped?: Uint8Array): Promise<string> => {
    const stored = await findKeyVersion(t.kms.db.query, { keyId, version })
    const parts = { data: Buffer.from('x'), wrapped: wrapped ?? stored?.wrapped ?? Buffer.alloc(9) }
    try {
      await t.ask({ command: 'sign', arguments: { key: keyId as KeyRecord['id'], version }, parts })
      return 'signed'
    } catch (error) {
      assert(error instanceof KmsError)
      return error.code
    }
  }

  test('a new key has its owner, its purpose and sensible defaults', async () => {
    const made = await create('defaults', { labels: { team: 'a' } })
    assert.equal(made.type, 'AES-256')
    assert.deepEqual(made.algorithms, ['XAES-256-GCM'])
    assert.deepEqual(made.uses, ['encrypt', 'decrypt'])
    assert.equal(made.state, 'active')
    assert.deepEqual([made.currentVersion, made.versions], [1, 1])
    assert.deepEqual(await get('defaults'), made)
    assert.deepEqual(await get(made.id), made)
    await t.reopen()
    assert.deepEqual(await get('defaults'), made)
  })

  test('a key is used, rotated, disabled, enabled and destroyed', async () => {
    const { id } = await create('life', p256)
    assert.equal(await sign(id, 1), 'signed')
    const first = await findKeyVersion(t.kms.db.query, { keyId: id, version: 1 })
    assert(first?.wrapped)

    const rotated = await rotateKey(t.kms, operator, namespace, 'life')
    assert.deepEqual([rotated.currentVersion, rotated.versions], [2, 2])
    assert.deepEqual(await states('life'), ['deactivated', 'active'])
    assert.equal(await sign(id, 1), 'KEY_STATE_INVALID')
    assert.equal(await sign(id, 1, first.wrapped), 'WRAPPED_KEY_OUTDATED')
    assert.equal(await sign(id, 2), 'signed')

    assert.equal((await disableKey(t.kms, operator, namespace, 'life')).state, 'suspended')
    assert.equal(await sign(id, 2), 'KEY_STATE_INVALID')
    const again = await get('life')
    assert.deepEqual(await disableKey(t.kms, operator, namespace, 'life'), again)
    await t.refuses('KEY_STATE_INVALID', () => rotateKey(t.kms, operator, namespace, 'life'))
    assert.equal((await enableKey(t.kms, operator, namespace, 'life')).state, 'active')
    assert.equal(await sign(id, 2), 'signed')

    const stored = await findKeyVersion(t.kms.db.query, { keyId: id, version: 2 })
    assert(stored?.wrapped)
    await t.refuses('CONFIRMATION_INVALID', () =>
      destroyKey(t.kms, officer, namespace, 'life', { confirm: 'Life' }),
    )
    const gone = await destroyKey(t.kms, officer, namespace, 'life', { confirm: 'life' })
    assert.equal(gone.state, 'destroyed')
    assert.deepEqual(await states('life'), ['destroyed', 'destroyed'])
    for (const version of [1, 2]) {
      const row = await findKeyVersion(t.kms.db.query, { keyId: id, version })
      assert.equal(row?.wrapped, null)
      assert.equal(await sign(id, version, stored.wrapped), 'KEY_DESTROYED')
    }
    await t.restart()
    assert.equal(await sign(id, 2, stored.wrapped), 'KEY_DESTROYED')
    for (const change of [rotateKey, enableKey, disableKey, cancelDestruction]) {
      const caller = change === cancelDestruction ? officer : operator
      await t.refuses('KEY_DESTROYED', () => change(t.kms, caller, namespace, 'life'))
    }
  })

  test('a key that derives or agrees stays active when it is rotated', async () => {
    await create('agrees', { type: 'X25519' })
    await rotateKey(t.kms, operator, namespace, 'agrees')
    assert.deepEqual(await states('agrees'), ['active', 'active'])
    await disableKey(t.kms, operator, namespace, 'agrees')
    assert.deepEqual(await states('agrees'), ['suspended', 'suspended'])
    await enableKey(t.kms, operator, namespace, 'agrees')
    assert.deepEqual(await states('agrees'), ['active', 'active'])
  })

  test('a scheduled destruction disables, is taken back, and happens when it is due', async () => {
    const { id } = await create('due', p256)
    const due = await scheduleDestruction(t.kms, officer, namespace, 'due', { days: 2 })
    assert.equal(due.state, 'suspended')
    assert(due.destructionDue !== undefined && due.destructionDue > Date.now() + dayMs)
    await t.refuses('KEY_STATE_INVALID', () => enableKey(t.kms, operator, namespace, 'due'))
    const kept = await cancelDestruction(t.kms, officer, namespace, 'due')
    assert.deepEqual([kept.state, kept.destructionDue], ['suspended', undefined])
    await t.refuses('KEY_STATE_INVALID', () => cancelDestruction(t.kms, officer, namespace, 'due'))
    await scheduleDestruction(t.kms, officer, namespace, 'due', {})
    await runJobs(t.kms)
    assert.equal((await get('due')).state, 'suspended')
    t.aheadMs = 8 * dayMs
    await runJobs(t.kms)
    t.aheadMs = 0
    const { state, destructionDue } = await get('due')
    assert.deepEqual([state, destructionDue], ['destroyed', undefined])
    assert.equal(await sign(id, 1), 'KEY_DESTROYED')
  })

  test('a key that was sealed to the transport key is imported, a public one too', async () => {
    const { parts } = await t.ask({ command: 'getTransportKey', arguments: {}, parts: {} })
    assert('publicKey' in parts && parts.publicKey)
    const transportKey = parts.publicKey
    const seal = async <T extends ReturnType<typeof keyInput>>(
      input: T,
      keyClass: 'secret' | 'public',
      bytes: Uint8Array,
    ) => {
      const id = newId('key')
      const template = templateFor(input, keyClass)
      const terms = { key: id, version: 1, class: keyClass, template }
      const asked = {
        command: 'getChallenge',
        arguments: { command: 'importKey' },
        parts: {},
      } as const
      const { result } = await t.ask(asked)
      assert('challenge' in result)
      const sealed = sealKeyToImport(transportKey, result.challenge, terms, bytes)
      return { ...input, id, class: keyClass, sealed }
    }
    const secret = await seal(keyInput('imported'), 'secret', randomBytes(32))
    const made = await importKey(t.kms, officer, namespace, secret)
    assert.equal(made.class, 'secret')
    const [version] = await listVersions(t.kms, operator, namespace, 'imported')
    assert.equal(version?.provenance, 'imported')
    const { spki } = await getPublicKey(t.kms, operator, namespace, (await create('pair', p256)).id)
    const input = await seal(keyInput('theirs', p256), 'public', spki)
    const theirs = await importKey(t.kms, officer, namespace, input)
    assert.deepEqual([theirs.class, theirs.uses], ['public', ['verify']])
    await t.refuses('KEY_STATE_INVALID', () => rotateKey(t.kms, operator, namespace, 'theirs'))
    await t.refuses('CIPHERTEXT_INVALID', () =>
      importKey(t.kms, officer, namespace, { ...secret, name: 'no', id: newId('key') }),
    )
    await t.refuses('KEY_EXISTS', () =>
      importKey(t.kms, officer, namespace, { ...secret, name: 'no' }),
    )
  })

  test('lists go by pages and filters', async () => {
    for (let index = 0; index < 7; index += 1) await create(`page.${index}`, p256)
    const names: string[] = []
    let cursor: string | undefined
    do {
      const filter = { prefix: 'page.', limit: 3, cursor }
      const page = await listKeys(t.kms, operator, namespace, filter)
      names.push(...page.items.map(({ name }) => name))
      cursor = page.next
    } while (cursor !== undefined)
    assert.deepEqual(
      names,
      [0, 1, 2, 3, 4, 5, 6].map((index) => `page.${index}`),
    )
    const { items } = await listKeys(t.kms, operator, namespace, { state: 'destroyed' })
    assert(items.length > 0 && items.every(({ state }) => state === 'destroyed'))
    const { next } = await listKeys(t.kms, operator, namespace, { type: 'P-256', limit: 1 })
    await t.refuses('ARGUMENT_INVALID', () =>
      listKeys(t.kms, operator, namespace, { type: 'AES-256', limit: 1, cursor: next }),
    )
    for (const filter of [{ limit: 0 }, { limit: 1_001 }, { cursor: 'x' }, { prefix: '%' }]) {
      await t.refuses('ARGUMENT_INVALID', () => listKeys(t.kms, operator, namespace, filter))
    }
  })

  test('an alias is set, pointed elsewhere and removed', async () => {
    const one = await create('one')
    const two = await create('two')
    const first = await setAlias(t.kms, operator, namespace, 'main', { key: 'one' })
    assert.deepEqual((await get('main')).id, one.id)
    assert.deepEqual((await get('one')).aliases, ['main'])
    await t.refuses('PRECONDITION_FAILED', () =>
      setAlias(t.kms, operator, namespace, 'main', { key: 'two' }, { ifMatch: '7' }),
    )
    const change = { ifMatch: first.etag }
    await setAlias(t.kms, operator, namespace, 'main', { key: 'two' }, change)
    assert.equal((await get('main')).id, two.id)
    assert.equal((await listAliases(t.kms, operator, namespace)).items.length, 1)
    await t.refuses('NAME_TAKEN', () => create('main'))
    await t.refuses('NAME_TAKEN', () => setAlias(t.kms, operator, namespace, 'one', { key: 'two' }))
    await t.refuses('KEY_DESTROYED', () =>
      setAlias(t.kms, operator, namespace, 'late', { key: 'life' }),
    )
    await removeAlias(t.kms, operator, namespace, 'main')
    await t.refuses('KEY_NOT_FOUND', () => get('main'))
    await t.refuses('KEY_NOT_FOUND', () => removeAlias(t.kms, operator, namespace, 'one'))
  })

  test('a change of metadata needs the ETag that was read', async () => {
    const made = await create('meta')
    const input = { owner: 'Grace', labels: { a: 'b' } }
    await t.refuses('PRECONDITION_REQUIRED', () =>
      updateKey(t.kms, operator, namespace, 'meta', input, {}),
    )
    const change = { ifMatch: made.etag }
    const changed = await updateKey(t.kms, operator, namespace, 'meta', input, change)
    assert.deepEqual([changed.owner, changed.labels], ['Grace', { a: 'b' }])
    assert.notEqual(changed.etag, made.etag)
    await t.refuses('PRECONDITION_FAILED', () =>
      updateKey(t.kms, operator, namespace, 'meta', input, change),
    )
    for (const action of [rotateKey, disableKey]) {
      await t.refuses('PRECONDITION_FAILED', () =>
        action(t.kms, operator, namespace, 'meta', change),
      )
    }
    const both = await Promise.allSettled(
      ['a', 'b'].map((owner) =>
        updateKey(t.kms, operator, namespace, 'meta', { owner }, { ifMatch: changed.etag }),
      ),
    )
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  })

  test('the same idempotency key makes one key, and one rotation', async () => {
    const creation = { idempotencyKey: 'once' }
    const make = (name: string) =>
      createKey(t.kms, operator, namespace, keyInput(name, p256), creation)
    const made = await make('idempotent')
    assert.deepEqual(await make('idempotent'), made)
    await t.refuses('IDEMPOTENCY_CONFLICT', () => make('another'))
    const turn = { idempotencyKey: 'turn', ifMatch: made.etag }
    const [first, second] = await Promise.all([
      rotateKey(t.kms, operator, namespace, 'idempotent', turn),
      rotateKey(t.kms, operator, namespace, 'idempotent', turn),
    ])
    assert.deepEqual(first, second)
    assert.equal(first.versions, 2)
    assert.deepEqual(await rotateKey(t.kms, operator, namespace, 'idempotent', turn), first)
    const twice = { idempotencyKey: 'twice' }
    const race = await Promise.allSettled(
      [1, 2].map(() => createKey(t.kms, operator, namespace, keyInput('raced'), twice)),
    )
    assert(race.some(({ status }) => status === 'fulfilled'))
    t.aheadMs = 2 * dayMs
    await runJobs(t.kms)
    t.aheadMs = 0
    await t.refuses('NAME_TAKEN', () => make('idempotent'))
    // What was refused has let go of its idempotency key.
    assert.equal((await make('idempotent.2')).name, 'idempotent.2')
  })

  test('of those who ask for one name at once, one gets it', async () => {
    const made = await Promise.allSettled(Array.from({ length: 8 }, () => create('wanted', p256)))
    assert.equal(made.filter(({ status }) => status === 'fulfilled').length, 1)
    const refused = made.filter((one) => one.status === 'rejected').map(({ reason }) => reason.code)
    assert.deepEqual(new Set(refused), new Set(['NAME_TAKEN']))
    assert.deepEqual(await t.kms.db.query.selectFrom('intents').selectAll().execute(), [])
  })

  test('bad input is refused and changes nothing', async () => {
    const bad: [string, object][] = [
      ['Upper', {}],
      ['', {}],
      ['a'.repeat(64), {}],
      ['key_1', {}],
      ['bad', { owner: '' }],
      ['bad', { purpose: 'a\u0000b' }],
      ['bad', { labels: { '': 'x' } }],
      ['bad', { labels: { x: 'y'.repeat(257) } }],
      ['bad', { uses: ['sign'] }],
      ['bad', { type: 'P-256', uses: ['mac'] }],
      ['bad', { type: 'generic-secret', lengthBytes: 100_000 }],
    ]
    for (const [name, more] of bad) await t.refuses('ARGUMENT_INVALID', () => create(name, more))
    await t.refuses('ALGORITHM_NOT_SUPPORTED', () => create('bad', { type: 'P-257' }))
    await t.refuses('KEY_NOT_FOUND', () => get('absent'))
    await t.refuses('KEY_NOT_FOUND', () => get(`key_${'0'.repeat(32)}`))
    await t.refuses('VERSION_NOT_FOUND', async () => {
      await getPublicKey(t.kms, operator, namespace, 'pair', 9)
    })
    await t.refuses('ARGUMENT_INVALID', async () => {
      await getPublicKey(t.kms, operator, namespace, 'defaults')
    })
    for (const days of [0, 31, 1.5]) {
      await t.refuses('ARGUMENT_INVALID', () =>
        scheduleDestruction(t.kms, officer, namespace, 'pair', { days }),
      )
    }
    await t.refuses('ARGUMENT_INVALID', () =>
      createKey(t.kms, operator, namespace, keyInput('bad'), { idempotencyKey: 'a b' }),
    )
  })

  test('every role does what it may and nothing else', async () => {
    const { id, etag } = await create('roles', p256)
    type Work = (caller: Caller, key: string) => Promise<unknown>
    const calls: readonly (readonly [Work, readonly Role[]])[] = [
      [(c) => createKey(t.kms, c, namespace, keyInput('roles')), ['operator']],
      [(c, key) => rotateKey(t.kms, c, namespace, key), ['operator']],
      [(c, key) => updateKey(t.kms, c, namespace, key, {}, { ifMatch: etag }), ['operator']],
      [(c, key) => disableKey(t.kms, c, namespace, key), ['operator', 'security-officer']],
      [(c, key) => enableKey(t.kms, c, namespace, key), ['operator', 'security-officer']],
      [(c, key) => setAlias(t.kms, c, namespace, 'x', { key }), ['operator']],
      [(c) => removeAlias(t.kms, c, namespace, 'x'), ['operator']],
      [(c, key) => scheduleDestruction(t.kms, c, namespace, key, {}), ['security-officer']],
      [(c, key) => cancelDestruction(t.kms, c, namespace, key), ['security-officer']],
      [
        (c, key) => destroyKey(t.kms, c, namespace, key, { confirm: 'roles' }),
        ['security-officer'],
      ],
      [(c, key) => getKey(t.kms, c, namespace, key), ['operator', 'security-officer', 'auditor']],
      [(c) => listKeys(t.kms, c, namespace), ['operator', 'security-officer', 'auditor']],
    ]
    for (const [work, permitted] of calls) {
      for (const role of [...roles, 'nobody'] as const) {
        if (permitted.some((name) => name === role)) continue
        // What is refused sounds the same whether the key is there or not.
        for (const key of [id, 'absent']) {
          await t.refuses('ACCESS_DENIED', () => work(t.as(role), key))
        }
      }
    }
    await t.refuses('ACCESS_DENIED', () => createKey(t.kms, operator, 'system', keyInput('roles')))
    await t.refuses('ACCESS_DENIED', () => createKey(t.kms, operator, 'default', keyInput('roles')))
    assert.equal((await get('roles')).etag, etag)
  })
})
