/**
 * Invariants 9 and 11: what no well-behaved client sends. Whatever arrives gets a documented refusal,
 * the process lives, and nothing but the log has changed.
 */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { connect } from 'node:tls'
import fc from 'fast-check'
import { problems } from '../../src/protocols/rest/errors.ts'
import { routes } from '../../src/protocols/rest/routes.ts'
import { assertProblem, base64, Installation, keysPath, namespace, unique } from './people.ts'
import { exchange, type RawAnswer } from './raw.ts'

let there: Installation
let key: string
before(async () => {
  there = await Installation.start()
  key = await there.makeKey({ type: 'P-256' }, ['sign', 'verify'])
})
after(() => there[Symbol.asyncDispose]())

/** Everything that a call can change, as an auditor reads it; the record grows and is left out. */
async function everything(): Promise<unknown> {
  const { server } = there
  const lists = []
  const here = `/v1/namespaces/${namespace}`
  for (const list of ['/v1/namespaces', '/v1/identities', keysPath]) {
    lists.push((await server.ok('GET', `${list}?limit=1000`)).body)
  }
  for (const list of ['aliases', 'grants', 'roles']) {
    lists.push((await server.ok('GET', `${here}/${list}?limit=1000`)).body)
  }
  const { body } = await server.ok('GET', '/v1/status')
  const { floorEntries, moduleId } = body.module as { floorEntries: number; moduleId: string }
  return { lists, floorEntries, moduleId, pids: server.modulePids(), pid: server.pid }
}

function raw(head: string, body: string | Uint8Array = '', more = ''): Promise<RawAnswer> {
  const { address, authority, token } = there.server.credentials
  const bytes = Buffer.from(body as Uint8Array)
  const lines =
    `${head} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${bytes.length}\r\n${more}\r\n`
  const place = { port: Number(new URL(address).port), authority }
  return exchange(place, Buffer.concat([Buffer.from(lines), bytes]))
}

