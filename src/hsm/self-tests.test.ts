/**
 * The self-tests pass with what is published, every row of the registry has one, and each of them can
 * fail: with any expected value changed, the module refuses to work and says which test it was. They run
 * at their time: before the first use of a row, one row a turn in the background, all again in a day.
 */

import assert from 'node:assert/strict'
import { mock, suite, test } from 'node:test'
import { algorithms } from './contract/algorithms.ts'
import { Caller, newKeyId, template } from './door.testing.ts'
import { allTests, type SelfTest, SelfTests, selfTestTimes } from './self-tests.ts'

function altered(row: SelfTest): SelfTest {
  const expected = Buffer.from(row.expected)
  expected.writeUInt8(expected.readUInt8(0) ^ 1, 0)
  return { ...row, expected }
}

/** All tests, of which those of this name or algorithm are not met. */
function broken(name: string): readonly SelfTest[] {
  return allTests.map((row) => (row.name === name || row.algorithm === name ? altered(row) : row))
}

const quick = allTests.filter(({ name }) => !/^SLH-DSA-.*s, root/.test(name))

suite('self-tests', () => {
  test('all known answers are met, and are counted', async () => {
    using tests = new SelfTests()
    const atStart = allTests.filter((row) => row.atStart).length
    assert.equal((await tests.runAtStart()).length, atStart)
    assert.deepEqual(
      { ...tests.status, lastRun: 0 },
      {
        ...{ passed: atStart, failed: 0, pending: allTests.length - atStart, lastRun: 0 },
      },
    )
    assert(Math.abs(tests.status.lastRun - Date.now()) < 60_000)
    const names = allTests.map(({ name }) => name)
    assert.deepEqual(await tests.run(), names)
    assert.equal(new Set(names).size, names.length)
    assert.equal(tests.status.pending, 0)
  })

  test('every row of the registry has one', () => {
    const tested = new Set(allTests.map(({ algorithm }) => algorithm))
    assert.deepEqual(
      Object.keys(algorithms).filter((name) => !tested.has(name as never)),
      [],
    )
  })

  for (const row of quick) {
    test(`a changed expectation fails: ${row.name}`, async () => {
      for (const wrong of [altered(row), { ...row, expected: row.expected.subarray(1) }]) {
        using tests = new SelfTests({ tests: [wrong] })
        const reasons: string[] = []
        tests.failed = (reason) => reasons.push(reason)
        const message = `self-test failed: ${row.name}`
        await assert.rejects(tests.run(), { code: 'MODULE_FAILED', message })
        assert.deepEqual(reasons, [message])
        assert.partialDeepStrictEqual(tests.status, { passed: 0, failed: 1, pending: 1 })
      }
    })
  }

  test('a test that throws is a failure of the module', async () => {
    const run = () => {
      throw new TypeError('no such algorithm')
    }
    using tests = new SelfTests({ tests: [{ name: 'broken', run, expected: Buffer.alloc(1) }] })
    await assert.rejects(tests.run(), { code: 'MODULE_FAILED' })
  })

  test('a row without a known answer is not used', async () => {
    using tests = new SelfTests({ tests: [] })
    await assert.rejects(tests.testRow('Ed25519'), { code: 'MODULE_FAILED' })
  })

  test('no two tests have the same name', () => {
    assert.equal(new Set(allTests.map(({ name }) => name)).size, allTests.length)
  })

  test('by name or algorithm only those are run, and who asks for all meanwhile waits along', async () => {
    let runs = 0
    const counted = quick.slice(0, 9).map((row) => ({
      ...row,
      run: () => {
        runs += 1
        return row.run()
      },
    }))
    using tests = new SelfTests({ tests: counted })
    const [first] = counted
    assert.deepEqual(await tests.run([first?.name ?? '']), [first?.name])
    assert.equal(runs, 1)
    const both = await Promise.all([tests.run(), tests.run()])
    assert.deepEqual(
      both.map((names) => names.length),
      [9, 9],
    )
    assert.equal(runs, 10)
    assert.throws(() => tests.run(['no such test']), { code: 'ARGUMENT_INVALID' })
  })
})

