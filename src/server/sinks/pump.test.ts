/**
 * Every entry arrives, in order, at a sink that is dead, slow, answers 500, breaks off or comes late; over
 * restarts too. What comes twice has the sequence that it had.
 */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createServer as createTls } from 'node:tls'
import { selfSigned } from '../../../tests/rest/raw.ts'
import { encodeLeaf } from '../../hsm/contract/leaf.ts'
import type { LogEntry } from '../../kms/kms.ts'
import { parseSinks, type SinkSettings } from './configuration.ts'
import { FileSink } from './file-sink.ts'
import { HttpSink } from './http-sink.ts'
import { Pump } from './pump.ts'
import type { Sink } from './sink.ts'
import { SyslogSink } from './syslog-sink.ts'

const tls = selfSigned()

function leafAt(sequence: number, requestId = `r-${sequence}`): Buffer {
  return encodeLeaf({
    flags: 0,
    sequence,
    timeMicros: Date.now() * 1_000,
    moduleId: Buffer.alloc(16),
    command: 'sign',
    outcome: 'OK',
    key: '',
    version: 0,
    identity: 'id_test',
    requestId,
    protocol: 'test',
    address: '',
    argumentsDigest: Buffer.alloc(32),
  })
}

class Source {
  readonly leaves: Buffer[] = []
  add(count: number): void {
    for (let index = 0; index < count; index += 1) this.leaves.push(leafAt(this.leaves.length))
  }
  size(): number {
    return this.leaves.length
  }
  async readLeaves(from: number, limit: number) {
    return { leaves: this.leaves.slice(from, from + limit) }
  }
}

let folder: string
let source: Source
const logged: LogEntry[] = []

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'keyhold-pump-'))
  writeFileSync(path.join(folder, 'ca.pem'), tls.certificate)
  source = new Source()
  logged.length = 0
})
afterEach(() => rmSync(folder, { recursive: true }))

function settingsOf(members: object): SinkSettings {
  const [settings] = parseSinks({ sinks: { sink: members } })
  assert(settings)
  return settings
}

function sinkOf(settings: SinkSettings): Sink {
  if (settings.type === 'file') return new FileSink(settings)
  return settings.type === 'http' ? new HttpSink(settings) : new SyslogSink(settings)
}

function start(settings: SinkSettings, sink = sinkOf(settings)): Promise<Pump> {
  const file = path.join(folder, 'cursor')
  const log = (entry: LogEntry) => logged.push(entry)
  return Pump.start({ settings, sink, source, file, now: Date.now, log, pauseMs: 5 })
}

async function until(what: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!what()) {
    assert(performance.now() < deadline, `it does not come: ${what}`)
    await delay(5)
  }
}

const cursor = () => {
  const file = path.join(folder, 'cursor')
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).next : 0
}

/** In order, none missing; repeats begin at an earlier one and go on from there. */
function assertComplete(sequences: readonly number[], count: number): void {
  let next = 0
  for (const sequence of sequences) {
    assert(sequence <= next, `${sequence} without ${next}`)
    next = Math.max(next, sequence + 1)
  }
  assert.equal(next, count)
}

async function listening(server: Server, port = 0): Promise<AsyncDisposable & { port: number }> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close()
    },
  }
}

const sequencesIn = (text: string): number[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line).sequence)

