/** `keyhold self-test` against a real server. */

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { TestServer } from '../server.ts'
import { Desk } from './keyhold.ts'

suite('keyhold self-test', { timeout: 60_000 }, () => {
  let server: TestServer
  let desk: Desk

  before(async () => {
    server = await TestServer.start()
    desk = new Desk(server)
  })
  after(async () => {
    desk?.[Symbol.dispose]()
    await server?.[Symbol.asyncDispose]()
  })

  test('self-test lists each test and each noise source', async () => {
    const { stdout } = await desk.ok(['self-test'])
    assert.match(stdout, /^noise source operating-system +healthy$/m)
    const { tests } = (await desk.json(['self-test'])) as { tests: { name: string }[] }
    const said = stdout.split('\n').filter((line) => / met$/.test(line))
    assert.equal(said.length, tests.length)
    for (const { name } of tests) assert(stdout.includes(`${name} `), name)
    assert.match((await desk.ok(['self-test', 'HMAC-SHA-256'])).stdout, /^.*HMAC-SHA-256.* met$/m)
    await desk.refused(['self-test', 'no such test'], 1, 'ARGUMENT_INVALID')
  })
})
