/**
 * Every command of the table in every state of a real module process, as a golden file: each request is
 * well formed, so what is refused is refused because of the state. And invariant 9 at the door of the
 * same process: any bytes are answered or refused with documented codes, and the process lives.
 */

import assert from 'node:assert/strict'
import { before, suite, test } from 'node:test'
import fc from 'fast-check'
import { commands } from '../../src/hsm/commands.ts'
import {
  type CommandName,
  type ModuleState,
  moduleStates,
} from '../../src/hsm/contract/commands.ts'
import { hsmErrorCodes } from '../../src/hsm/contract/errors.ts'
import { type Ask, encodeAsks } from '../../src/hsm/door.testing.ts'
import { Kit } from './every-command.ts'
import { ProcessCaller } from './process-caller.ts'

const runs = process.env.KEYHOLD_LONG ? 20_000 : 500
/** Before it is unlocked a module remembers all that it was asked, and so not without end. */
const runsLocked = Math.min(runs / 4, 1_500)

let kit: Kit
before(async () => {
  kit = await Kit.make()
})

const openIn: Readonly<Record<ModuleState, () => Promise<ProcessCaller>>> = {
  uninitialised: () => ProcessCaller.start(),
  locked: () => kit.locked(),
  operational: () => kit.operational(),
  failed: async () => {
    const caller = await kit.operational()
    await caller.ok({ command: 'fail' })
    return caller
  },
}

/** What a refused command must not change (invariant 11). */
async function standing(caller: ProcessCaller) {
  const { state, floorEntries, loadedKeys } = (await caller.ok({ command: 'getStatus' })).result
  return { state, floorEntries, loadedKeys }
}

suite('commands and states', () => {
  test('what each command comes to in each state', async (t) => {
    const names = Object.keys(commands) as CommandName[]
    const lines = new Map(names.map((name) => [name, name.padEnd(16)]))
    for (const state of moduleStates) {
      let caller = await openIn[state]()
      for (const name of names) {
        const then = await standing(caller)
        assert.equal(then.state, state)
        const { error } = await caller.one(kit.ask(name, caller))
        if (error) assert.deepEqual(await standing(caller), then, `${name} when ${state}`)
        const outcome = `${state}: ${error?.code ?? 'OK'}`
        lines.set(name, `${lines.get(name)}${outcome.padEnd(36)}`)
        const moved = !error && ['found', 'stage', 'unlock', 'lock'].includes(name)
        if (!moved) continue
        if (name === 'lock') assert.equal((await caller.ended).kind, 'asked')
        await caller[Symbol.asyncDispose]()
        caller = await openIn[state]()
      }
      await caller[Symbol.asyncDispose]()
    }
    t.assert.snapshot([...lines.values()].map((line) => line.trimEnd()))
  })
})

suite('any bytes', () => {
  const codes: ReadonlySet<unknown> = new Set(hsmErrorCodes)

  /** Whatever came back is an answer, a notice, or a refusal with a code of the contract. */
  async function assertLives(caller: ProcessCaller): Promise<void> {
    await caller.acknowledge()
    for (const { header } of caller.frames.splice(0)) {
      const { error, items = [] } = header as { error?: object; items?: { error?: object }[] }
      for (const refusal of [error, ...items.map((item) => item.error)]) {
        if (refusal) assert(codes.has((refusal as { code: unknown }).code), JSON.stringify(header))
      }
    }
  }

  test('invariant 9: frames of any content, in every state', async () => {
    for (const state of moduleStates) {
      await using caller = await openIn[state]()
      const check = fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), async (bytes) => {
        const frame = Buffer.concat([Buffer.alloc(4), bytes])
        frame.writeUInt32BE(bytes.length)
        caller.write(frame)
        await assertLives(caller)
      })
      await fc.assert(check, { numRuns: state === 'operational' ? runs : runsLocked })
      assert.equal(caller.end, undefined)
    }
  })

  test('invariant 9: a request for any command with any of its bytes changed', async () => {
    await using caller = await kit.operational()
    const names = (Object.keys(commands) as CommandName[]).filter((name) => name !== 'lock')
    const asks = names.map((name) => kit.ask(name, caller))
    const change = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) })
    const changes = fc.array(change, { minLength: 1, maxLength: 4 })
    let id = 1_000_000
    const check = fc.asyncProperty(fc.constantFrom(...asks), changes, async (ask: Ask, all) => {
      id += 1
      const frame = encodeAsks(id, [ask])
      // The length stays: another one only moves where the next frame begins.
      for (const { at, to } of all) frame.writeUInt8(to, 4 + (at % (frame.length - 4)))
      caller.write(frame)
      await assertLives(caller)
    })
    await fc.assert(check, { numRuns: runs * 2 })
    assert.equal(caller.end, undefined)
    assert.equal((await caller.stop()).kind, 'asked')
  })

  test('invariant 9: a door that closes in the middle of anything ends the module in peace', async () => {
    for (const bytes of [[], [0, 0], [0, 0, 1, 0, 0], [255, 255, 255, 255, 1]]) {
      await using caller = await ProcessCaller.start()
      caller.write(Uint8Array.from(bytes))
      const { kind, output } = await caller.stop()
      assert.deepEqual([kind, output], ['asked', ''])
    }
  })
})
