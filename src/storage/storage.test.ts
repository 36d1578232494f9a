/** The database by itself: groups of writes, races for a name, pages, and what refuses a row. */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, suite, test } from 'node:test'
import { type Database, openDatabase } from './database.ts'
import { insertIntent, pageOfIntents } from './intents.ts'
import { deleteAlias, findKeyName, insertKeyName, pageOfAliases } from './key-names.ts'
import {
  countVersions,
  eraseVersions,
  insertKeyVersion,
  putRevision,
  versionsOf,
} from './key-versions.ts'
import { findKey, insertKey, type KeysTable, keysDue, pageOfKeys, updateKeyRow } from './keys.ts'
import { insertNamespace } from './namespaces.ts'

const namespace = 'acme'

function keyRow(name: string, more: Partial<KeysTable> = {}): KeysTable {
  return {
    ...{ keyId: `key_${name}`, namespace, name, owner: 'Ada', purpose: 'tests', labels: '{}' },
    ...{ type: 'AES-256', class: 'secret', algorithms: '[]', uses: '[]', state: 'active' },
    ...{ exportable: 0, externalIv: 0, plaintextRelease: 0, lengthBytes: 0 },
    ...{ approvals: 0, canary: 0, usesMax: 0 },
    ...{ currentVersion: 1, lastVersion: 1, revision: 1, created: 1, updated: 1 },
    ...{ notBefore: 0, notAfter: 0, destructionDue: null },
    ...more,
  }
}

