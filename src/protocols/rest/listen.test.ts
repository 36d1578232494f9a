/**
 * The registration and the listener with a small table of routes of their own, over a real socket: what
 * guards a route, in which order, and what no well-behaved client would send. No route here asks the
 * manager for anything, so there is none.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, suite, test } from 'node:test'
import { connect } from 'node:tls'
import { z } from 'zod'
import {
  exchange,
  type Place,
  parseAnswer,
  type RawAnswer,
  selfSigned,
} from '../../../tests/rest/raw.ts'
import { KmsError } from '../../kms/errors.ts'
import type { Kms, LogEntry } from '../../kms/kms.ts'
import { listenRest, type RestListener } from './listen.ts'
import { nothing, type Route, route } from './route.ts'
import { bytes, queryInteger } from './schemas.ts'

let ran = 0
const logged: LogEntry[] = []
const outcomes: string[] = []
const gate = Promise.withResolvers<void>()

const table: readonly Route[] = [
  route({
    name: 'echo',
    method: 'POST',
    path: '/v1/things/{thing}/echo',
    summary: 'Answers its body',
    permission: 'none',
    bodyBytesMax: 1_000,
    parameters: z.strictObject({ thing: z.string().max(8) }),
    query: z.strictObject({ limit: queryInteger(1, 10).optional() }),
    body: z.strictObject({ data: bytes(500) }),
    result: z.strictObject({ data: bytes(500), thing: z.string(), limit: z.int().optional() }),
    handle: async ({ body, path, query }) => {
      ran += 1
      return { data: body.data, thing: path.thing, ...query }
    },
  }),
  route({
    name: 'read',
    method: 'GET',
    path: '/v1/things/{thing}',
    summary: 'Fails as it is told',
    permission: 'none',
    parameters: z.strictObject({ thing: z.string() }),
    result: nothing,
    handle: async ({ path }) => {
      ran += 1
      if (path.thing === 'bug') throw new TypeError('a secret: kh_0123456789abcdef_secret')
      if (path.thing === 'wrong') return { surplus: 1 } as unknown as Record<string, never>
      if (path.thing === 'slow') await gate.promise
      if (path.thing === 'busy') throw new KmsError('MODULE_BUSY', 'busy \u001b[31m')
      return {}
    },
    timeoutMs: 50,
  }),
  route({
    name: 'closed',
    method: 'POST',
    path: '/v1/closed',
    summary: 'Needs a token',
    permission: 'token',
    body: nothing,
    result: nothing,
    handle: async () => {
      ran += 1
      return {}
    },
  }),
  route({
    name: 'remove',
    method: 'DELETE',
    path: '/v1/things/{thing}',
    summary: 'Takes If-Match and answers nothing',
    permission: 'none',
    parameters: z.strictObject({ thing: z.string() }),
    result: z.void(),
    status: 204,
    etag: true,
    handle: async ({ change }) => {
      if (change.ifMatch !== '7') throw new KmsError('PRECONDITION_FAILED', 'it is 7')
    },
  }),
]

let listener: RestListener
let place: Place

before(async () => {
  const tls = selfSigned()
  listener = await listenRest(
    {
      host: '127.0.0.1',
      port: 0,
      tls,
      version: '0.0.0',
      development: true,
      record: {
        head: () => Promise.reject(new Error('not asked')),
        heads: () => Promise.reject(new Error('not asked')),
        leaves: () => Promise.reject(new Error('not asked')),
        search: () => Promise.reject(new Error('not asked')),
        sinks: () => [],
      },
      logs: {},
      readiness: () => Promise.reject(new Error('not asked')),
      metrics: {
        answered: (route, outcome) => outcomes.push(`${route} ${outcome}`),
        read: () => Promise.reject(new Error('not asked')),
      },
      witnesses: () => [],
      log: (entry) => logged.push(entry),
    },
    {} as Kms,
    table,
  )
  place = { port: listener.port, authority: tls.certificate }
})
after(() => listener[Symbol.asyncDispose]())

const json = 'Content-Type: application/json\r\n'

function send(head: string, body = '', headers = ''): Promise<RawAnswer> {
  const length = body === '' ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`
  return exchange(place, `${head} HTTP/1.1\r\nHost: x\r\n${headers}${length}\r\n${body}`)
}

const echo = (body: string, headers = json) => send('POST /v1/things/a/echo', body, headers)

function assertProblem(answer: RawAnswer, status: number, code: string): void {
  const problem = JSON.parse(answer.text)
  assert.deepEqual([answer.status, problem.code, problem.status], [status, code, status])
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/)
  assert.deepEqual(Object.keys(problem), ['type', 'title', 'status', 'code', 'detail', 'requestId'])
}

suite('a well-formed request', () => {
  test('is parsed, run and encoded', async () => {
    const answer = await send('POST /v1/things/a%20b/echo?limit=3', '{"data":"AAEC"}', json)
    assert.equal(answer.status, 200)
    assert.deepEqual(JSON.parse(answer.text), { data: 'AAEC', thing: 'a b', limit: 3 })
    assert.equal(answer.headers.get('cache-control'), 'no-store')
  })

  test('keeps its own request id, and gets another when that is not well-formed', async () => {
    const asked = async (id: string) => {
      const answer = await send('GET /v1/things/a', '', `X-Request-Id: ${id}\r\n`)
      return answer.headers.get('x-request-id')
    }
    assert.equal(await asked('A-z.0_9'), 'A-z.0_9')
    assert.equal(await asked('a'.repeat(64)), 'a'.repeat(64))
    for (const id of ['a'.repeat(65), 'a b', 'ü', '']) {
      assert.match((await asked(id)) ?? '', /^[0-9a-f]{16}-[0-9a-z]+$/)
    }
  })

  test('a strong ETag matches, anything else in If-Match is refused', async () => {
    const remove = (tag: string) => send('DELETE /v1/things/a', '', `If-Match: ${tag}\r\n`)
    assert.equal((await remove('"7"')).status, 204)
    assertProblem(await remove('"8"'), 412, 'PRECONDITION_FAILED')
    for (const tag of ['7', 'W/"7"', '"7", "8"', '""', '"7']) {
      assertProblem(await remove(tag), 400, 'HEADER_INVALID')
    }
  })
})

suite('what is refused', () => {
  test('a body that is not what the schema says, and nothing runs', async () => {
    const before = ran
    for (const [body, code] of [
      ['{"data":"AAEC","data":"AAEC"}', 'BODY_INVALID'],
      ['{"data":"AAEC","more":1}', 'REQUEST_INVALID'],
      ['{"data":"AA EC"}', 'REQUEST_INVALID'],
      ['{"data":1}', 'REQUEST_INVALID'],
      ['{}', 'REQUEST_INVALID'],
      ['[]', 'REQUEST_INVALID'],
      ['"', 'BODY_INVALID'],
      ['{"data":"AAEC"', 'BODY_INVALID'],
      ['['.repeat(17), 'BODY_INVALID'],
      ['{"data":{"__proto__":1}}', 'BODY_INVALID'],
    ] as const) {
      assertProblem(await echo(body), 400, code)
    }
    assert.equal(ran, before)
  })

  test('a missing body, another media type, one byte too many', async () => {
    assertProblem(await echo(''), 400, 'BODY_INVALID')
    assertProblem(await send('POST /v1/things/a/echo'), 400, 'BODY_INVALID')
    const body = '{"data":"AAEC"}'
    for (const type of ['text/plain', 'application/xml', 'application/json5', 'x', '']) {
      const answer = await echo(body, `Content-Type: ${type}\r\n`)
      assertProblem(answer, 415, 'MEDIA_TYPE_NOT_SUPPORTED')
    }
    assertProblem(await echo(body, ''), 415, 'MEDIA_TYPE_NOT_SUPPORTED')
    assert.equal((await echo(body.padEnd(1_000))).status, 200)
    assertProblem(await echo(body.padEnd(1_001)), 413, 'BODY_TOO_LARGE')
  })

  test('a body that grows beyond the limit without having announced it', async () => {
    const piece = `1f4\r\n${' '.repeat(500)}\r\n`
    const head = `POST /v1/things/a/echo HTTP/1.1\r\nHost: x\r\n${json}Transfer-Encoding: chunked\r\n\r\n`
    assertProblem(await exchange(place, head + piece.repeat(3)), 413, 'BODY_TOO_LARGE')
  })

  test('a body where none belongs', async () => {
    for (const head of ['GET /v1/things/a', 'DELETE /v1/things/a']) {
      assertProblem(await send(head, '{}', json), 400, 'BODY_NOT_EXPECTED')
      assertProblem(
        await send(head, '', 'Transfer-Encoding: chunked\r\n'),
        400,
        'BODY_NOT_EXPECTED',
      )
    }
  })

  test('queries and paths that no schema knows', async () => {
    for (const query of ['more=1', 'limit=11', 'limit=1&limit=1', 'limit=', 'LIMIT=1']) {
      const answer = await send(`POST /v1/things/a/echo?${query}`, '{"data":""}', json)
      assertProblem(answer, 400, 'REQUEST_INVALID')
    }
    const long = await send('POST /v1/things/123456789/echo', '{"data":""}', json)
    assertProblem(long, 400, 'REQUEST_INVALID')
    assertProblem(await send('GET /v1/things/%ff'), 400, 'REQUEST_INVALID')
    assertProblem(await send(`GET /v1/things/${'a'.repeat(129)}`), 400, 'REQUEST_INVALID')
  })

  test('no route, and no such method on a route', async () => {
    const paths = ['/', '/v1', '/v1/things', '/v1/things/a/', '/V1/things/a', '//v1/things/a', '*']
    for (const path of paths) assertProblem(await send(`GET ${path}`), 404, 'ROUTE_NOT_FOUND')
    for (const method of ['PUT', 'PATCH', 'OPTIONS', 'POST', 'TRACE']) {
      const answer = await send(`${method} /v1/things/a`)
      assertProblem(answer, 405, 'METHOD_NOT_ALLOWED')
      assert.equal(answer.headers.get('allow'), 'GET, DELETE')
    }
    assertProblem(
      await send('POST /nowhere', '<x/>', 'Content-Type: text/xml\r\n'),
      404,
      'ROUTE_NOT_FOUND',
    )
  })

  test('no token, before a byte of the body is read', async () => {
    const before = ran
    const head = `POST /v1/closed HTTP/1.1\r\nHost: x\r\n${json}Content-Length: 2\r\n`
    for (const header of [
      '',
      'Authorization: Basic eDp5\r\n',
      'Authorization: Bearer \r\n',
      'Authorization: Bearer x\r\n',
    ]) {
      const answer = await exchange(place, `${head}${header}\r\n`)
      assertProblem(answer, 401, 'TOKEN_INVALID')
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer')
    }
    assert.equal(ran, before)
  })

  test('failed authentications in a row are told to wait', async () => {
    let answer = await send('POST /v1/closed')
    for (let count = 0; count < 25 && answer.status === 401; count += 1) {
      answer = await send('POST /v1/closed')
    }
    assertProblem(answer, 429, 'TOO_MANY_FAILURES')
    assert.ok(Number(answer.headers.get('retry-after')) > 0)
  })

  test('what is not HTTP, and headers without end', async () => {
    assert.equal((await exchange(place, 'hello\r\n\r\n')).status, 400)
    const two = `POST /v1/things/a/echo HTTP/1.1\r\nHost: x\r\n${json}Content-Length: 2\r\n`
    const smuggled = `${two}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`
    assert.equal((await exchange(place, smuggled)).status, 400)
    assert.equal((await exchange(place, `${two}Content-Length: 3\r\n\r\n{}`)).status, 400)
    assertProblem(
      await send('GET /v1/things/a', '', `X: ${'a'.repeat(20_000)}\r\n`),
      431,
      'HEADERS_TOO_LARGE',
    )
  })
})

suite('failures', () => {
  test('a bug is internal outside, and in the log inside', async () => {
    const answer = await send('GET /v1/things/bug', '', 'X-Request-Id: the-bug\r\n')
    assertProblem(answer, 500, 'INTERNAL')
    assert.doesNotMatch(answer.text, /secret|TypeError/)
    const entry = logged.find(({ requestId }) => requestId === 'the-bug')
    assert.equal(entry?.level, 'error')
    assert.match(String(entry?.error), /TypeError/)
  })

  test('an answer that its schema does not know is a bug, and does not go out', async () => {
    const answer = await send('GET /v1/things/wrong')
    assertProblem(answer, 500, 'INTERNAL')
    assert.doesNotMatch(answer.text, /surplus/)
  })

  test('a busy module asks to try again, in plain text', async () => {
    const answer = await send('GET /v1/things/busy')
    assertProblem(answer, 503, 'MODULE_BUSY')
    assert.equal(answer.headers.get('retry-after'), '1')
    assert.equal(JSON.parse(answer.text).detail, 'busy  [31m')
  })

  test('what takes too long is told so, and its late answer goes nowhere', async () => {
    assertProblem(await send('GET /v1/things/slow'), 504, 'TIMED_OUT')
    gate.resolve()
    assert.equal((await send('GET /v1/things/a')).status, 200)
  })

  test('requests behind each other on one connection are answered in their order', async () => {
    const socket = connect({
      port: place.port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: place.authority,
    })
    await once(socket, 'secureConnect')
    const one = (id: number) =>
      `GET /v1/things/a HTTP/1.1\r\nHost: x\r\nX-Request-Id: r${id}\r\n\r\n`
    socket.write(Array.from({ length: 20 }, (_, id) => one(id)).join(''))
    let received = Buffer.alloc(0)
    const ids: string[] = []
    for await (const piece of socket) {
      received = Buffer.concat([received, piece])
      for (let answer = parseAnswer(received); answer; answer = parseAnswer(received)) {
        ids.push(answer.headers.get('x-request-id') ?? '')
        received = received.subarray(received.indexOf('\r\n\r\n') + 4 + answer.text.length)
      }
      if (ids.length === 20) break
    }
    assert.deepEqual(
      ids,
      Array.from({ length: 20 }, (_, id) => `r${id}`),
    )
  })
})

test('every answer is told, by its route and its outcome', async () => {
  outcomes.length = 0
  const echo = send('POST /v1/things/a/echo', '{"data":"AAAA"}', json)
  assert.equal((await echo).status, 200)
  await send('POST /v1/things/a/echo', '{"data":1}', json)
  await send('GET /v1/absent')
  await send('GET /%zz')
  await exchange(place, 'no HTTP at all\r\n\r\n')
  assert.deepEqual(outcomes, [
    'echo ok',
    'echo REQUEST_INVALID',
    ' ROUTE_NOT_FOUND',
    ' REQUEST_INVALID',
    ' REQUEST_INVALID',
  ])
})
