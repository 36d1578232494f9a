/**
 * A lean load generator, run as a process of its own: raw HTTP/1.1 over TLS, one request under way on
 * each connection, the same bytes each time. Reads its orders as JSON from standard input, because a
 * batch is longer than an argument may be, and prints what it saw as JSON.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { connect, type TLSSocket } from 'node:tls'
import { summarise } from './measure.ts'

interface Orders {
  readonly host: string
  readonly port: number
  readonly authority: string
  readonly token: string
  readonly path: string
  readonly body: string
  readonly connections: number
  readonly seconds: number
  /** What one request does. */
  readonly items: number
}

const orders = JSON.parse(readFileSync(0, 'utf8')) as Orders
const request = Buffer.from(
  `POST ${orders.path} HTTP/1.1\r\nHost: ${orders.host}:${orders.port}\r\n` +
    `Authorization: Bearer ${orders.token}\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${Buffer.byteLength(orders.body)}\r\n\r\n${orders.body}`,
)
const ok = Buffer.from('HTTP/1.1 200')
const latencies: number[] = []
let errors = 0
let firstError = ''

const sockets = Array.from({ length: orders.connections }, () =>
  connect({ host: orders.host, port: orders.port, ca: orders.authority, servername: 'localhost' }),
)
await Promise.all(sockets.map((socket) => once(socket, 'secureConnect')))
const start = performance.now()
const end = start + orders.seconds * 1000
await Promise.all(sockets.map(drive))
const seconds = (performance.now() - start) / 1000
const measured = summarise(latencies, seconds, (latencies.length - errors) * orders.items)
process.stdout.write(JSON.stringify({ ...measured, errors, firstError }))
for (const socket of sockets) socket.destroy()

/** Sends until the time is over; resolves when the last answer is in. */
function drive(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    let answer: Buffer = Buffer.alloc(0)
    let before = performance.now()
    socket.setNoDelay(true)
    socket.on('error', reject)
    socket.on('close', () => resolve())
    socket.on('data', (chunk: Buffer) => {
      answer = answer.length === 0 ? chunk : Buffer.concat([answer, chunk])
      const length = answerLength(answer)
      if (length === undefined || answer.length < length) return
      assert(answer.length === length, 'more than one answer')
      if (!answer.subarray(0, 12).equals(ok)) {
        errors += 1
        firstError ||= answer.toString('utf8', 0, 600)
      }
      answer = Buffer.alloc(0)
      const now = performance.now()
      latencies.push((now - before) * 1000)
      if (now >= end) return resolve()
      before = now
      socket.write(request)
    })
    socket.write(request)
  })
}

/** Bytes of the whole answer once its head is in. */
function answerLength(answer: Buffer): number | undefined {
  const head = answer.indexOf('\r\n\r\n')
  if (head < 0) return undefined
  const [, length] = /content-length: (\d+)/i.exec(answer.toString('latin1', 0, head)) ?? []
  assert(length !== undefined, 'an answer without content-length')
  return head + 4 + Number(length)
}