suite('the database', () => {
  let folder: string
  let db: Database
  beforeEach(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'keyhold-storage-'))
    db = await openDatabase(path.join(folder, 'test.db'))
    await db.write((query) => insertNamespace(query, { name: namespace, created: 1 }))
  })
  afterEach(async () => {
    await db[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })

  const addKeys = (rows: readonly KeysTable[]) =>
    Promise.all(rows.map((row) => db.write((query) => insertKey(query, row))))
  const keyNames = async () =>
    (await pageOfKeys(db.query, { namespace, after: '', limit: 1_000 })).map(({ name }) => name)

  test('each change of a group stands or falls alone', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 600 }, (_, index) =>
        db.write(async (query) => {
          await insertKey(query, keyRow(`k${String(index).padStart(3, '0')}`))
          if (index % 3 === 0) throw new Error('refused after its first row')
          return index
        }),
      ),
    )
    const kept = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    assert.equal(kept.length, 400)
    assert.deepEqual(
      await keyNames(),
      kept.map((index) => `k${String(index).padStart(3, '0')}`),
    )
  })

  test('what was answered is there when the file is opened again', async () => {
    await addKeys([keyRow('a'), keyRow('b')])
    await db[Symbol.asyncDispose]()
    db = await openDatabase(path.join(folder, 'test.db'))
    assert.deepEqual(await keyNames(), ['a', 'b'])
    assert.deepEqual({ ...(await findKey(db.query, 'key_a')) }, keyRow('a'))
  })

  test('closing writes what waits, and takes nothing more', async () => {
    const waiting = addKeys([keyRow('a'), keyRow('b')])
    await db[Symbol.asyncDispose]()
    await waiting
    assert.throws(() => db.write((query) => insertKey(query, keyRow('c'))), /closed/)
    db = await openDatabase(path.join(folder, 'test.db'))
    assert.deepEqual(await keyNames(), ['a', 'b'])
  })

  test('of those who want one name, one gets it', async () => {
    await addKeys([keyRow('a'), keyRow('b')])
    const row = { namespace, name: 'wanted', kind: 'alias', revision: 1 } as const
    const outcomes = await Promise.all(
      ['key_a', 'key_b', 'key_a', 'key_b'].map((keyId) =>
        db.write((query) => insertKeyName(query, { ...row, keyId })),
      ),
    )
    assert.deepEqual(outcomes, [true, false, false, false])
    const place = { namespace, name: 'wanted' }
    assert.equal((await findKeyName(db.query, place))?.keyId, 'key_a')
    await db.write((query) => deleteAlias(query, place))
    assert.equal(await findKeyName(db.query, place), undefined)
  })

  test('a row is changed from the revision that was read, and from no other', async () => {
    await addKeys([keyRow('a')])
    const change = { owner: 'Grace', updated: 2 }
    const read = { keyId: 'key_a', revision: 1 }
    const outcomes = await Promise.all(
      [1, 2].map(() => db.write((query) => updateKeyRow(query, read, change))),
    )
    assert.deepEqual(outcomes, [true, false])
    assert.equal((await findKey(db.query, 'key_a'))?.revision, 2)
  })

  test('pages go by the order of bytes and neither repeat nor skip when rows come and go', async () => {
    const names = ['a', 'a-b', 'a.b', 'a0', 'a_b', 'ab', 'b', 'b.a']
    await addKeys(names.map((name) => keyRow(name)))
    assert.deepEqual(await keyNames(), names)
    const page = (after: string) => pageOfKeys(db.query, { namespace, after, limit: 3 })
    const first = await page('')
    await addKeys([keyRow('0'), keyRow('a1')])
    const second = await page(first.at(-1)?.name ?? '')
    const seen = [...first, ...second].map(({ name }) => name)
    assert.deepEqual(seen, ['a', 'a-b', 'a.b', 'a0', 'a1', 'a_b'])
    const prefixed = await pageOfKeys(db.query, { namespace, after: '', limit: 9, prefix: 'a' })
    assert.deepEqual(
      prefixed.map(({ name }) => name),
      ['a', 'a-b', 'a.b', 'a0', 'a1', 'a_b', 'ab'],
    )
  })

  test('filters hold together', async () => {
    await addKeys([
      keyRow('a', { state: 'suspended' }),
      keyRow('b', { state: 'suspended', type: 'P-256' }),
      keyRow('c', { type: 'P-256', destructionDue: 5 }),
    ])
    const filter = { namespace, after: '', limit: 9, state: 'suspended', type: 'P-256' }
    assert.deepEqual(
      (await pageOfKeys(db.query, filter)).map(({ name }) => name),
      ['b'],
    )
    assert.deepEqual(await keysDue(db.query, { now: 4, limit: 9 }), [])
    const due = await keysDue(db.query, { now: 5, limit: 9 })
    assert.deepEqual(
      due.map(({ keyId }) => keyId),
      ['key_c'],
    )
  })

  test('aliases and intents have pages of their own', async () => {
    await addKeys([keyRow('a')])
    await db.write(async (query) => {
      for (const name of ['x', 'y', 'z']) {
        await insertKeyName(query, { namespace, name, keyId: 'key_a', kind: 'alias', revision: 1 })
        await insertIntent(query, { intentId: name, keyId: 'key_a', body: '{}', created: 1 })
      }
    })
    const aliases = await pageOfAliases(db.query, { namespace, after: 'x', limit: 1 })
    assert.deepEqual(
      aliases.map(({ name }) => name),
      ['y'],
    )
    const intents = await pageOfIntents(db.query, { after: 'x', limit: 9 })
    assert.deepEqual(
      intents.map(({ intentId }) => intentId),
      ['y', 'z'],
    )
  })

  test('erased versions lose their bytes, keep the rest and take no new revision', async () => {
    await addKeys([keyRow('a')])
    const row = {
      ...{ keyId: 'key_a', revision: 1, state: 'active', provenance: 'generated', created: 1 },
      ...{ checkValue: '{}', publicKey: null, wrapped: Buffer.from('wrapped'), kek: 1 },
      certificate: null,
      destroyedBy: null,
    }
    await db.write(async (query) => {
      await insertKeyVersion(query, { ...row, version: 1, state: 'compromised' })
      await insertKeyVersion(query, { ...row, version: 2 })
      await eraseVersions(query, 'key_a', [
        { from: 'active', to: 'destroyed' },
        { from: 'compromised', to: 'destroyed-compromised' },
      ])
      const change = { revision: 2, state: 'active', wrapped: Buffer.from('again'), kek: 1 }
      await putRevision(query, { keyId: 'key_a', version: 2 }, change)
    })
    const versions = await versionsOf(db.query, 'key_a')
    assert.deepEqual(
      versions.map(({ state, wrapped }) => [state, wrapped]),
      [
        ['destroyed-compromised', null],
        ['destroyed', null],
      ],
    )
    assert.deepEqual(await countVersions(db.query, ['key_a']), [{ keyId: 'key_a', versions: 2 }])
  })

  test('a key without its namespace, and a name without its key, are refused', async () => {
    const lost = keyRow('a', { namespace: 'absent' })
    await assert.rejects(
      db.write((query) => insertKey(query, lost)),
      /FOREIGN KEY/,
    )
    const name = { namespace, name: 'x', keyId: 'key_absent', kind: 'alias', revision: 1 } as const
    await assert.rejects(
      db.write((query) => insertKeyName(query, name)),
      /FOREIGN KEY/,
    )
  })
})
