/** What leaves the server: exactly these members, and nothing that could end a line. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { encodeLeaf } from '../../hsm/contract/leaf.ts'
import { lineOf } from './sink.ts'
import { messageOf } from './syslog-sink.ts'

const leaf = {
  flags: 0,
  sequence: 41,
  timeMicros: 1_795_809_600_000_123,
  moduleId: Buffer.alloc(16, 0xab),
  command: 'sign',
  outcome: 'OK',
  key: 'key_00000000000000000000000000000001',
  version: 2,
  identity: 'id_00000000000000000000000000000002',
  requestId: 'r-1',
  protocol: 'rest',
  address: '::1',
  argumentsDigest: Buffer.alloc(32, 0xcd),
}

suite('an entry as it goes out', () => {
  // What the module was asked with is there as an HMAC under a key that only the module has.
  test('has these members and no others', () => {
    assert.equal(
      lineOf(encodeLeaf(leaf)).json,
      '{"sequence":41,"time":"2026-11-27T20:00:00.000123Z","timeMicros":1795809600000123,"flags":0,' +
        '"version":2,"command":"sign","outcome":"OK","key":"key_00000000000000000000000000000001",' +
        '"identity":"id_00000000000000000000000000000002","requestId":"r-1","protocol":"rest",' +
        `"address":"::1","moduleId":"${'ab'.repeat(16)}","argumentsDigest":"${'cd'.repeat(32)}"}`,
    )
  })

  test('is one line of ASCII, whatever its texts are', () => {
    const requestId = 'a\nb\r\u0000\u001b[2J\u0085\u2028é\ud83d\ude00"\\'
    const line = lineOf(encodeLeaf({ ...leaf, requestId, command: 'a b' }))
    assert.match(line.json, /^[\x20-\x7e]+$/)
    assert.equal(JSON.parse(line.json).requestId, requestId)
    assert.match(messageOf(line), /^<110>1 \S+ \S+ keyhold - - - \{[\x20-\x7e]+\}$/)
  })

  test('as syslog says time, command and whether it was refused', () => {
    const refused = messageOf(lineOf(encodeLeaf({ ...leaf, outcome: 'KEY_NOT_FOUND' })))
    assert.match(
      refused,
      /^<108>1 2026-11-27T20:00:00\.000123Z \S+ keyhold - sign - \{"sequence":41,/,
    )
  })
})
