/**
 * Invariant 9: whatever comes from outside ends no process, grows no memory without bound, and gets a
 * documented error or a closed connection. One server takes all of it: bytes that are no TLS, bytes that
 * are no HTTP, requests that are nearly right, bodies that are bombs, clients that never finish, and
 * more connections than there is room for. At the end it is the same process with the same module.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import { after, before, suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import fc from 'fast-check'
import { problems } from '../../src/protocols/rest/errors.ts'
import {
  connectionsCheckingMs,
  connectionsMax,
  handshakeTimeoutMs,
  headersTimeoutMs,
  requestTimeoutMs,
} from '../../src/protocols/rest/limits.ts'
import { routes } from '../../src/protocols/rest/routes.ts'
import { base64, Installation, keysPath, namespace } from '../rest/people.ts'
import { parseAnswer, type RawAnswer } from '../rest/raw.ts'

const long = process.env.KEYHOLD_LONG !== undefined
const runs = long ? 5_000 : 400
/** What the process may have grown to at the end; it begins at about 150 MiB. */
const residentBytesMax = 512 * 1024 * 1024

let there: Installation
let key: string
let pids: readonly number[]

before(async () => {
  there = await Installation.start()
  key = await there.makeKey({ type: 'P-256' }, ['sign'])
  pids = [there.server.pid, ...there.server.modulePids()]
})
after(async () => {
  for (const socket of sockets) socket.destroy()
  await there?.[Symbol.asyncDispose]()
})

/** All that were opened: one that a failed test has left must not keep this process. */
const sockets = new Set<Socket>()

const port = () => Number(new URL(there.server.credentials.address).port)

async function openTcp(): Promise<Socket> {
  const socket = connectTcp({ port: port(), host: '127.0.0.1' })
  sockets.add(socket)
  socket.once('close', () => sockets.delete(socket))
  socket.on('error', () => undefined)
  socket.resume()
  await Promise.race([once(socket, 'connect'), once(socket, 'close')])
  return socket
}

async function openTls(): Promise<TLSSocket> {
  const { authority } = there.server.credentials
  const socket = connectTls({ port: port(), host: '127.0.0.1', ca: authority })
  sockets.add(socket)
  socket.once('close', () => sockets.delete(socket))
  socket.on('error', () => undefined)
  await once(socket, 'secureConnect')
  return socket
}

function closed(socket: Socket): Promise<void> {
  if (socket.closed) return Promise.resolve()
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

/** Sends, ends, and gives what came back, if it was an answer. */
async function exchange(sent: Uint8Array): Promise<RawAnswer | undefined> {
  const socket = await openTls()
  socket.end(sent)
  const pieces: Buffer[] = []
  socket.on('data', (piece: Buffer) => pieces.push(piece))
  await closed(socket)
  return parseAnswer(Buffer.concat(pieces))
}

/**
 * A success, or a problem from the table, but never an internal one. What the HTTP server of Node finds
 * to be no request of HTTP/1.1 (no Host, an Expect that nobody knows) it answers by itself, without a body.
 */
function assertDocumented({ status, text }: { status: number; text: string }): void {
  assert.notEqual(status, 500, text)
  if (status < 300 || (text === '' && (status === 400 || status === 417))) return
  const { code } = JSON.parse(text)
  const row = (problems as Readonly<Record<string, { readonly status: number }>>)[code]
  assert(row !== undefined, `an unknown code: ${text}`)
  assert.equal(status, row.status, text)
}

async function assertLives(): Promise<void> {
  const { status, text } = await there.use(key, 'sign', { data: base64('data') })
  assert.equal(status, 200, text)
  assert.deepEqual([there.server.pid, ...there.server.modulePids()], pids)
  for (const pid of pids) assert(residentBytes(pid) < residentBytesMax, `${pid} has grown`)
}

function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) * 1024
}

/** Files, pipes and this test's own connections, without the crowd. */
const otherDescriptorsMax = 100

/** On the server's side: a client takes a connection for open that never left the kernel's queue. */
function descriptors(): number {
  return readdirSync(`/proc/${there.server.pid}/fd`).length
}

