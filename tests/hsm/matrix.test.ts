/**
 * Every command of the table in every state of the module, asked well-formed and with real keys, as a
 * golden file; and whatever is refused changes nothing. A command whose state is checked too late, or a
 * new one that nobody decided on, shows in the golden file.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { commandTable } from '../../src/hsm/commands.ts'
import type { CommandName, ModuleState } from '../../src/hsm/contract/commands.ts'
import { type Ask, Caller } from '../../src/hsm/door.testing.ts'
import { MatrixDomain } from './matrix-asks.ts'

const domain = await MatrixDomain.found()

const states: Readonly<Record<ModuleState, () => Promise<Caller>>> = {
  uninitialised: async () => new Caller(),
  locked: () => domain.lock(new Caller()),
  operational: () => domain.unlock(new Caller()),
  tampered: async () => {
    const caller = await domain.unlock(new Caller())
    caller.module.tamper.signal('clock-back', 'by hand')
    return caller
  },
  failed: async () => {
    const caller = await domain.unlock(new Caller())
    caller.module.fail('by hand')
    return caller
  },
}

/** What a refused command must leave as it was. */
async function standing(caller: Caller): Promise<object> {
  const { result } = await caller.ok({ command: 'getStatus' })
  const { state, reason, moduleId, loadedKeys, floorEntries } = result
  const staged = caller.module.staged.snapshot.length
  return { state, reason, moduleId, loadedKeys, floorEntries, staged }
}

async function outcome(caller: Caller, ask: Ask): Promise<string> {
  const before = await standing(caller)
  const code = await caller.refusal(ask)
  if (code === undefined) return 'OK'
  assert.deepEqual(await standing(caller), before, `${ask.command}: invariant 11`)
  return code
}

suite('commands and states', () => {
  test('what each command comes to in each state', async (t) => {
    const lines: string[] = []
    for (const name of commandTable().keys()) {
      let line = name.padEnd(18)
      for (const [state, open] of Object.entries(states)) {
        const caller = await open()
        assert.equal(caller.module.state, state)
        const ask = { command: name, ...(await domain.asks(caller))[name as CommandName] }
        line += `${state}: ${await outcome(caller, ask)}`.padEnd(36)
      }
      lines.push(line.trimEnd())
    }
    t.assert.snapshot(lines)
  })

  test('a command that does not exist is refused in every state', async () => {
    for (const open of Object.values(states)) {
      const caller = await open()
      for (const command of ['', 'Sign', 'constructor', '__proto__', 'hasOwnProperty']) {
        assert.equal(await outcome(caller, { command }), 'COMMAND_UNKNOWN')
      }
    }
  })

  test('while the module locks, nothing new begins', async () => {
    const caller = await states.operational()
    caller.module.beginLock()
    for (const name of commandTable().keys()) {
      const ask = { command: name, ...(await domain.asks(caller))[name as CommandName] }
      assert.equal(await caller.refusal(ask), 'MODULE_STATE_INVALID', name)
    }
  })
})
