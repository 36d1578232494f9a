/**
 * Every published answer that applies to an algorithm of the registry: the key is imported, the command
 * given, and the outcome compared. A case that must be refused counts as much as one that must work.
 */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite, test } from 'node:test'
import { type AlgorithmName, algorithms } from '../src/hsm/contract/algorithms.ts'
import { openAt } from './host/open.ts'
import { allCases } from './vectors/all.ts'
import type { Expectation, VectorCase, VectorOutcome, VectorTarget } from './vectors/case.ts'
import { DoorTarget } from './vectors/door-target.ts'

/** OpenSSL stands for what nobody publishes: interop/wrapped-private-keys.test.ts, interop/hpke.test.ts. */
const unpublished = [
  'RSA-AES-KEY-WRAP-SHA-256',
  'RSA-AES-KEY-WRAP-SHA-384',
  'RSA-AES-KEY-WRAP-SHA-512',
  'HPKE-P-384-HKDF-SHA-384-AES-256-GCM',
]

suite('published vectors', () => {
  test('every case comes out as published, through the door of a module', async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-vectors-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    await using host = await openAt(path.join(folder, 'data'))
    const target = await DoorTarget.open(host)
    const { counts, failures } = await runAll(allCases(), target)
    t.diagnostic(`beside the door, for what a module never does: ${target.aside} cases`)
    for (const name of Object.keys(algorithms) as AlgorithmName[]) {
      const { done = 0, refused = 0 } = counts.get(name) ?? {}
      t.diagnostic(`${name.padEnd(42)} ${String(done).padStart(5)} cases, ${refused} refusals`)
    }
    assert.deepEqual(failures, [])
    const without = Object.keys(algorithms).filter((name) => !counts.has(name as AlgorithmName))
    assert.deepEqual(without, unpublished, 'every other algorithm has a published case')
  })
})

/** Slow operations run beside each other, as they would for several callers. */
const casesInFlight = 32

interface Count {
  done: number
  /** Of those, the ones that must be refused or not verify. */
  refused: number
}

async function runAll(
  cases: Iterable<VectorCase>,
  target: VectorTarget,
): Promise<{ counts: Map<AlgorithmName, Count>; failures: string[] }> {
  const counts = new Map<AlgorithmName, Count>()
  const failures: string[] = []
  const waiting = cases[Symbol.iterator]()
  const work = async (): Promise<void> => {
    for (let next = waiting.next(); !next.done; next = waiting.next()) {
      const { algorithm, id, command, expect } = next.value
      const difference = differs(expect, await target.run(next.value))
      if (difference) failures.push(`${id} ${command}: ${difference}`)
      const count = counts.get(algorithm) ?? { done: 0, refused: 0 }
      count.done += 1
      if ('refused' in expect || ('valid' in expect && !expect.valid)) count.refused += 1
      counts.set(algorithm, count)
    }
  }
  await Promise.all(Array.from({ length: casesInFlight }, work))
  return { counts, failures }
}

/** What is wrong, or nothing. */
function differs(expect: Expectation, outcome: VectorOutcome): string | undefined {
  const got = 'bytes' in outcome ? Buffer.from(outcome.bytes).toString('hex') : outcome
  const seen = `got ${JSON.stringify(got)}`
  if ('bytes' in expect) {
    const expected = Buffer.from(expect.bytes).toString('hex')
    return got === expected ? undefined : `${seen}, expected ${expected}`
  }
  if ('valid' in expect) {
    const same = 'valid' in outcome && outcome.valid === expect.valid
    return same ? undefined : `${seen}, expected valid: ${expect.valid}`
  }
  const same = 'refused' in outcome && expect.refused.includes(outcome.refused)
  return same ? undefined : `${seen}, expected ${expect.refused.join(' or ')}`
}