const request = (head: string, body = '') =>
  Buffer.from(
    `${head}\r\nHost: localhost\r\nConnection: close\r\n` +
      `Authorization: Bearer ${there.server.credentials.token}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )

suite('what comes from outside', { timeout: 300_000 }, () => {
  test('invariant 9: bytes that are no TLS close their connection and nothing else', async () => {
    const hello = Buffer.from('160301020001000001fc0303', 'hex')
    const check = fc.asyncProperty(
      fc.uint8Array({ maxLength: 2_000 }),
      fc.boolean(),
      async (b, h) => {
        const socket = await openTcp()
        socket.end(h ? Buffer.concat([hello, b]) : b)
        await closed(socket)
      },
    )
    await fc.assert(check, { numRuns: runs })
    await assertLives()
  })

  test('invariant 9: bytes that are no HTTP get 400, or nothing', async () => {
    const start = fc.constantFrom(
      '',
      'GET / HTTP/1.1\r\n',
      'POST /v1/random HTTP/1.1\r\nHost: x\r\n',
    )
    const end = fc.constantFrom('', '\r\n\r\n')
    const bytes = fc.uint8Array({ maxLength: 500 })
    const check = fc.asyncProperty(start, bytes, end, async (first, middle, last) => {
      const answer = await exchange(Buffer.concat([Buffer.from(first), middle, Buffer.from(last)]))
      if (answer) assertDocumented(answer)
    })
    await fc.assert(check, { numRuns: runs })
    await assertLives()
  })

  test('invariant 9: a request with any few bytes changed gets a documented answer', async () => {
    const body = JSON.stringify({ data: base64('data') })
    const whole = request(`POST ${keysPath}/${key}/sign HTTP/1.1`, body)
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255))
    const check = fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 4 }),
      async (changes) => {
        const changed = Buffer.from(whole)
        for (const [at, byte] of changes) changed[at] = byte
        const answer = await exchange(changed)
        if (answer) assertDocumented(answer)
      },
    )
    await fc.assert(check, { numRuns: runs })
    await assertLives()
  })

  test('invariant 9: any JSON at any route gets a documented answer', async () => {
    const taking = routes.filter((route) => route.body !== undefined)
    // Members of the right names with values of every kind get further than any other JSON.
    const names = [
      'name',
      'data',
      'key',
      'type',
      'items',
      'plaintext',
      'into',
      'lengthBytes',
      'uses',
    ]
    const member = fc.constantFrom(...names)
    const value = fc.jsonValue({ maxDepth: 3 })
    const anyBody = fc.oneof(value, fc.dictionary(member, value, { maxKeys: 6 }))
    const victim = await there.makeKey({ type: 'P-256' }, ['sign'])
    const check = fc.asyncProperty(fc.constantFrom(...taking), anyBody, async (route, body) => {
      const path = route.path.replace('{namespace}', namespace).replace('{key}', victim)
      const filled = path.replaceAll(/\{\w+\}/g, 'none')
      assertDocumented(await there.server.call(route.method, filled, JSON.stringify(body)))
    })
    await fc.assert(check, { numRuns: runs * 3 })
    await assertLives()
  })

  test('invariant 9: bodies that are bombs are refused', async () => {
    const mebibyte = 1024 * 1024
    const bombs = {
      deep: '['.repeat(mebibyte),
      'deep objects': '{"a":'.repeat(200_000),
      'a long number': `{"data":${'9'.repeat(mebibyte)}}`,
      'a long string': `{"data":"${'A'.repeat(1_500 * 1024)}"}`,
      'many members': `{${Array.from({ length: 90_000 }, (_, n) => `"m${n}":1`).join(',')}}`,
      'many items': `{"items":[${'{},'.repeat(200_000)}{}]}`,
      'one member often': `{${'"data":"",'.repeat(100_000)}"data":""}`,
      'a prototype': '{"__proto__":{"data":""},"constructor":{"prototype":{}}}',
      'no Unicode': '{"data":"\\ud800"}',
      escapes: `{"${'\\u0061'.repeat(200_000)}":1}`,
    }
    for (const [name, bomb] of Object.entries(bombs)) {
      for (const operation of ['sign', 'sign/batch', 'encrypt']) {
        const answers = await Promise.all([1, 2, 3].map(() => there.use(key, operation, bomb)))
        for (const answer of answers) {
          assertDocumented(answer)
          assert(answer.status >= 400, name)
        }
      }
    }
    await assertLives()
  })

  test('invariant 9: headers and paths without end are refused', async () => {
    const head = `GET /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n`
    for (const [sent, status] of [
      [`${head}X: ${'a'.repeat(100_000)}\r\n\r\n`, 431],
      [`${head}${'X: a\r\n'.repeat(10_000)}\r\n`, 431],
      [`GET /${'a'.repeat(100_000)} HTTP/1.1\r\n\r\n`, 431],
      [
        `GET /v1/health?${'a=b&'.repeat(2_000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
        400,
      ],
      [`GET /${'a/'.repeat(4_000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, 404],
      [`${head}Content-Length: 99999999999999999999\r\n\r\n`, 400],
      [`${head}Content-Length: -1\r\n\r\n`, 400],
      [`${head}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n`, undefined],
      [`CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n`, undefined],
      ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', undefined],
    ] as const) {
      const answer = await exchange(Buffer.from(sent))
      if (answer) assertDocumented(answer)
      if (status !== undefined) assert.equal(answer?.status, status, sent.slice(0, 60))
    }
    await assertLives()
  })

  test('invariant 9: more connections than there is room for are bounded, and then gone', async () => {
    await assertLives()
    const crowd = await Promise.all(Array.from({ length: connectionsMax + 500 }, () => openTcp()))
    const begun = performance.now()
    const untilOpen = async (most: number, withinMs: number) => {
      while (descriptors() > most) {
        assert(performance.now() < begun + withinMs, `${descriptors()} descriptors`)
        await delay(50)
      }
    }
    await untilOpen(connectionsMax + otherDescriptorsMax, 5_000)
    // Who was there before is served all the time.
    await assertLives()
    // They say nothing: that is not TLS within its time.
    await untilOpen(connectionsMax / 2, handshakeTimeoutMs + 5_000)
    for (const socket of crowd) socket.destroy()
    await untilOpen(otherDescriptorsMax, 2 * handshakeTimeoutMs + 5_000)
    await assertLives()
  })

  test('invariant 9: clients that never finish are told to go, and hold up nobody', async () => {
    const begun = performance.now()
    const starts = [
      '',
      'GET /v1/health HTT',
      'POST /v1/random HTTP/1.1\r\nHost: x\r\n',
      // A body may take longer than headers.
      ...(long ? [request('POST /v1/random HTTP/1.1', '{}').subarray(0, -1)] : []),
    ]
    const endings = starts.flatMap((start) =>
      Array.from({ length: 25 }, async () => {
        const socket = await openTls()
        socket.resume()
        socket.write(start)
        await closed(socket)
        return performance.now() - begun
      }),
    )
    await assertLives()
    const slowest = Math.max(...(await Promise.all(endings)))
    const mostMs = (long ? requestTimeoutMs : headersTimeoutMs) + connectionsCheckingMs
    assert(slowest < mostMs + 2_000, `${slowest} ms`)
    await assertLives()
  })
})
