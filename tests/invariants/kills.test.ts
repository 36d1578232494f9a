/**
 * Invariants 4 and 5 through the whole server: its module and all of it are killed with SIGKILL at random
 * moments of a load over REST (killed-server.ts). What was acknowledged holds, nothing is half there, and
 * whatever was answered is in the record. `npm run test:long` does ten times as much.
 */

import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { base64, bytesOf, keysPath } from '../rest/people.ts'
import { type Change, KilledServer, type Life } from './killed-server.ts'
import { type ReadRecord, readRecord } from './record.ts'

const [changes, killsOfEach] = process.env.KEYHOLD_LONG ? [10_000, 30] : [1_000, 5]

let there: KilledServer
let record: ReadRecord

before(
  async () => {
    there = await KilledServer.start()
    await there.run(changes, killsOfEach)
    record = await readRecord(there.installation.server)
  },
  { timeout: process.env.KEYHOLD_LONG ? 480_000 : 240_000 },
)
after(() => there?.[Symbol.asyncDispose]())

/** States in which a key may be: the one that was acknowledged, or the one that was asked for last. */
function statesOf({ acknowledged, unanswered }: Life): string[] {
  const after = (done: readonly Change[]) => {
    const last = done.findLast((change) => change !== 'rotate')
    if (last === undefined) return 'absent'
    return { create: 'active', enable: 'active', disable: 'suspended', destroy: 'destroyed' }[last]
  }
  const states = [after(acknowledged)]
  if (unanswered !== undefined) states.push(after([...acknowledged, unanswered]))
  return states
}

suite('after kill -9 at random moments', { timeout: 600_000 }, () => {
  test('invariant 4: every key is in the state that was acknowledged', async (t) => {
    const { kills, acknowledged, keys, installation } = there
    t.diagnostic(`${acknowledged} changes of ${keys.size} keys, ${JSON.stringify(kills)} kills`)
    for (const [name, life] of keys) {
      const { status, body } = await installation.server.call('GET', `${keysPath}/${name}`)
      const state = status === 404 ? 'absent' : body.state
      const allowed = statesOf(life)
      assert(allowed.includes(String(state)), `${name} is ${state}, not ${allowed.join(' or ')}`)
      if (status === 404) continue
      const rotations = life.acknowledged.filter((change) => change === 'rotate').length
      const versions = [1 + rotations, 1 + rotations + Number(life.unanswered === 'rotate')]
      assert(versions.includes(Number(body.currentVersion)), name)
    }
  })

  test('invariant 4: every key that is there works, in every version', async () => {
    const { keys, installation } = there
    for (const name of keys.keys()) {
      const key = await installation.server.call('GET', `${keysPath}/${name}`)
      if (key.status === 404 || key.body.state === 'destroyed') continue
      if (key.body.state === 'suspended') {
        await installation.server.ok('POST', `${keysPath}/${name}/enable`)
      }
      await installation.grant(name, ['sign', 'verify'])
      await assertWorks(name, Number(key.body.currentVersion))
    }
  })

  test('invariant 4: every acknowledged destruction holds', async () => {
    const { keys, installation } = there
    let destroyed = 0
    for (const [name, { acknowledged }] of keys) {
      if (!acknowledged.includes('destroy')) continue
      destroyed += 1
      const { body } = await installation.server.ok('GET', `${keysPath}/${name}/versions`)
      for (const version of body.items as readonly { readonly state: string }[]) {
        assert.equal(version.state, 'destroyed')
      }
      for (const change of ['enable', 'rotate', 'cancel-destruction']) {
        const answer = await installation.server.call('POST', `${keysPath}/${name}/${change}`)
        assert.equal(answer.body.code, 'KEY_DESTROYED', `${name} ${change}: ${answer.text}`)
      }
    }
    assert(destroyed > 0)
  })

  test('invariant 4: the record has no gap, and every head fits it', () => {
    const { size, heads } = record.verified
    assert(record.leaves.length >= size)
    assert(heads > 0 && size >= there.acknowledged)
    for (const [index, leaf] of record.leaves.entries()) assert.equal(leaf.sequence, index)
  })

  test('invariant 5: whatever was answered is in the record', () => {
    const done = new Set(
      record.leaves.filter(({ outcome }) => outcome === 'OK').map(({ requestId }) => requestId),
    )
    for (const id of there.answered) assert(done.has(id), `${id} is not in the record`)
    assert(there.answered.length >= there.acknowledged)
  })
})

async function assertWorks(name: string, currentVersion: number): Promise<void> {
  const { installation } = there
  const message = Buffer.from(name)
  const signed = await installation.use(name, 'sign', { data: base64(message) })
  assert.equal(signed.status, 200, `${name}: ${signed.text}`)
  for (let version = 1; version <= currentVersion; version += 1) {
    const path = `${keysPath}/${name}/public-key?version=${version}`
    const { body } = await installation.server.ok('GET', path)
    const key = createPublicKey({ key: bytesOf(body.spki), format: 'der', type: 'spki' })
    const isNew = version === currentVersion
    assert.equal(verify('sha256', message, key, bytesOf(signed.body.signature)), isNew, name)
    // An older version still verifies what it signed: that it loads is what counts here.
    const input = { data: base64(message), signature: signed.body.signature, version }
    const verified = await installation.use(name, 'verify', input)
    assert.deepEqual([verified.status, verified.body.valid], [200, isNew], verified.text)
  }
}
