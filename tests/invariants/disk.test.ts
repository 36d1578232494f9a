/**
 * Invariant 5: no answer without a durable record of it, on a real server whose disk refuses. The kernel
 * is told (prlimit) that no file of the server may grow beyond what the record has now: from then on a
 * write of leaves is cut off or fails with EFBIG, as one to a full disk does with ENOSPC. Nothing may be
 * answered but errors; when there is room again, the server goes on by itself, and the record has no gap.
 */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { base64, Installation, keysPath } from '../rest/people.ts'
import { readRecord } from './record.ts'

const skip = process.platform === 'linux' ? false : 'prlimit is of Linux'

let there: Installation
let key: string

before(async () => {
  there = await Installation.start()
  key = await there.makeKey({ type: 'P-256' }, ['sign'])
})
after(() => there?.[Symbol.asyncDispose]())

/** Bytes that a file of the server may have, or "unlimited". */
function limitFiles(bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(there.server.pid), `--fsize=${bytes}:unlimited`])
}

const recordBytes = () => statSync(path.join(there.server.folder, 'record/groups')).size

/** Signs under this request id. @returns the status */
async function sign(id: string): Promise<number> {
  const body = { data: base64('data') }
  const options = { headers: { 'x-request-id': id } }
  const { status, body: answer } = await there.use(key, 'sign', body, options)
  if (status !== 200) assert.match(String(answer.code), /^(MODULE_UNAVAILABLE|RECORD_NOT_STORED)$/)
  assert.equal('signature' in answer, status === 200)
  return status
}

async function untilReady(): Promise<void> {
  const deadline = performance.now() + 30_000
  while ((await there.server.call('GET', '/v1/ready')).status !== 200) {
    assert(performance.now() < deadline, 'the server does not go on')
    await delay(50)
  }
}

suite('a disk that refuses', { skip, timeout: 120_000 }, () => {
  test('invariant 5: without room for its leaf nothing is answered, and then it goes on', async () => {
    const answered = new Set<string>()
    const refused = new Set<string>()
    // From not one byte more to several leaves: cut in every part of an append.
    for (const [round, room] of [0, 1, 3, 4, 40, 200, 1_000, 3_000].entries()) {
      const ids = Array.from({ length: 30 }, (_, index) => `room-${round}-${index}`)
      limitFiles(recordBytes() + room)
      const statuses = await Promise.all(ids.map(sign))
      for (const [index, id] of ids.entries()) {
        if (statuses[index] === 200) answered.add(id)
        else refused.add(id)
      }
      assert(statuses.some((status) => status !== 200))
      const ready = await there.server.call('GET', '/v1/ready')
      assert.deepEqual([ready.status, ready.body.code], [503, 'NOT_READY'])
      limitFiles('unlimited')
      await untilReady()
    }
    assert.equal(await sign('after'), 200)
    const { leaves } = await readRecord(there.server)
    const recorded = new Set(leaves.map(({ requestId }) => requestId))
    for (const id of [...answered, 'after']) assert(recorded.has(id), id)
    assert(refused.size > 100)
  })

  test('invariant 5: a change that could not be recorded is not acknowledged, nor lost', async () => {
    const names = Array.from({ length: 5 }, (_, index) => `made-${index}`)
    limitFiles(recordBytes())
    const create = (name: string) => {
      const body = { name, owner: 'Ada', purpose: 'tests', type: 'P-256' }
      const headers = { 'idempotency-key': name }
      return there.server.call('POST', keysPath, body, { headers })
    }
    for (const { status } of await Promise.all(names.map(create)))
      assert(status >= 500, `${status}`)
    limitFiles('unlimited')
    await untilReady()
    // The same request again does its work, once.
    for (const name of names) {
      const { status, text } = await create(name)
      assert(status === 201, text)
      assert.equal((await there.server.ok('GET', `${keysPath}/${name}`)).body.state, 'active')
    }
    await readRecord(there.server)
  })

  test('invariant 5: killed while the disk refuses, it starts again and nothing is missing', async () => {
    const before = await sign('before')
    assert.equal(before, 200)
    limitFiles(recordBytes() + 100)
    const statuses = await Promise.all(Array.from({ length: 10 }, (_, n) => sign(`late-${n}`)))
    const { server } = there
    await server.stop('SIGKILL')
    await server.restart()
    assert.equal(await sign('then'), 200)
    const { leaves } = await readRecord(server)
    const recorded = new Set(leaves.map(({ requestId }) => requestId))
    const answered = statuses.flatMap((status, n) => (status === 200 ? [`late-${n}`] : []))
    for (const id of ['before', ...answered, 'then']) assert(recorded.has(id), id)
  })
})
