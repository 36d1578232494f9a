/**
 * The record of a real server, searched and sent on: what people look for is found, and a server that is
 * killed while its sinks are behind loses nothing for them.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { leafEntry } from '../../src/hsm/contract/leaf.ts'
import { readRecord } from '../invariants/record.ts'
import { TestServer } from '../server.ts'
import { base64 } from './people.ts'
import { selfSigned } from './raw.ts'

const tls = selfSigned()
const plaintext = 'a plaintext that nobody may guess'
const namespace = '/v1/namespaces/default'

let folder: string
let server: TestServer
const got: string[] = []
/** How long the collector takes for its answer; dead without. */
let answerMs: number | undefined = 0
const collector = createServer({ key: tls.key, cert: tls.certificate }, async (asked, answer) => {
  const pieces: Buffer[] = []
  try {
    for await (const piece of asked) pieces.push(piece)
  } catch {
    return
  }
  if (answerMs === undefined) return void answer.socket?.destroy()
  await delay(answerMs)
  got.push(...Buffer.concat(pieces).toString().split('\n').filter(Boolean))
  answer.end()
})

before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'keyhold-sinks-'))
  const file = (name: string, text: string) => {
    writeFileSync(path.join(folder, name), text, { mode: 0o600 })
    return path.join(folder, name)
  }
  collector.listen(0, '127.0.0.1')
  await once(collector, 'listening')
  const { port } = collector.address() as AddressInfo
  const sinks = {
    archive: { type: 'file', path: path.join(folder, 'record.jsonl'), bytesMax: 1e9 },
    collector: {
      type: 'http',
      url: `https://127.0.0.1:${port}/`,
      ca: file('ca.pem', tls.certificate),
      secretHeader: { name: 'X-Secret', file: file('secret', 'header-secret') },
      entriesMax: 40,
      lagEntriesMax: 50,
    },
  }
  const settings = file('sinks.json', JSON.stringify({ sinks }))
  server = await TestServer.start(path.join(folder, 'data'), [`--sinks=${settings}`])
  const key = { name: 'vault', owner: 'Ada', purpose: 'tests' }
  const { body } = await server.ok('POST', `${namespace}/keys`, key)
  const identity = (await server.ok('GET', '/v1/whoami')).body.identity as { id: string }
  const operations = ['encrypt', 'decrypt']
  const grant = { key: body.name, identity: identity.id, operations }
  await server.ok('POST', `${namespace}/grants`, grant)
})
after(async () => {
  await server?.[Symbol.asyncDispose]()
  collector.closeAllConnections()
  collector.close()
  rmSync(folder, { recursive: true, force: true })
})

async function encrypt(requestId: string, context = {}): Promise<number> {
  const body = { plaintext: base64(plaintext), ...context }
  const headers = { 'x-request-id': requestId }
  const { status } = await server.call('POST', `${namespace}/keys/vault/encrypt`, body, { headers })
  return status
}

/** So many leaves more. */
async function fill(count: number): Promise<void> {
  const items = Array.from({ length: 100 }, () => ({ lengthBytes: 1 }))
  for (let made = 0; made < count; made += items.length) {
    await server.ok('POST', '/v1/random/batch', { items })
  }
}

interface Entry {
  readonly sequence: number
  readonly requestId: string
  readonly outcome: string
  readonly timeMicros: number
}

interface SinkStatus {
  readonly name: string
  readonly lagEntries: number
  readonly late: boolean
  readonly error: string
}

async function search(query: string): Promise<Entry[]> {
  const { body } = await server.ok('GET', `/v1/record/search?${query}`)
  return body.entries as Entry[]
}

async function sinks(): Promise<SinkStatus[]> {
  return (await server.ok('GET', '/v1/record/sinks')).body.items as SinkStatus[]
}

async function untilSinks(what: (sink: SinkStatus) => boolean): Promise<void> {
  const deadline = performance.now() + 60_000
  for (let all = await sinks(); !all.every(what); all = await sinks()) {
    assert(performance.now() < deadline, JSON.stringify(all))
    await delay(100)
  }
}

