/** What the host hands over before unlocking: bounded, and kept without what it came in. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { chunkBytesMax, stagedBytesMax } from './contract/limits.ts'
import { Staged } from './unlock.ts'

suite('staging', () => {
  test('a small piece of a large frame is kept without the frame', () => {
    const frame = Buffer.alloc(4 * 1024 * 1024)
    const piece = frame.subarray(64, 69)
    piece.set([0, 0, 0, 1, 7])
    const staged = new Staged()
    assert.equal(staged.add('group', piece), 5)
    const [group] = [...staged.groups]
    assert.deepEqual(group, Uint8Array.of(7))
    assert.equal(group?.buffer.byteLength, 5)
    const most = frame.subarray(0, 3 * 1024 * 1024)
    staged.add('snapshot', most)
    assert.equal(staged.snapshot[0], most)
  })

  test('no more than the limits, one head and one frontier, and nothing of what is refused', () => {
    const staged = new Staged()
    const chunk = Buffer.alloc(chunkBytesMax)
    for (let bytes = chunkBytesMax; bytes <= stagedBytesMax; bytes += chunkBytesMax) {
      assert.equal(staged.add('change', chunk), bytes)
    }
    for (const kind of ['snapshot', 'head', 'change', 'prelude'] as const) {
      assert.throws(() => staged.add(kind, Buffer.alloc(1)), { code: 'ARGUMENT_INVALID' })
    }
    assert.equal(staged.complete, false)
    const other = new Staged()
    other.add('head', Buffer.from('a head'))
    other.add('frontier', Buffer.alloc(32))
    for (const kind of ['head', 'frontier'] as const) {
      assert.throws(() => other.add(kind, Buffer.alloc(1)), { code: 'ARGUMENT_INVALID' })
    }
    assert.equal(other.head, 'a head')
    other.add('prelude', chunk)
    assert.throws(() => other.add('prelude', Buffer.alloc(1)), { code: 'ARGUMENT_INVALID' })
  })

  test('what is torn is refused when it is read', () => {
    for (const [kind, code] of [
      ['change', 'STATE_INVALID'],
      ['group', 'RECORD_INVALID'],
      ['prelude', 'RECORD_INVALID'],
    ] as const) {
      for (const torn of [[0], [0, 0, 0, 0], [0, 0, 0, 2, 1], [0, 0, 0, 1, 7, 0, 0]]) {
        const staged = new Staged()
        staged.add(kind, Uint8Array.from(torn))
        const read = { change: staged.changes, group: staged.groups, prelude: staged.prelude }
        assert.throws(() => [...read[kind]], { name: 'HsmError', code })
      }
    }
  })
})
