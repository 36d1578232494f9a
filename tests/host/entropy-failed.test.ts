/**
 * A noise source that is dead when the module starts: founded or opened, it is stopped and says why, what the
 * host keeps of a founding opens again, and an officer's acknowledgement holds until the next start.
 */

import assert from 'node:assert/strict'
import path from 'node:path'
import { suite, test } from 'node:test'
import type { Host } from '../../src/host/host.ts'
import { call, claimOf, openAt, random, withFolder } from './open.ts'

const entry = path.join(import.meta.dirname, '..', 'hsm', 'dead-noise-entry.ts')

async function assertStopped(host: Host): Promise<void> {
  const [status] = await host.call(claimOf('status'), [call('getStatus', {}, {})])
  assert(status && 'result' in status)
  const { state, reason } = status.result as { state: string; reason: string }
  assert.deepEqual([state, reason], ['tampered', 'entropy-failed: dead: dead'])
  const [refused] = await host.call(claimOf('random'), [random])
  assert(refused && 'error' in refused)
  assert.equal(refused.error.code, 'MODULE_TAMPERED')
}

async function acknowledge(host: Host): Promise<void> {
  const [done] = await host.call(claimOf('officer'), [call('acknowledgeTamper', {}, {})])
  assert(done && 'result' in done)
  const [bytes] = await host.call(claimOf('random'), [random])
  assert(bytes && 'result' in bytes)
}

suite('a source that is dead at the start', () => {
  test(
    'a domain that is founded, and one that is opened, are stopped',
    withFolder(async (folder) => {
      for (const _ of ['founded', 'opened', 'opened again']) {
        await using host = await openAt(folder, { entry })
        await assertStopped(host)
        await acknowledge(host)
      }
      await using host = await openAt(folder)
      assert.equal((await host.call(claimOf('healthy'), [random])).length, 1)
    }),
  )
})
