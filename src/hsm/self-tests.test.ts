/**
 * The self-tests pass with what is published, and each of them can fail: with any expected value changed,
 * the module refuses to work and says which test it was.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { argon2idTests } from './self-tests/argon2id.ts'
import { runSelfTests, startTests } from './self-tests.ts'

const all = [...startTests, ...argon2idTests]

suite('self-tests', () => {
  test('all known answers are met', async () => {
    assert.equal(await runSelfTests(), all.length)
    assert.equal(await runSelfTests(startTests), startTests.length)
  })

  for (const row of all) {
    test(`a changed expectation fails: ${row.name}`, async () => {
      const expected = Buffer.from(row.expected)
      expected.writeUInt8(expected.readUInt8(0) ^ 1, 0)
      await assert.rejects(runSelfTests([{ ...row, expected }]), {
        code: 'MODULE_FAILED',
        message: `self-test failed: ${row.name}`,
      })
      await assert.rejects(runSelfTests([{ ...row, expected: row.expected.subarray(1) }]), {
        code: 'MODULE_FAILED',
      })
    })
  }

  test('a test that throws is a failure of the module', async () => {
    const run = () => {
      throw new TypeError('no such algorithm')
    }
    const rows = [{ name: 'broken', run, expected: Buffer.alloc(1) }]
    await assert.rejects(runSelfTests(rows), { code: 'MODULE_FAILED' })
  })

  test('no two tests have the same name', () => {
    assert.equal(new Set(all.map(({ name }) => name)).size, all.length)
  })
})
