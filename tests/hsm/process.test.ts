/**
 * The matrix and the attacks of the files beside this one, through the door of a real module process
 * behind its wall: a command runs in the states of its row and in no other, and whatever bytes arrive,
 * in whatever state, the same process goes on (invariant 9).
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { commands } from '../../src/hsm/commands.ts'
import {
  type CommandName,
  type ModuleState,
  moduleStates,
} from '../../src/hsm/contract/commands.ts'
import { hsmErrorCodes } from '../../src/hsm/contract/errors.ts'
import { type Ask, encodeAsks } from '../../src/hsm/door.testing.ts'
import { MatrixDomain, refusedThere } from './matrix-asks.ts'
import { ProcessCaller } from './process-caller.ts'

const runs = process.env.KEYHOLD_LONG ? 20_000 : 500
/** Before it is unlocked a module remembers all that it was asked, and so not without end. */
const runsLocked = Math.min(runs / 4, 1_500)
const names = Object.keys(commands) as CommandName[]
/** After these, if they went well, a module is not what it was. */
const changing: ReadonlySet<CommandName> = new Set([
  ...(['found', 'stage', 'unlock', 'lock', 'changeKey', 'destroyKey'] as const),
  ...(['changeDomain', 'reportTamper', 'acknowledgeTamper', 'zeroise'] as const),
  ...(['beginEpoch', 'rotateKek'] as const),
])

/** What ends or stops a module, as it should. */
const ending: ReadonlySet<string> = new Set(['lock', 'reportTamper', 'zeroise'])
const refusals: Readonly<Partial<Record<ModuleState, string>>> = {
  failed: 'MODULE_FAILED',
  tampered: 'MODULE_TAMPERED',
}

const domain = await MatrixDomain.found()

async function openIn(state: ModuleState): Promise<ProcessCaller> {
  const caller = await ProcessCaller.start()
  if (state === 'locked') await domain.lock(caller)
  if (['operational', 'tampered', 'failed'].includes(state)) await domain.unlock(caller)
  if (state === 'tampered') {
    const signal = { signal: 'clock-back', detail: 'by hand' }
    await caller.ok({ command: 'reportTamper', arguments: signal })
  }
  if (state === 'failed') await caller.ok({ command: 'fail' })
  return caller
}

/** What a refused command must not change (invariant 11). */
async function standing(caller: ProcessCaller) {
  const { state, floorEntries, loadedKeys } = (await caller.ok({ command: 'getStatus' })).result
  return { state, floorEntries, loadedKeys }
}

suite('commands of a real module', () => {
  for (const state of moduleStates) {
    test(`a module that is ${state} does what the table says, and refuses the rest`, async () => {
      let caller = await openIn(state)
      for (const name of names) {
        const before = await standing(caller)
        assert.equal(before.state, state)
        const { error } = await caller.one({ command: name, ...(await domain.asks(caller))[name] })
        const refusal = refusals[state] ?? 'MODULE_STATE_INVALID'
        const expected = commands[name].states.includes(state) ? refusedThere[name] : refusal
        assert.equal(error?.code, expected, `${name}: ${error?.message}`)
        if (error) assert.deepEqual(await standing(caller), before, `${name}: invariant 11`)
        if (error || !changing.has(name)) continue
        if (name === 'lock') assert.equal((await caller.ended).kind, 'asked')
        if (name === 'zeroise')
          assert.equal((await caller.ended).kind, 'zeroised', JSON.stringify(await caller.ended))
        await caller[Symbol.asyncDispose]()
        caller = await openIn(state)
      }
      await caller[Symbol.asyncDispose]()
    })
  }
})

suite('any bytes into a real module', () => {
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
      await using caller = await openIn(state)
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
    await using caller = await openIn('operational')
    const asked = Object.entries(await domain.asks(caller)).filter(([name]) => !ending.has(name))
    const asks = asked.map(([command, ask]): Ask => ({ command, ...ask }))
    const change = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) })
    const changes = fc.array(change, { minLength: 1, maxLength: 4 })
    /** Altered in a few digits it is still no id of the caller's own requests. */
    const id = 9_000_000_000
    const check = fc.asyncProperty(fc.constantFrom(...asks), changes, async (ask, all) => {
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

test('what it was started with as the digest of its source, a real module attests', async () => {
  for (const digest of ['0f'.repeat(32), undefined]) {
    await using caller = await ProcessCaller.start(digest)
    await domain.unlock(caller)
    const ask = { command: 'attest', arguments: { nonce: '0f'.repeat(16) } }
    const { statement } = JSON.parse(
      Buffer.from((await caller.ok(ask)).parts.attestation ?? []).toString(),
    )
    assert.equal(statement.software.sourceManifest, digest ?? 'unverified')
    assert(statement.selfTests.passed >= 10)
    assert.match(statement.wall, /kernel filter/)
  }
})
