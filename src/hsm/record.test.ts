/**
 * The record goes on only where it was: whatever a host loses, moves, repeats or takes from another
 * record of the same module is refused. And its clock.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { verifyCheckpoint } from './contract/checkpoint.ts'
import { decodeLeaf, decodeLeafGroup, leafFlagClaimed } from './contract/leaf.ts'
import { Domain } from './domain.ts'
import { type LeafEntry, ModuleRecord, Prelude, type StoredRecord, systemClock } from './record.ts'

const entry: LeafEntry = {
  ...{ command: 'sign', outcome: 'OK', key: '', version: 0, identity: '', requestId: '' },
  ...{ protocol: '', address: '', argumentsDigest: Buffer.alloc(32) },
}
const nothing = { storedSize: 0, lastMicros: 0 }

/** A record of one leaf a group, with its groups. */
function recordOf(domain: Domain, leaves: number, startMicros = 1_000) {
  let now = startMicros
  const clock = () => {
    now += 1
    return now
  }
  const record = ModuleRecord.start(domain, clock)
  const add = () => {
    record.add(entry)
    return record.closeGroup()
  }
  return { record, add, groups: Array.from({ length: leaves }, add) }
}

function resume(domain: Domain, stored: Partial<StoredRecord>, least = nothing): ModuleRecord {
  const whole = { head: undefined, frontier: new Uint8Array(), groups: [], ...stored }
  return ModuleRecord.resume(domain, whole, least, () => 5_000)
}

suite('heads', () => {
  test('ML-DSA-65 signs once a second at most, and always a head that is due for its time', () => {
    using domain = Domain.found({ development: true })
    let now = 1_000_000
    const record = ModuleRecord.start(domain, () => now)
    const isPostQuantum = (afterMs: number) => {
      now += afterMs * 1_000
      record.add(entry)
      record.closeGroup()
      const isDue = record.headDue()
      const found = verifyCheckpoint(record.signHead(), domain.logKeys)
      assert.equal(found.size, record.size)
      if (isDue) assert(found.isPostQuantum)
      return found.isPostQuantum
    }
    const waits = [0, 999, 1, 500, 500, 1_000, 1, 1_000]
    const expected = [true, false, true, false, true, true, false, true]
    assert.deepEqual(waits.map(isPostQuantum), expected)
  })
})

