/** The generator in a real module process, behind its wall. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProcessCaller } from './process-caller.ts'

test('a module of which no noise source passes its start-up test has failed, and says why', async () => {
  await using caller = ProcessCaller.startFailing('bad-noise-entry.ts')
  const { result } = await caller.ok({ command: 'getStatus' })
  assert.equal(result.state, 'failed')
  assert.equal(result.reason, 'no source of entropy is left')
  for (const command of ['getTransportKey', 'random', 'found']) {
    const { error } = await caller.one({ command, arguments: {} })
    assert.equal(error?.code, 'MODULE_FAILED', command)
  }
  assert.equal((await caller.stop()).kind, 'asked')
})

test('a noise source that fails at work is a tamper signal; the module stops, and goes on seeding from the other', async () => {
  await using caller = await ProcessCaller.start(undefined, 'fading-noise-entry.ts')
  const secret = await caller.sealed('found', 'key-file', Buffer.alloc(32, 7))
  const args = { development: true, seal: 'key-file' }
  await caller.ok({ command: 'found', arguments: args, parts: { secret } })
  const ask = { command: 'random', arguments: { lengthBytes: 32, predictionResistance: true } }
  let requests = 0
  let code: string | undefined
  for (; requests < 20 && code === undefined; requests += 1) {
    await caller.acknowledge()
    code = (await caller.one(ask)).error?.code
  }
  // Twelve blocks were good, some of which the founding took.
  assert(requests > 2 && requests <= 13, `${requests}`)
  assert.equal(code, 'MODULE_TAMPERED')
  const { result } = await caller.ok({ command: 'getStatus' })
  assert.equal(result.state, 'tampered')
  assert.equal(result.reason, 'entropy-failed: fading: repetition')
  const { sources } = (await caller.ok({ command: 'getEntropyStatus' })).result as {
    sources: readonly { name: string; state: string }[]
  }
  assert.deepEqual(
    sources.map(({ name, state }) => `${name} ${state}`),
    ['steady healthy', 'fading failed'],
  )
})