suite('self-tests before the first use', () => {
  const aes = template('AES-256', ['AES-256-GCM'], ['encrypt', 'decrypt'])
  const rsa = template('P-256', ['ECDSA-SHA-256'], ['sign', 'verify'])

  test('a row is tested once, before it does anything', async () => {
    const caller = await Caller.founded()
    const { selfTests } = caller.module
    const before = selfTests.status.passed
    assert.throws(() => selfTests.assertTested('AES-256-GCM'), { algorithm: 'AES-256-GCM' })
    const reference = { key: newKeyId(), version: 1 }
    await caller.ok({ command: 'generateKey', arguments: { ...reference, template: aes } })
    const ask = { command: 'encrypt', arguments: reference, parts: { plaintext: Buffer.alloc(9) } }
    await caller.ok(ask)
    selfTests.assertTested('AES-256-GCM')
    const rows = allTests.filter(({ algorithm }) => algorithm === 'AES-256-GCM').length
    assert.equal(selfTests.status.passed - before, rows)
    const { items } = await caller.ask(ask, ask)
    assert(items.every(({ error }) => error === undefined))
    assert.equal(selfTests.status.passed - before, rows)
  })

  test('many that come first at the same time wait for one test', async () => {
    const caller = await Caller.founded()
    const reference = { key: newKeyId(), version: 1 }
    await caller.ok({ command: 'generateKey', arguments: { ...reference, template: rsa } })
    const fresh = new SelfTests()
    Object.assign(caller.module, { selfTests: fresh })
    const ask = { command: 'sign', arguments: reference, parts: { data: Buffer.alloc(9) } }
    const { items } = await caller.ask(...Array.from({ length: 50 }, () => ask))
    assert(items.every(({ error }) => error === undefined))
    const rows = allTests.filter(({ algorithm }) => algorithm === 'ECDSA-SHA-256').length
    assert.equal(fresh.status.passed, rows)
  })

  test('a row that is not met is not used, and the module has failed', async () => {
    const tests = broken('AES-256-GCM')
    const caller = await Caller.founded({ selfTests: new SelfTests({ tests }) })
    const reference = { key: newKeyId(), version: 1 }
    await caller.ok({ command: 'generateKey', arguments: { ...reference, template: aes } })
    const ask = { command: 'encrypt', arguments: reference, parts: { plaintext: Buffer.alloc(9) } }
    assert.equal(await caller.refusal(ask), 'MODULE_FAILED')
    assert.equal(caller.module.state, 'failed')
    assert.match(caller.module.reason, /^self-test failed: AES-256-GCM/)
    assert.equal(
      await caller.refusal({ command: 'random', arguments: { lengthBytes: 1 } }),
      'MODULE_FAILED',
    )
  })

  test('no pair is made for a row that is not met', async () => {
    const tests = broken('ECDSA-SHA-256')
    const caller = await Caller.founded({ selfTests: new SelfTests({ tests }) })
    const args = { key: newKeyId(), version: 1, template: rsa }
    assert.equal(await caller.refusal({ command: 'generateKey', arguments: args }), 'MODULE_FAILED')
    assert.equal(caller.module.state, 'failed')
  })
})

suite('self-tests in the background', () => {
  const rows = Map.groupBy(
    quick.map((row) => ({ ...row, run: () => row.expected })),
    ({ name, algorithm }) => algorithm ?? name,
  )
  const tests = [...rows.values()].flat()

  /** Lets what a timer began come to its end. */
  const settle = async () => {
    for (let turns = 0; turns < 50; turns += 1) await Promise.resolve()
  }

  test('one row a turn, all within the first minute, and again within a day', async (t) => {
    mock.timers.enable({ apis: ['setTimeout', 'Date'] })
    t.after(() => mock.timers.reset())
    using background = new SelfTests({ tests })
    await background.runAtStart()
    background.begin()
    mock.timers.tick(selfTestTimes.firstTurn - 1)
    await settle()
    const atStart = tests.filter((row) => row.atStart).length
    assert.equal(background.status.passed, atStart)
    let elapsed = selfTestTimes.firstTurn
    mock.timers.tick(1)
    await settle()
    while (background.status.pending > 0) {
      const { pending } = background.status
      mock.timers.tick(selfTestTimes.turn)
      elapsed += selfTestTimes.turn
      await settle()
      const most = Math.max(...[...rows.values()].map((each) => each.length))
      assert(pending - background.status.pending <= most)
    }
    assert(elapsed < 60_000, `${elapsed} ms`)
    const first = background.status.passed
    const { period } = selfTestTimes
    for (let passed = 0; passed < rows.size; passed += 1) {
      mock.timers.tick(Math.ceil(period / rows.size))
      await settle()
    }
    assert.equal(background.status.passed - first, tests.length)
  })

  test('one that is not met is told, and the rest is let be', async (t) => {
    mock.timers.enable({ apis: ['setTimeout', 'Date'] })
    t.after(() => mock.timers.reset())
    const [bad, good] = [tests.at(-2), tests.at(-1)]
    assert(bad && good)
    using background = new SelfTests({ tests: [altered(bad), good] })
    const reasons: string[] = []
    background.failed = (reason) => reasons.push(reason)
    background.begin()
    for (let turn = 0; turn < 5; turn += 1) {
      mock.timers.tick(selfTestTimes.firstTurn)
      await settle()
    }
    assert.deepEqual(reasons, [`self-test failed: ${bad.name}`])
    assert.equal(background.status.passed, 0)
  })
})
