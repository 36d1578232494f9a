/**
 * Invariant 4 where a policy becomes weaker: the manager is killed behind the module's answer, after each
 * of the writes to its database that follow. At its next start every key of before is marked as destroyed,
 * with its certificate, before any call; and new keys are made.
 */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { suite, test } from 'node:test'
import { ensureAuthority } from '../../src/kms/authority.ts'
import { systemCaller } from '../../src/kms/commands.ts'
import { readPlan, weakeningCertificate } from '../../src/kms/domain/rotation-plan.ts'
import { generateKey } from '../../src/kms/keys/create.ts'
import { knownKey } from '../../src/kms/keys/known-keys.ts'
import { openKms } from '../../src/kms/open.ts'
import { findKeyVersion } from '../../src/storage/key-versions.ts'
import { openAt, withFolder } from '../host/open.ts'

const namespace = 'default'
const script = path.join(import.meta.dirname, 'weakening-load.ts')

/** The plan, the certificate, the rows, the authority's key and certificate, the end of the plan. */
const writesBefore = process.env.KEYHOLD_LONG ? [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] : [0, 2, 3]

suite('kills while a policy becomes weaker', () => {
  test(
    'behind the answer of the module and after each write that follows',
    { timeout: 120_000 },
    withFolder(async (folder) => {
      const ends = []
      for (const writes of writesBefore) {
        const name = `before-${writes}`
        const { signal, status, stderr } = run(folder, name, writes)
        await check(folder, name)
        if (status === 0) ends.push(writes)
        else assert.equal(signal, 'SIGKILL', stderr)
      }
      assert.deepEqual(ends, writesBefore.includes(9) ? [9] : [])
    }),
  )
})

function run(folder: string, name: string, writes: number) {
  const args = [script, folder, name, String(writes)]
  return spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 })
}

async function check(folder: string, name: string): Promise<void> {
  await using host = await openAt(folder)
  await using kms = await openKms({ folder, host, now: Date.now, log: () => undefined })
  const key = await knownKey(kms, namespace, name)
  assert.equal(key?.state, 'destroyed')
  const row = await findKeyVersion(kms.db.query, { keyId: key.id, version: 1 })
  assert.deepEqual([row?.wrapped, row?.state], [null, 'destroyed'])
  assert(await weakeningCertificate(kms, row?.destroyedBy))
  assert.partialDeepStrictEqual(await readPlan(kms), { kind: 'weaken', phase: 'done' })
  await ensureAuthority(kms)
  const input = { name: `${name}-after`, owner: 'Ada', purpose: 'load', type: 'P-256' } as const
  await generateKey(kms, systemCaller('check'), { namespace, input })
}
