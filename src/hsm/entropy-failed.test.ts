/** Noise sources that had failed before there was a domain: a signal at founding and at each unlocking. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { refusesAndRecords } from './approvals.testing.ts'
import { Caller } from './door.testing.ts'
import { fixedClock, restarted, stagedAgain } from './restart.testing.ts'

const clock = fixedClock
const none = () => []
const dead = () => [{ name: 'dead', lastFailure: 'dead' } as const]
const random = { command: 'random', arguments: { lengthBytes: 16 } }
const acknowledge = { command: 'acknowledgeTamper' }

suite('a source that failed before', () => {
  test('stops a new domain, in its first snapshot, which no change goes with', async () => {
    const caller = new Caller({ clock, failedSources: dead })
    const { items, changes, leaves } = await caller.ask({
      command: 'found',
      arguments: { development: true, seal: 'key-file' },
      parts: { secret: caller.sealed('found', 'key-file', Buffer.alloc(32, 7)) },
    })
    assert.equal(items[0]?.error, undefined)
    assert.equal(changes.length, 0)
    const told = leaves.map(({ command, outcome }) => `${command} ${outcome}`)
    assert.deepEqual(told, ['tamper entropy-failed', 'found OK'])
    assert.equal(caller.module.reason, 'entropy-failed: dead: dead')
    await refusesAndRecords(caller, 'MODULE_TAMPERED', random)
    // It is known over a restart at which the source works.
    const next = await restarted(caller, { failedSources: none })
    assert.equal(next.module.state, 'tampered')
    await next.ok(acknowledge)
    await next.ok(random)
  })

  test('stops a module that is unlocked, at each start until it works', async () => {
    const caller = await Caller.founded({ clock, failedSources: none })
    await caller.ok(random)
    const next = await restarted(caller, { failedSources: dead })
    assert.equal(next.module.state, 'tampered')
    await next.ok(acknowledge)
    await next.ok(random)
    const again = await restarted(caller, { failedSources: dead })
    assert.equal(again.module.reason, 'entropy-failed: dead: dead')
    assert.equal((await restarted(caller, { failedSources: none })).module.state, 'operational')
  })

  test('zeroises where the domain asks for that', async () => {
    const caller = await Caller.founded({ clock, failedSources: none })
    const change = { tamper: { 'entropy-failed': 2 } }
    await caller.ok({ command: 'changeDomain', arguments: { change } })
    const { caller: next, unlock } = await stagedAgain(caller, { failedSources: dead })
    let certificate: Uint8Array | undefined
    next.module.tamper.onZeroised = (bytes) => {
      certificate = bytes
    }
    await unlock().catch(() => undefined)
    assert(next.module.tamper.isZeroised)
    assert.match(String(Buffer.from(certificate ?? [])), /entropy-failed/)
  })
})
