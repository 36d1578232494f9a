/** Requests for approvals: a statement says what its members say, no more, and files come together. */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, suite, test } from 'node:test'
import { parseStatement, readApprovals, readRequest, writeRequest } from './request-file.ts'
import { statementInWords } from './words.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-request-'))
after(() => rmSync(folder, { recursive: true }))
const at = (name: string) => path.join(folder, name)

const statement = {
  arguments: { key: `key_${'0'.repeat(32)}`, version: 3 },
  challenge: 'cc'.repeat(32),
  command: 'destroyKey',
  domain: 'aa'.repeat(16),
  expires: 1_800_000_600_000,
  format: 'keyhold approval v1',
  module: 'bb'.repeat(16),
  notBefore: 1_800_000_000_000,
  parts: {},
  predecessor: '',
  requester: 'anna',
}
const text = JSON.stringify(statement)
const invalid = { code: 'APPROVAL_INVALID' }

suite('a statement', () => {
  test('is read as it stands', () => {
    assert.deepEqual(parseStatement(text), statement)
  })

  test('has one encoding, and no member too many or too few', () => {
    const { requester: _, ...less } = statement
    const unordered = { version: 3, key: statement.arguments.key }
    for (const other of [
      '',
      'null',
      '[]',
      ` ${text}`,
      `${text}\n`,
      text.replace(':3', ':3.0'),
      JSON.stringify({ ...statement, arguments: unordered }),
      JSON.stringify({ also: 1, ...statement }),
      JSON.stringify(less),
      JSON.stringify({ ...statement, format: 'keyhold approval v2' }),
    ]) {
      assert.throws(() => parseStatement(other), invalid, other)
    }
  })

  test('in words: what would happen, and every member', () => {
    const words = statementInWords(parseStatement(text))
    assert.match(words, /^Destroy version 3 of the key key_0{32} for good\.$/m)
    for (const value of [statement.domain, statement.module, statement.challenge, 'anna']) {
      assert(words.includes(value))
    }
    assert.match(words, /good until +2027-01-15T08:10:00Z/)
  })

  test('what could move the cursor or hide letters is written out', () => {
    const args = { reason: 'a\u001b[2Jb\u202ec' }
    const words = statementInWords({ ...statement, command: 'zeroise', arguments: args })
    assert(words.includes('a\\u{1b}[2Jb\\u{202e}c'))
    assert(!words.includes('\u202e'))
  })

  test('nothing in it looks like a line of ours', () => {
    const lie = 'anna\n\u001b[1A  module  another'
    const args = { reason: lie, [lie]: '' }
    const text = statementInWords({
      ...statement,
      command: 'zeroise',
      arguments: args,
      requester: lie,
    })
    assert(!text.includes('\u001b'))
    const [headline, ...lines] = text.split('\n')
    assert.match(headline ?? '', /^Zeroise the module.* Reason: anna\\n/)
    assert.equal(lines.filter((line) => /^ {2}module/.test(line)).length, 1)
  })
})

suite('a request', () => {
  const approval = (person: string) => ({ person, signature: 'AAAA' })
  const terms = { ...statement, arguments: undefined }

  test('comes back as it was written, and signatures of several files come together', async () => {
    const statements = [text]
    await writeRequest(at('a'), { statements, approvals: [[approval('anna')]] }, {})
    await writeRequest(at('b'), { statements, approvals: [[approval('ben')]] }, {})
    assert.deepEqual(await readRequest(at('a')), { statements, approvals: [[approval('anna')]] })
    const [set] = await readApprovals([at('a'), at('b')])
    assert.deepEqual(set?.approvals, [approval('anna'), approval('ben')])
    assert.equal(set?.challenge, terms.challenge)
  })

  test('of something else, unsigned, or no request', async () => {
    const other = JSON.stringify({ ...statement, challenge: 'dd'.repeat(32) })
    await writeRequest(at('other'), { statements: [other], approvals: [[approval('ben')]] }, {})
    await assert.rejects(readApprovals([at('a'), at('other')]), invalid)
    await writeRequest(at('unsigned'), { statements: [text], approvals: [[]] }, {})
    await assert.rejects(readApprovals([at('unsigned')]), invalid)
    const format = 'keyhold approval request v1'
    for (const content of [
      '',
      '{}',
      JSON.stringify({ format, statements: [], approvals: [] }),
      JSON.stringify({ format, statements: [text], approvals: [] }),
      JSON.stringify({ format, statements: ['{}'], approvals: [[]] }),
      JSON.stringify({ format: 'another', statements: [text], approvals: [[]] }),
    ]) {
      writeFileSync(at('bad'), content)
      await assert.rejects(readRequest(at('bad')), invalid, content)
    }
  })
})