suite('a file', () => {
  const name = () => path.join(folder, 'out.jsonl')
  const settings = (members = {}) => settingsOf({ type: 'file', path: name(), ...members })
  /** Of all files, the oldest first. */
  const written = () =>
    readdirSync(folder)
      .filter((file) => file.startsWith('out.jsonl'))
      .map((file) => ({ file, order: Number(file.slice(10) || Number.MAX_SAFE_INTEGER) }))
      .sort((one, other) => one.order - other.order)
      .flatMap(({ file }) => sequencesIn(readFileSync(path.join(folder, file), 'utf8')))

  test('gets every entry once, over restarts, and is put aside when it is full', async () => {
    for (const _ of [1, 2, 3]) {
      source.add(1_500)
      await using pump = await start(settings({ bytesMax: 200_000 }))
      await until(() => pump.status().lagEntries === 0)
    }
    assert.equal(cursor(), 4_500)
    assert.deepEqual(
      written(),
      Array.from({ length: 4_500 }, (_, sequence) => sequence),
    )
    assert(readdirSync(folder).includes('out.jsonl.1000'))
  })

  test('what a crash left of a line is cut off, and a removed file is begun anew', async () => {
    writeFileSync(name(), '{"sequence":0}\n{"sequen')
    source.add(2)
    await using pump = await start(settings())
    await until(() => pump.status().next === 2)
    assert.deepEqual(written(), [0, 0, 1])
    renameSync(name(), path.join(folder, 'away'))
    source.add(1)
    await until(() => pump.status().next === 3)
    assert.deepEqual(written(), [2])
  })

  test('that holds something else is left as it is', async () => {
    source.add(1)
    for (const text of ['not ours', `{"sequence":0}\nroot:x:0:0`, '\0'.repeat(100_000)]) {
      writeFileSync(name(), text)
      await using pump = await start(settings())
      await until(() => pump.status().error.includes('something else than entries'))
      assert.equal(readFileSync(name(), 'utf8'), text)
    }
    await using pump = await start({ ...settings(), path: '/dev/null' } as SinkSettings)
    await until(() => pump.status().error.includes('something else than entries'))
  })

  test('without room it waits, says so, and nothing is missing when there is room', async () => {
    const limit = (bytes: number | 'unlimited') =>
      execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:unlimited`])
    source.add(300)
    await using pump = await start(settings({ lagEntriesMax: 1_000 }))
    await until(() => pump.status().lagEntries === 0)
    try {
      limit(readFileSync(name()).length + 10_000)
      source.add(2_000)
      await until(() => pump.status().error !== '' && pump.status().late)
      assert.match(pump.status().error, /EFBIG|nothing could be written/)
    } finally {
      limit('unlimited')
    }
    await until(() => pump.status().lagEntries === 0)
    assertComplete(written(), 2_300)
    assert.equal(pump.status().late, false)
    const levels = logged.map(({ level }) => level)
    assert.deepEqual([...new Set(levels)].sort(), ['error', 'info', 'warn'])
  })
})

suite('HTTP', () => {
  const settings = (port: number, members = {}) =>
    settingsOf({
      ...{ type: 'http', url: `https://127.0.0.1:${port}/in`, ca: path.join(folder, 'ca.pem') },
      ...{ entriesMax: 100, ...members },
    })
  const options = { key: tls.key, cert: tls.certificate }

  test('a collector that is dead, answers 500, redirects and breaks off gets everything', async () => {
    const secret = path.join(folder, 'secret')
    writeFileSync(secret, 'Bearer not-for-the-log\n', { mode: 0o600 })
    const got: number[] = []
    const heard: unknown[] = []
    let count = 0
    const server = createHttps(options, async (asked, answer) => {
      const pieces: Buffer[] = []
      for await (const piece of asked) pieces.push(piece)
      const { method, url, headers } = asked
      heard.push([method, url, headers['content-type'], headers.authorization])
      count += 1
      if (count % 5 === 1) return void answer.writeHead(500).end('try later')
      if (count % 5 === 2) return void answer.writeHead(307, { location: '/else' }).end()
      if (count % 5 === 3) return void answer.socket?.destroy()
      got.push(...sequencesIn(Buffer.concat(pieces).toString()))
      // It has them, and we do not learn it.
      if (count % 5 === 4) return void answer.socket?.destroy()
      answer.writeHead(count % 2 === 0 ? 200 : 204).end()
    })
    source.add(450)
    const { port } = await listening(createTls(options)).then(async (place) => {
      await place[Symbol.asyncDispose]()
      return place
    })
    const secretHeader = { name: 'Authorization', file: secret }
    await using pump = await start(settings(port, { secretHeader }))
    await until(() => pump.status().error.includes('ECONNREFUSED'))
    await using _ = await listening(server, port)
    await until(() => pump.status().lagEntries === 0)
    assertComplete(got, 450)
    const asked = ['POST', '/in', 'application/x-ndjson', 'Bearer not-for-the-log']
    for (const one of heard) assert.deepEqual(one, asked)
    const said = JSON.stringify([logged, pump.status()])
    assert(!said.includes('not-for-the-log'))
    server.closeAllConnections()
  })

  test('one that nobody vouches for gets nothing', async () => {
    const stranger = selfSigned()
    const server = createHttps({ key: stranger.key, cert: stranger.certificate })
    let asked = 0
    server.on('request', () => {
      asked += 1
    })
    await using place = await listening(server)
    source.add(1)
    await using pump = await start(settings(place.port))
    await until(() => /self.signed/i.test(pump.status().error))
    assert.deepEqual([asked, pump.status().next, cursor()], [0, 0, 0])
  })

  test('one that never answers holds up nothing but itself', async () => {
    const server = createHttps(options, (asked) => asked.resume())
    await using place = await listening(server)
    source.add(10)
    const pump = await start(settings(place.port))
    await delay(50)
    const began = performance.now()
    await pump[Symbol.asyncDispose]()
    assert(performance.now() - began < 5_000)
    assert.equal(cursor(), 0)
    server.closeAllConnections()
  })
})