const timeout = process.env.KEYHOLD_LONG === undefined ? 180_000 : 1_200_000
suite('the record, searched and sent on', { timeout }, () => {
  test('is searched by request, key, identity, outcome and time', async () => {
    for (const id of ['find-1', 'find-2', 'find-3']) assert.equal(await encrypt(id), 200)
    const [found, ...others] = await search('requestId=find-2')
    assert.deepEqual([found?.requestId, found?.outcome, others], ['find-2', 'OK', []])
    const { leaves } = await readRecord(server)
    const leaf = leaves.find(({ requestId }) => requestId === 'find-2')
    assert(leaf)
    assert.deepEqual(found, leafEntry(leaf))
    const { key, identity, timeMicros } = leaf
    const ids = (entries: Entry[]) => entries.map(({ requestId }) => requestId)
    const since = Math.floor(timeMicros / 1_000)
    const query = `key=${key}&identity=${identity}&command=encrypt&since=${since}&protocol=rest`
    assert.deepEqual(ids(await search(`${query}&order=oldest`)), ['find-2', 'find-3'])
    assert.deepEqual(ids(await search(`${query}&limit=1`)), ['find-3'])
    assert.deepEqual(await search(`${query}&outcome=refused`), [])
    const next = (await server.ok('GET', `/v1/record/search?${query}&limit=1`)).body.next
    assert.deepEqual(ids(await search(`${query}&from=${next}`)), ['find-2'])
    const wrong = ['key=vault', 'since=yesterday', 'order=up', 'limit=1001', 'flags=1', 'key=']
    for (const one of wrong) {
      const { status, body } = await server.call('GET', `/v1/record/search?${one}`)
      assert.deepEqual([status, body.code], [400, 'REQUEST_INVALID'], one)
    }
  })

  test('killed again and again while a sink is dead or slow: every entry arrives', async () => {
    const rounds = process.env.KEYHOLD_LONG === undefined ? 2 : 30
    for (let round = 0; round < rounds; round += 1) {
      const ms = [undefined, 10][round % 2]
      answerMs = ms
      // Enough for a segment of the index.
      if (round === 0) await fill(4_500)
      const ids = Array.from({ length: 150 }, (_, index) => `kill-${round}-${index}`)
      const statuses = await Promise.all(ids.map((id) => encrypt(id)))
      assert(statuses.every((status) => status === 200))
      if (round === 0) {
        await untilSinks(({ name, late, error }) => name !== 'collector' || (late && error !== ''))
        assert.match(server.log, /sink collector lags behind the record/)
      }
      await delay(Math.random() * 100)
      await server.stop('SIGKILL')
      await server.restart()
    }
    answerMs = 0
    for (const id of ['find-1', 'kill-0-0', 'kill-1-149']) {
      assert((await search(`requestId=${id}`)).length >= 1, id)
    }
    assert(statSync(path.join(server.folder, 'record/search')).size > 0)
    await untilSinks(({ lagEntries, late, error }) => lagEntries === 0 && !late && error === '')
    const { leaves } = await readRecord(server)
    const archive = readFileSync(path.join(folder, 'record.jsonl'), 'utf8').split('\n')
    for (const lines of [got, archive.filter(Boolean)]) {
      const bySequence = new Map(lines.map((line) => [JSON.parse(line).sequence as number, line]))
      for (const leaf of leaves.slice(0, bySequence.size)) {
        assert.deepEqual(JSON.parse(bySequence.get(leaf.sequence) ?? '{}'), leafEntry(leaf))
      }
      assert(bySequence.size > 4_800)
    }
  })

  test('invariant 1: nothing that goes out holds a secret, or a digest that one could guess at', () => {
    const out = [...got, readFileSync(path.join(folder, 'record.jsonl'), 'utf8'), server.log].join(
      '\n',
    )
    const digest = createHash('sha256').update(plaintext).digest()
    for (const secret of [
      ...[plaintext, base64(plaintext), Buffer.from(plaintext).toString('hex')],
      ...[digest.toString('hex'), digest.toString('base64')],
      ...[server.credentials.token, 'header-secret'],
    ]) {
      assert(!out.includes(secret), secret)
    }
  })
})
