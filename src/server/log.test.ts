/** The log: one line an entry, no token in it, nothing that moves a terminal. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { createLog } from './log.ts'

const now = () => new Date(Date.UTC(2026, 0, 2, 3, 4, 5))
const token = `kh_0123456789abcdef_${'A'.repeat(43)}`

function lineOf(pretty: boolean, message: string, members: Record<string, unknown> = {}): string {
  const lines: string[] = []
  createLog({ write: (line) => lines.push(line), now, pretty })({
    level: 'warn',
    message,
    ...members,
  })
  assert.equal(lines.length, 1)
  return lines[0] ?? ''
}

suite('the log', () => {
  test('is one line of JSON an entry', () => {
    const line = lineOf(false, 'hello', { count: 1, requestId: 'r' })
    assert.deepEqual(JSON.parse(line), {
      time: '2026-01-02T03:04:05.000Z',
      level: 'warn',
      message: 'hello',
      count: 1,
      requestId: 'r',
    })
  })

  test('never holds a token, wherever it stood', () => {
    const members = { a: `x ${token}`, b: { c: [token] }, error: new Error(`bad ${token}`) }
    for (const pretty of [false, true]) {
      const line = lineOf(pretty, `message ${token}`, members)
      assert.doesNotMatch(line, /A{8}/)
      assert.match(line, /kh_0123456789abcdef_\[token\]/)
    }
  })

  test('no text makes a second line or reaches the terminal as a control', () => {
    const text = fc.string({ unit: 'binary' })
    fc.assert(
      fc.property(text, text, fc.boolean(), (message, value, pretty) => {
        const line = lineOf(pretty, message, { value, nested: { value } })
        assert.ok(line.endsWith('\n'))
        const colours = pretty ? ['\u001b[33m', '\u001b[0m'] : []
        const shown = colours.reduce((rest, colour) => rest.replace(colour, ''), line.slice(0, -1))
        assert.doesNotMatch(shown, /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u)
      }),
    )
  })

  test('a line has an end, bytes are not shown, and odd values do not stop it', () => {
    const long = lineOf(false, 'x'.repeat(10_000), { more: Array(100).fill('y'.repeat(4_000)) })
    assert.ok(long.length < 20_000)
    assert.equal(JSON.parse(long).shortened, true)
    const odd = JSON.parse(
      lineOf(false, 'm', { bytes: new Uint8Array(3), big: 1n, none: undefined }),
    )
    assert.equal(odd.bytes, '[3 bytes]')
    assert.equal(odd.big, '1')
  })
})
