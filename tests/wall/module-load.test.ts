/**
 * The module itself behind its wall, under every command and every type of key, several callers at a
 * time: it answers all of it, prints nothing, and ends when it is asked to. Seconds here, ten minutes in
 * the long run.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { commands } from '../../src/hsm/commands.ts'
import type { AlgorithmRow, KeyTypeName } from '../../src/hsm/contract/algorithms.ts'
import { algorithms, algorithmsOf, keyTypes } from '../../src/hsm/contract/algorithms.ts'
import type { CommandName } from '../../src/hsm/contract/commands.ts'
import { type Ask, newKeyId, template } from '../../src/hsm/door.testing.ts'
import { MatrixDomain, refusedThere } from '../hsm/matrix-asks.ts'
import { ProcessCaller } from '../hsm/process-caller.ts'

const loadMs = process.env.KEYHOLD_LONG ? 600_000 : 3_000
const callersAtATime = 8

/** These end or stop it, or leave the keys of the domain other than they were. */
const last: ReadonlySet<CommandName> = new Set([
  ...(['lock', 'reportTamper', 'zeroise', 'changeKey', 'destroyKey'] as const),
  ...(['rotateKek', 'retireKek', 'beginEpoch', 'takeEpochSnapshot'] as const),
  ...(['commitEpoch', 'abortEpoch'] as const),
])
const names = (Object.keys(commands) as CommandName[]).filter((name) => !last.has(name))
/** Refused, which is work as well. */
const refused: ReadonlySet<CommandName> = new Set([
  ...(['found', 'stage', 'unlock', 'acknowledgeTamper', 'offerShare', 'sampleNoise'] as const),
])
/** One at a time; the next caller is told so. */
const busy: ReadonlySet<string> = new Set(['MODULE_BUSY'])

suite('the module behind the wall', () => {
  test(`every command for ${loadMs / 1000} s`, { timeout: loadMs + 60_000 }, async (t) => {
    const domain = await MatrixDomain.found()
    await using caller = await domain.unlock(await ProcessCaller.start())
    const end = performance.now() + loadMs
    let rounds = 0
    const work = async (): Promise<void> => {
      while (performance.now() < end) {
        await everyCommand(domain, caller)
        await aKeyOfEachType(caller, rounds)
        await caller.acknowledge()
        caller.frames.length = 0
        rounds += 1
      }
    }
    await Promise.all(Array.from({ length: callersAtATime }, work))
    const { residentBytes, state } = (await caller.ok({ command: 'getStatus' })).result
    t.diagnostic(`${rounds} rounds, at most ${Math.round(Number(residentBytes) / 2 ** 20)} MiB`)
    assert.equal(state, 'operational')
    assert(Number(residentBytes) < 512 * 2 ** 20, 'memory without bound')
    const { kind, output } = await caller.stop()
    assert.deepEqual([kind, output], ['asked', ''])
  })
})

async function everyCommand(domain: MatrixDomain, caller: ProcessCaller): Promise<void> {
  for (const name of names) {
    // Asked for anew each time, because every key that is made needs an id of its own.
    const ask = (await domain.asks(caller))[name]
    const code = (await caller.one({ command: name, ...ask })).error?.code
    if (refused.has(name)) assert.equal(code, 'MODULE_STATE_INVALID')
    else assert(code === refusedThere[name] || busy.has(String(code)), `${name}: ${code}`)
  }
}

/** Primes above 2048 bits, and the small signatures of SLH-DSA, take a second and more. */
function isSlow(type: KeyTypeName): boolean {
  return type.startsWith('RSA') || /^SLH-DSA.*s$/.test(type)
}

/** Made, used and destroyed; slow ones only now and then. */
async function aKeyOfEachType(caller: ProcessCaller, round: number): Promise<void> {
  for (const type of Object.keys(keyTypes) as KeyTypeName[]) {
    if (isSlow(type) && (type === 'RSA-4096' || round % 16 !== 15)) continue
    // Others' keys, which are imported to verify.
    if (type === 'P-224') continue
    const [algorithm] = algorithmsOf(type)
    assert(algorithm)
    const { uses }: AlgorithmRow = algorithms[algorithm]
    const of = template(type, [algorithm], uses.slice(0, 2))
    const reference = { key: newKeyId(), version: 1 }
    const make: Ask = { command: 'generateKey', arguments: { ...reference, template: of } }
    const { wrapped } = (await caller.ok(make)).parts
    assert(wrapped)
    await caller.ok({ command: 'unloadKey', arguments: reference })
    await caller.ok({ command: 'loadKey', arguments: reference, parts: { wrapped } })
    if (uses.includes('sign')) {
      const parts = { data: Buffer.alloc(64, round) }
      await caller.ok({ command: 'sign', arguments: reference, parts })
    }
    if (round % 8 === 0) await caller.ok({ command: 'destroyKey', arguments: reference })
  }
}
