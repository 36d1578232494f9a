/**
 * The sealed state opens only as a whole, in its order and for its module: whatever a host loses, moves,
 * repeats, alters or takes from elsewhere is refused. And what a snapshot holds while the state goes on.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { parseKeyId } from './contract/keys.ts'
import { Domain } from './domain.ts'
import { foundDomainState, foundingWithoutPeople } from './domain-state.ts'
import { destroyedRevision, Floor } from './floor.ts'
import { Ledger } from './ledger.ts'
import { openSealedState, SealedState } from './sealed-state.ts'
import { Secret } from './secret.ts'
import { stateChange } from './state-change.ts'

const invalid = { code: 'STATE_INVALID' }
const record = { storedSize: 5, lastMicros: 1_000 }
const keyOf = (number: number) => parseKeyId(`key_${number.toString(16).padStart(32, '0')}`)

/** A domain with its floor and state; `destroy` seals a change, `snapshot` takes all pieces. */
function newState() {
  const domain = Domain.found({ development: true })
  const floor = new Floor()
  const founded = { custodians: null, time: 1 }
  const ledger = new Ledger(foundDomainState(domain, foundingWithoutPeople, founded))
  const state = new SealedState({ domain, floor, ledger }, record)
  const destroy = (number: number) =>
    state.sealChange(stateChange('floor', floor.raise(keyOf(number), 1, destroyedRevision)))
  return { domain, floor, state, destroy, snapshot: () => snapshotOf(state) }
}

function snapshotOf(state: SealedState): Uint8Array[] {
  const { bytes, pieces } = state.snapshotPiece(0)
  const others = Array.from({ length: pieces - 1 }, (_, index) => state.snapshotPiece(1 + index))
  return [bytes, ...others.map((piece) => piece.bytes)]
}

function open(of: Domain, snapshot: readonly Uint8Array[], changes: readonly Uint8Array[] = []) {
  const root = of.root.expose((bytes) => Secret.copyOf(bytes))
  const { domain, floor, position } = openSealedState(root, of.domainId, { snapshot, changes })
  domain[Symbol.dispose]()
  return { floor, position }
}

suite('a sealed state', () => {
  test('a snapshot and the changes behind it give what there was', () => {
    const { domain, floor, destroy, snapshot } = newState()
    const first = snapshot()
    const changes = [destroy(1), destroy(2)]
    const opened = open(domain, first, changes)
    assert.deepEqual(opened.floor.copyEntries(), floor.copyEntries())
    assert.partialDeepStrictEqual(opened.position, { generation: 1, changes: 2, record })
    const second = snapshot()
    const { position } = open(domain, second, [destroy(3)])
    assert.partialDeepStrictEqual(position, { generation: 2, changes: 3 })
  })

  test('a snapshot that was never finished leaves the older one with all changes', () => {
    const { domain, state, destroy, snapshot } = newState()
    const first = snapshot()
    const before = destroy(1)
    state.snapshotPiece(0)
    const after = destroy(2)
    assert.equal(open(domain, first, [before, after]).floor.size, 2)
  })

  test('what is missing, repeated, swapped, early or late is refused', () => {
    const { domain, destroy, snapshot } = newState()
    const first = snapshot()
    const [a, b, c] = [destroy(1), destroy(2), destroy(3)]
    const second = snapshot()
    for (const changes of [[b], [a, a], [b, a], [a, c], [a, b.subarray(1)], [new Uint8Array()]]) {
      assert.throws(() => open(domain, first, changes), invalid)
    }
    for (const changes of [[a], [c]]) assert.throws(() => open(domain, second, changes), invalid)
    for (const pieces of [[], [...first, ...first], second.slice(0, 1), second.toReversed()]) {
      assert.throws(() => open(domain, pieces), invalid)
    }
    assert.throws(() => open(domain, [...second, ...second.slice(1)]), invalid)
  })

  test('pieces of two snapshots do not go together', () => {
    const { domain, destroy, snapshot } = newState()
    destroy(1)
    const [[first], [, other]] = [snapshot(), snapshot()]
    assert(first && other)
    assert.throws(() => open(domain, [first, other]), invalid)
  })

  test('what another module or domain sealed is refused', () => {
    const [here, there] = [newState(), newState()]
    const snapshot = here.snapshot()
    there.snapshot()
    assert.throws(() => open(here.domain, snapshot, [there.destroy(1)]), invalid)
    assert.throws(() => open(here.domain, there.snapshot()), invalid)
  })

  test('any bit changed anywhere is refused', () => {
    const { domain, destroy, snapshot } = newState()
    destroy(1)
    const pieces = [...snapshot(), destroy(2)]
    fc.assert(
      fc.property(fc.nat({ max: 2 }), fc.nat(), fc.nat({ max: 7 }), (which, at, bit) => {
        const altered = pieces.map((piece) => Buffer.from(piece))
        const piece = altered[which]
        assert(piece)
        const offset = at % piece.length
        piece.writeUInt8(piece.readUInt8(offset) ^ (1 << bit), offset)
        assert.throws(() => open(domain, altered.slice(0, 2), altered.slice(2)), invalid)
      }),
      { numRuns: 300 },
    )
  })

  test('a large floor comes in several pieces, as it was when the first was asked for', () => {
    const { domain, floor, state, destroy } = newState()
    for (let number = 1; number <= 100_000; number += 1) floor.raise(keyOf(number), 1, 2)
    const entries = floor.copyEntries()
    const { bytes: first, pieces } = state.snapshotPiece(0)
    assert.equal(pieces, 3)
    const change = destroy(200_000)
    const snapshot = [first, state.snapshotPiece(1).bytes, state.snapshotPiece(2).bytes]
    assert.deepEqual(open(domain, snapshot).floor.copyEntries(), entries)
    assert.equal(open(domain, snapshot, [change]).floor.size, 100_001)
    assert.throws(() => open(domain, snapshot.slice(0, 2)), invalid)
    assert.throws(() => state.snapshotPiece(2), { code: 'ARGUMENT_INVALID' })
  })
})