suite('syslog over TLS', () => {
  const settings = (port: number) =>
    settingsOf({ type: 'syslog', host: '127.0.0.1', port, ca: path.join(folder, 'ca.pem') })

  test('a receiver that breaks off, ends early or is slow gets everything', async () => {
    const got: number[] = []
    let count = 0
    const server = createTls({ key: tls.key, cert: tls.certificate }, (socket) => {
      count += 1
      const number = count
      const pieces: Buffer[] = []
      socket.on('error', () => undefined)
      socket.on('data', (piece: Buffer) => {
        pieces.push(piece)
        // In the middle, with bytes unread.
        if (number === 3) socket.pause().destroy()
        if (number === 4) {
          socket.pause()
          setTimeout(() => socket.resume(), 50)
        }
      })
      socket.on('end', () => got.push(...messagesIn(Buffer.concat(pieces))))
      if (number === 1) socket.destroy()
      if (number === 2) socket.end()
    })
    await using place = await listening(server)
    source.add(3_000)
    await using pump = await start(settings(place.port))
    await until(() => pump.status().lagEntries === 0)
    assertComplete(got, 3_000)
    assert(count >= 6)
  })
})

/** RFC 5425 section 4.3, by its text. */
function messagesIn(bytes: Buffer): number[] {
  const sequences: number[] = []
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at)
    const length = Number(bytes.toString('latin1', at, space))
    const message = bytes.toString('utf8', space + 1, space + 1 + length)
    sequences.push(JSON.parse(message.slice(message.indexOf('{'))).sequence)
    at = space + 1 + length
  }
  return sequences
}

suite('the cursor', () => {
  const settings = settingsOf({ type: 'file', path: '/nowhere' })
  /** A sink that forgets what it takes: what it acknowledged is not sent again. */
  const forgetful: Sink = {
    entriesMax: 10,
    deliver: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }

  test('does not go on in a record that was put back or is another', async () => {
    source.add(20)
    await using first = await start(settings, forgetful)
    await until(() => first.status().lagEntries === 0)
    await first[Symbol.asyncDispose]()
    assert.equal(cursor(), 20)
    const { leaves } = source
    for (const change of [
      () => leaves.splice(15),
      () => leaves.push(...[15, 16, 17, 18, 19, 20, 21].map((at) => leafAt(at, 'other'))),
    ]) {
      change()
      await using pump = await start(settings, forgetful)
      await until(() => /entry 19, which it has, is not in the record/.test(pump.status().error))
      await until(() => pump.status().late)
      assert.equal(cursor(), 20)
    }
  })

  test('that is damaged stops the start, and is not begun anew by itself', async () => {
    for (const text of ['', '{}', '{"next":01,"last":""}', '{"next":1}\n']) {
      writeFileSync(path.join(folder, 'cursor'), text)
      await assert.rejects(start(settings, forgetful), /is no cursor/)
    }
    rmSync(path.join(folder, 'cursor'))
    mkdirSync(path.join(folder, 'cursor'))
    await assert.rejects(start(settings, forgetful), /EISDIR/)
  })
})