suite('a record that goes on', () => {
  test('from its groups, or from a head and the groups behind it', () => {
    using domain = Domain.found({ development: true })
    const { record, add, groups } = recordOf(domain, 2)
    assert.equal(resume(domain, { groups }).size, 2)
    // The frontier of a tree of two leaves is its root.
    const signed = () => {
      const note = record.signHead()
      return { head: note, frontier: Buffer.from(note.split('\n')[2] ?? '', 'base64') }
    }
    const head = signed()
    const after = [add(), add()]
    const resumed = resume(domain, { ...head, groups: after })
    assert.equal(resumed.size, 4)
    assert.equal(resume(domain, { ...head, groups: after.slice(0, 1) }).size, 3)
  })

  test('a group that is missing, moved, repeated, altered or of another record is refused', () => {
    using domain = Domain.found({ development: true })
    using other = Domain.found({ development: true })
    const { groups } = recordOf(domain, 3)
    const [a, b, c] = groups
    const [foreign] = recordOf(other, 1).groups
    const [otherTimes] = recordOf(domain, 1, 9_000).groups
    assert(a && b && c && foreign && otherTimes)
    const altered = Buffer.from(b)
    altered.writeUInt8(altered.readUInt8(12) ^ 1, 12)
    for (const wrong of [
      [b],
      [a, c],
      [b, a],
      [a, a],
      [a, altered],
      [foreign],
      [otherTimes, b],
      [a, b.subarray(1)],
      [a, new Uint8Array()],
    ]) {
      assert.throws(() => resume(domain, { groups: wrong }), { code: 'RECORD_INVALID' })
    }
  })

  test('a head with groups from before it, of another frontier or of another module is refused', () => {
    using domain = Domain.found({ development: true })
    using other = Domain.found({ development: true })
    const { record, groups } = recordOf(domain, 1)
    const head = record.signHead()
    const frontier = Buffer.from(head.split('\n')[2] ?? '', 'base64')
    assert.equal(resume(domain, { head, frontier }).size, 1)
    const invalid = { code: 'RECORD_INVALID' }
    assert.throws(() => resume(domain, { head, frontier, groups }), invalid)
    assert.throws(() => resume(domain, { head, frontier: Buffer.alloc(32) }), invalid)
    assert.throws(() => resume(domain, { head, frontier: frontier.subarray(1) }), invalid)
    assert.throws(() => resume(domain, { head }), invalid)
    assert.throws(() => resume(domain, { frontier }), invalid)
    assert.throws(() => resume(other, { head, frontier }), invalid)
    assert.throws(() => resume(domain, { head: head.slice(0, -10), frontier }), invalid)
  })

  test('a record that is shorter than the sealed state has seen is refused', () => {
    using domain = Domain.found({ development: true })
    const { groups } = recordOf(domain, 3)
    const least = { storedSize: 3, lastMicros: 0 }
    assert.equal(resume(domain, { groups }, least).size, 3)
    assert.throws(() => resume(domain, { groups: groups.slice(0, 2) }, least), {
      code: 'RECORD_INVALID',
    })
  })

  test('leaves are never before those that the sealed state has seen', () => {
    using domain = Domain.found({ development: true })
    const resumed = resume(domain, {}, { storedSize: 0, lastMicros: 7_000 })
    resumed.add(entry)
    assert.equal(resumed.lastMicros, 7_000)
  })
})

suite('the prelude', () => {
  /** Groups of an earlier process, and the prelude of this one, at these times. */
  function preludes(earlier: number, own: number) {
    const [before, now] = [new Prelude(() => earlier), new Prelude(() => own)]
    before.add({ ...entry, command: 'stage' })
    now.add({ ...entry, command: 'unlock' })
    return { groups: [before.closeGroup()], own: now }
  }

  test("becomes leaves of the record: the host's first and marked, with times that go on", () => {
    using domain = Domain.found({ development: true })
    const { groups, own } = preludes(9_000, 4_000)
    const record = resume(domain, {}, { storedSize: 0, lastMicros: 4_500 })
    record.takePrelude(groups, own)
    const leaves = decodeLeafGroup(record.closeGroup()).leaves.map(decodeLeaf)
    assert.partialDeepStrictEqual(leaves, [
      // The host says that it was in the future: not later than the record's clock, 5,000.
      { sequence: 0, command: 'stage', flags: leafFlagClaimed, timeMicros: 5_000 },
      { sequence: 1, command: 'unlock', flags: 0, timeMicros: 5_000 },
    ])
    for (const { moduleId } of leaves) assert.deepEqual(moduleId, domain.moduleId)
  })

  test('groups that end in no zeros, or are no groups, are refused and add nothing', () => {
    using domain = Domain.found({ development: true })
    const { groups, own } = preludes(1_000, 2_000)
    const [group] = groups
    const [chained] = recordOf(domain, 1).groups
    assert(group && chained)
    for (const wrong of [[chained], [group, group.subarray(1)], [group, new Uint8Array()]]) {
      const record = resume(domain, {})
      assert.throws(() => record.takePrelude(wrong, own), { code: 'RECORD_INVALID' })
      assert.equal(record.size, 0)
    }
  })
})

suite('the clock', () => {
  test('follows the system forwards, as after a sleep, and not back', (t) => {
    const before = systemClock()
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 3_600_000 })
    const ahead = systemClock()
    assert(ahead >= before + 3_599_000_000)
    t.mock.timers.reset()
    t.mock.timers.enable({ apis: ['Date'], now: 0 })
    assert(systemClock() >= before)
  })
})
