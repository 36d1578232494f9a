/** What the manager does with the database that it finds, and what its jobs forget. */

import assert from 'node:assert/strict'
import { existsSync, renameSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { keyInput, namespace, TestKms } from '../../tests/kms/open.ts'
import { createToken, listTokens } from './access/tokens.ts'
import { runJobs, startJobs } from './jobs/jobs.ts'
import { createKey } from './keys/create.ts'
import { scheduleDestruction } from './keys/destruction.ts'
import { getKey } from './keys/record.ts'

const dayMs = 24 * 60 * 60 * 1_000

suite('the database of the manager', () => {
  let t: TestKms
  before(async () => {
    t = await TestKms.open()
  })
  after(() => t[Symbol.asyncDispose]())

  test('is readable by its owner alone', () => {
    for (const name of ['keyhold.db', 'keyhold.db-wal', 'keyhold.db.made']) {
      assert.equal(statSync(path.join(t.folder, name)).mode & 0o077, 0, name)
    }
  })

  test('is not made anew when it is lost, and not opened when it is none', async () => {
    await createKey(t.kms, t.as('operator'), namespace, keyInput('kept'))
    const file = path.join(t.folder, 'keyhold.db')
    await t.kms[Symbol.asyncDispose]()
    renameSync(file, `${file}.away`)
    await assert.rejects(t.reopen(), /is gone: put it back/)
    assert(!existsSync(file))
    writeFileSync(file, 'this is no database, but it is long enough to be looked at', {
      mode: 0o600,
    })
    await assert.rejects(t.reopen(), /not a database/)
    renameSync(`${file}.away`, file)
    await t.reopen()
    assert.equal((await getKey(t.kms, t.as('operator'), namespace, 'kept')).name, 'kept')
  })

  test('of a newer release is refused and left as it is', async () => {
    const name = '9999-from-the-future'
    const row = { name, timestamp: new Date().toISOString() }
    const { query } = t.kms.db
    await query
      .withTables<{ kysely_migration: typeof row }>()
      .insertInto('kysely_migration')
      .values(row)
      .execute()
    await assert.rejects(t.reopen(), /a newer release made it/)
  })
})

suite('jobs', () => {
  let t: TestKms
  before(async () => {
    t = await TestKms.open()
  })
  after(() => t[Symbol.asyncDispose]())

  test('forget answers after a day and tokens long after their end', async () => {
    const { identity } = t.as('application')
    const { first } = t
    await createToken(t.kms, first, identity.id, { name: 'short', days: 1 })
    await createToken(t.kms, first, identity.id, { name: 'long', days: 90 })
    const creation = { idempotencyKey: 'kept' }
    await createKey(t.kms, t.as('operator'), namespace, keyInput('answered'), creation)
    const names = async () => (await listTokens(t.kms, first, identity.id)).map(({ name }) => name)
    const answers = () => t.kms.db.query.selectFrom('answers').selectAll().execute()
    t.aheadMs = dayMs / 2
    await runJobs(t.kms)
    assert.equal((await answers()).length, 1)
    t.aheadMs = 2 * dayMs
    await runJobs(t.kms)
    assert.deepEqual(await answers(), [])
    assert.deepEqual((await names()).sort(), ['long', 'short'])
    t.aheadMs = 40 * dayMs
    await runJobs(t.kms)
    assert.deepEqual(await names(), ['long'])
    t.aheadMs = 0
  })

  test('one key that cannot be destroyed does not keep the others', async () => {
    const names = ['due.1', 'due.2', 'due.3']
    for (const name of names) {
      await createKey(t.kms, t.as('operator'), namespace, keyInput(name))
      await scheduleDestruction(t.kms, t.as('security-officer'), namespace, name, { days: 1 })
    }
    let calls = 0
    const failing = t.through((claim, asked) => {
      calls += 1
      if (calls === 1) throw new Error('a call that fails')
      return t.host.call(claim, asked)
    })
    await t.reopen(failing)
    const states = async () => {
      const found = names.map((name) => getKey(t.kms, t.as('operator'), namespace, name))
      return (await Promise.all(found)).map(({ state }) => state)
    }
    t.aheadMs = 2 * dayMs
    await runJobs(t.kms)
    assert.deepEqual((await states()).sort(), ['destroyed', 'destroyed', 'suspended'])
    assert(t.logged.some(({ message }) => message.includes('could not be destroyed')))
    await runJobs(t.kms)
    assert.deepEqual(await states(), ['destroyed', 'destroyed', 'destroyed'])
    t.aheadMs = 0
  })

  test('end with what started them', async () => {
    await using _jobs = startJobs(t.kms)
  })
})