suite('a body', { timeout: 120_000 }, () => {
  const sign = () => `${keysPath}/${key}/sign`

  test('that is malformed, nested, doubled or of unknown members is refused', async () => {
    const before = await everything()
    const deep = `${'{"data":'.repeat(17)}""${'}'.repeat(17)}`
    const bodies: readonly [string | Uint8Array, string][] = [
      ['', 'BODY_INVALID'],
      ['{"data":""', 'BODY_INVALID'],
      ['{"data":""}}', 'BODY_INVALID'],
      ['{"data":"","data":""}', 'BODY_INVALID'],
      ['{"data":"","\\u0064ata":""}', 'BODY_INVALID'],
      ['{"data":"","__proto__":{}}', 'BODY_INVALID'],
      [deep, 'BODY_INVALID'],
      ['['.repeat(100_000), 'BODY_INVALID'],
      [Buffer.from([0x22, 0xff, 0x22]), 'BODY_INVALID'],
      ['\ufeff{"data":""}', 'BODY_INVALID'],
      ['{"data":"","more":1}', 'REQUEST_INVALID'],
      ['{"data":"","constructor":1}', 'REQUEST_INVALID'],
      ['{"data":1}', 'REQUEST_INVALID'],
      ['{"data":null}', 'REQUEST_INVALID'],
      ['{"data":["AA=="]}', 'REQUEST_INVALID'],
      ['{"data":"AA"}', 'REQUEST_INVALID'],
      ['{"data":"AB=="}', 'REQUEST_INVALID'],
      ['{"data":"A-_="}', 'REQUEST_INVALID'],
      ['{"data":"","version":0}', 'REQUEST_INVALID'],
      ['{"data":"","version":1e99}', 'REQUEST_INVALID'],
      ['{"data":"","version":"1"}', 'REQUEST_INVALID'],
      ['{"data":"","algorithm":"__proto__"}', 'REQUEST_INVALID'],
      ['{"data":"","format":"DER"}', 'REQUEST_INVALID'],
      ['null', 'REQUEST_INVALID'],
      ['[]', 'REQUEST_INVALID'],
      ['1', 'REQUEST_INVALID'],
    ]
    for (const [body, code] of bodies) {
      const answer = await raw(`POST ${sign()}`, body)
      const shown = `${String(body).slice(0, 40)}: ${answer.text}`
      assert.deepEqual([answer.status, JSON.parse(answer.text).code], [400, code], shown)
    }
    assert.deepEqual(await everything(), before)
  })

  test('that is too large is refused, however it is announced, and the largest is taken', async () => {
    const largest = { data: base64(Buffer.alloc(1024 * 1024)) }
    assert.equal((await there.use(key, 'sign', largest)).status, 200)
    const larger = { data: base64(Buffer.alloc(1024 * 1024 + 1)) }
    assertProblem(await there.use(key, 'sign', larger), 400, 'REQUEST_INVALID')
    const padded = await raw(`POST ${sign()}`, '{"data":""}'.padEnd(1_536 * 1024 + 1))
    assert.deepEqual([padded.status, JSON.parse(padded.text).code], [413, 'BODY_TOO_LARGE'])
    const manage = await raw(`POST ${keysPath}`, '{}'.padEnd(64 * 1024 + 1))
    assert.equal(manage.status, 413)
    const items = Array.from({ length: 4 }, () => ({ data: base64(Buffer.alloc(820_000)) }))
    const batch = await there.use(key, 'sign/batch', { items })
    assertProblem(batch, 400, 'ARGUMENT_INVALID')
    const fits = { items: items.slice(0, 3) }
    const { body } = await there.use(key, 'sign/batch', fits)
    assert((body.items as object[]).every((item) => 'result' in item))
  })

  test('that breaks off costs its sender the connection and nobody else anything', async () => {
    const before = await everything()
    const { address, authority, token } = there.server.credentials
    const port = Number(new URL(address).port)
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: authority })
    socket.on('error', () => undefined)
    socket.write(
      `POST ${sign()} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
        'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"data":',
    )
    await new Promise((resolve) => setTimeout(resolve, 50))
    socket.destroy()
    assert.deepEqual(await everything(), before)
  })
})

suite('anything at all', { timeout: 120_000 }, () => {
  const bodies = fc.oneof(
    fc.json({ maxDepth: 4 }),
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.dictionary(fc.constantFrom('data', 'items', 'name', 'key', 'days', 'into'), fc.jsonValue()),
  )

  test('as the body of any route is a documented refusal or a plain success', async () => {
    const taking = routes.filter(({ body }) => body !== undefined)
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...taking), bodies, async ({ method, path }, body) => {
        const target = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
          const identity = `id_${'0'.repeat(31)}1`
          return { namespace, key: 'absent', identity }[name] ?? 'absent'
        })
        const answer = await there.server.call(method, target, body)
        assertDocumented(answer.status, answer.body)
      }),
      { numRuns: 300 },
    )
  })

  test('as a path is a documented refusal', async () => {
    const piece = fc.oneof(
      fc.constantFrom('v1', 'namespaces', namespace, 'keys', '%00', '..', '%2e%2e', '*', '%ff'),
      fc.string({ maxLength: 12 }).map(encodeURIComponent),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 7 }), async (parts) => {
        const answer = await raw(`GET /${parts.join('/')}`)
        if (answer.status !== 200) assertDocumented(answer.status, JSON.parse(answer.text))
      }),
      { numRuns: 200 },
    )
  })
})

function assertDocumented(status: number, body: Readonly<Record<string, unknown>>): void {
  if (status < 300) return
  const known: Readonly<Record<string, { readonly status: number }>> = problems
  const { code } = body
  assert.equal(known[String(code)]?.status, status, JSON.stringify(body))
  assert.notEqual(status, 500, JSON.stringify(body))
}

suite('limits', { timeout: 120_000 }, () => {
  test('many requests at once are all answered', async () => {
    const asked = Array.from({ length: 400 }, () => there.use(key, 'sign', { data: '' }))
    const statuses = new Set((await Promise.all(asked)).map(({ status }) => status))
    assert(statuses.isSubsetOf(new Set([200, 503])), [...statuses].join())
    assert(statuses.has(200))
    assert.equal((await there.use(key, 'sign', { data: '' })).status, 200)
  })

  test('guessing at tokens is slowed down, and good tokens go on elsewhere', async () => {
    const { address, authority, token } = there.server.credentials
    const place = { port: Number(new URL(address).port), authority, from: '127.9.9.9' }
    const ask = (bearer: string) =>
      exchange(
        place,
        `GET /v1/whoami HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bearer}\r\n\r\n`,
      )
    let last = await ask('')
    for (let count = 0; count < 30 && last.status === 401; count += 1) {
      const guess = `kh_${randomBytes(8).toString('hex')}_${randomBytes(32).toString('base64url')}`
      last = await ask(guess)
    }
    assert.equal(last.status, 429)
    assert(Number(last.headers.get('retry-after')) >= 1)
    assert.equal((await ask(token)).status, 200)
    assert.equal((await there.server.ok('GET', '/v1/whoami')).status, 200)
  })

  test('names and identities that are not there are not found, one like the other', async () => {
    const { server } = there
    const absent = unique('absent')
    for (const [route, code] of [
      [`/v1/namespaces/${absent}`, 'NAMESPACE_NOT_FOUND'],
      [`${keysPath}/${absent}`, 'KEY_NOT_FOUND'],
      [`${keysPath}/key_${'0'.repeat(32)}`, 'KEY_NOT_FOUND'],
      [`/v1/identities/id_${'0'.repeat(31)}1`, 'IDENTITY_NOT_FOUND'],
    ] as const) {
      assertProblem(await server.call('GET', route), 404, code)
    }
  })
})

test('after all that the same process and the same module serve, and the log holds no token', () => {
  assert.equal(there.server.modulePids().length, 1)
  const { log, credentials } = there.server
  assert(!log.includes(credentials.token.slice(-43)))
  assert.doesNotMatch(log, /"level":"error"/)
})
