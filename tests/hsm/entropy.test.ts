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
