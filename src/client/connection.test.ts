/** One connection against a real TLS listener: tokens, refusals, repeats, deadlines, broken answers. */

import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import { selfSigned } from '../../tests/rest/raw.ts'
import { Connection, type Exchange } from './connection.ts'

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void

const ours = selfSigned()
const ask: Exchange = { method: 'GET', path: '/v1/x', repeatable: true }

class Listener implements AsyncDisposable {
  readonly #server: Server
  count = 0

  constructor(handler: Handler) {
    this.#server = createServer({ key: ours.key, cert: ours.certificate }, (request, response) => {
      this.count += 1
      handler(request, response, this.count)
    })
  }

  async connection(authority = ours.certificate, timeoutMs = 5_000): Promise<Connection> {
    if (!this.#server.listening) {
      await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', () => resolve()))
    }
    const { port } = this.#server.address() as AddressInfo
    const config = { address: `https://localhost:${port}`, authority, token: 'kh_secret' }
    return new Connection(config, { timeoutMs })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

function answer(
  response: ServerResponse,
  status: number,
  body: unknown,
  type = 'application/json',
) {
  response.writeHead(status, { 'content-type': type }).end(JSON.stringify(body))
}

const problem = { code: 'KEY_NOT_FOUND', detail: 'no\u001b[31m key', requestId: 'r1' }

suite('a connection', () => {
  test('sends the token and gives the answer back', async () => {
    await using listener = new Listener(({ headers }, response) =>
      answer(response, 200, { token: headers.authorization }),
    )
    using connection = await listener.connection()
    const { body } = await connection.send(ask)
    assert.deepEqual(body, { token: 'Bearer kh_secret' })
  })

  test('a refusal is its code, for people without control characters', async () => {
    await using listener = new Listener((_, response) =>
      answer(response, 404, problem, 'application/problem+json'),
    )
    using connection = await listener.connection()
    await assert.rejects(
      connection.send(ask),
      (error: Error & { code: string; status: number }) => {
        assert.deepEqual([error.code, error.status], ['KEY_NOT_FOUND', 404])
        assert(!error.message.includes('\u001b'))
        return true
      },
    )
    assert.equal(listener.count, 1)
  })

  test('tries again what can be repeated, and nothing else', async () => {
    const busy: Handler = (_, response, count) =>
      count < 3 ? answer(response, 503, { code: 'OVERLOADED' }) : answer(response, 200, { count })
    await using listener = new Listener(busy)
    using connection = await listener.connection()
    assert.deepEqual((await connection.send(ask)).body, { count: 3 })
    await using other = new Listener(busy)
    using second = await other.connection()
    const once = second.send({ ...ask, method: 'POST', repeatable: false })
    await assert.rejects(once, { code: 'OVERLOADED' })
    assert.equal(other.count, 1)
  })

  test('a connection that breaks, and one that says nothing, is SERVER_UNREACHABLE', async () => {
    await using broken = new Listener((request) => request.socket.destroy())
    using first = await broken.connection()
    await assert.rejects(first.send(ask), { code: 'SERVER_UNREACHABLE' })
    assert.equal(broken.count, 5)
    await using silent = new Listener(() => undefined)
    using second = await silent.connection(ours.certificate, 200)
    const late = second.send({ ...ask, repeatable: false })
    await assert.rejects(late, { code: 'SERVER_UNREACHABLE', message: /did not answer in time/ })
  })

  test('a server of another authority never sees the token', async () => {
    await using listener = new Listener((_, response) => answer(response, 200, {}))
    using connection = await listener.connection(selfSigned().certificate)
    await assert.rejects(connection.send({ ...ask, repeatable: false }), {
      code: 'SERVER_UNREACHABLE',
      message: /is not the server it should be/,
    })
    assert.equal(listener.count, 0)
  })

  test('answers that are no answers are ANSWER_INVALID', async () => {
    const kinds: Handler[] = [
      (_, response) =>
        void response.writeHead(200, { 'content-type': 'application/json' }).end('{'),
      (_, response) => answer(response, 500, 'no code'),
      (_, response) => answer(response, 404, { code: 'not a code' }),
      (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' })
        const piece = Buffer.alloc(1024 * 1024, 0x20)
        response.on('error', () => undefined)
        for (let index = 0; index < 17; index += 1) response.write(piece)
        response.end('{}')
      },
    ]
    for (const kind of kinds) {
      await using listener = new Listener(kind)
      using connection = await listener.connection()
      await assert.rejects(connection.send(ask), { code: 'ANSWER_INVALID' })
    }
  })
})
