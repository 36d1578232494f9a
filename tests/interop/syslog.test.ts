/**
 * Entries of the record at Debian's rsyslog over TLS (RFC 5424, RFC 5425), which wants a certificate of
 * the sender's: what it parsed, as it writes it down, is what the record has. It is away at first, and
 * stopped in between.
 */

import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { encodeLeaf, leafEntry } from '../../src/hsm/contract/leaf.ts'
import { parseSinks } from '../../src/server/sinks/configuration.ts'
import { Pump } from '../../src/server/sinks/pump.ts'
import { SyslogSink } from '../../src/server/sinks/syslog-sink.ts'

let folder: string
let port: number
let receiver: ChildProcess | undefined
const inFolder = (name: string) => path.join(folder, name)

before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'keyhold-syslog-'))
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const authority = ['-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=authority']
  openssl('req', '-x509', ...key, ...authority)
  for (const name of ['receiver', 'sender']) {
    const files = [
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
    ]
    const names = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1']
    openssl('req', '-x509', ...key, ...files, ...names, '-addext', 'basicConstraints=CA:FALSE')
  }
  const reserved = createServer().listen(0, '127.0.0.1')
  await once(reserved, 'listening')
  port = (reserved.address() as { port: number }).port
  reserved.close()
  writeFileSync(inFolder('rsyslog.conf'), configuration())
})
after(async () => {
  await stop('SIGKILL')
  rmSync(folder, { recursive: true })
})

function configuration(): string {
  return `
global(workDirectory="${folder}" defaultNetstreamDriver="gtls"
  defaultNetstreamDriverCAFile="${inFolder('ca.pem')}"
  defaultNetstreamDriverCertFile="${inFolder('receiver.pem')}"
  defaultNetstreamDriverKeyFile="${inFolder('receiver.key')}" maxMessageSize="16k")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1"
  streamDriver.authMode="x509/certvalid")
input(type="imtcp" port="${port}" address="127.0.0.1")
template(name="parsed" type="string"
  string="%pri% %protocol-version% %timestamp:::date-rfc3339% %app-name% %procid% %msgid% %structured-data% %msg%\\n")
action(type="omfile" file="${inFolder('received')}" template="parsed" flushOnTXEnd="on")
`
}

async function startReceiver(): Promise<void> {
  const args = ['-n', '-f', inFolder('rsyslog.conf'), '-i', inFolder('pid')]
  receiver = spawn('rsyslogd', args, { stdio: 'inherit' })
  await once(receiver, 'spawn')
}

async function stop(signal: NodeJS.Signals): Promise<void> {
  const process = receiver
  receiver = undefined
  if (process === undefined || process.exitCode !== null) return
  process.kill(signal)
  await once(process, 'exit')
}

const requestIds = ['plain', 'Grüße, 世界', 'a\nb <13>1 - - [x y="z"]', `"${'\\'.repeat(40)}`]
const leaves: Buffer[] = []
const leafOf = (sequence: number) => ({
  flags: 0,
  sequence,
  timeMicros: 1_795_809_600_000_000 + sequence * 7,
  moduleId: Buffer.alloc(16, 1),
  command: 'sign',
  outcome: sequence % 3 === 0 ? 'KEY_NOT_FOUND' : 'OK',
  key: 'key_1',
  version: 1,
  identity: 'id_1',
  requestId: requestIds[sequence % requestIds.length] ?? '',
  protocol: 'rest',
  address: '::1',
  argumentsDigest: Buffer.alloc(32, 2),
})

function add(count: number): void {
  for (let index = 0; index < count; index += 1) leaves.push(encodeLeaf(leafOf(leaves.length)))
}

function startPump(): Promise<Pump> {
  const tls = { ca: 'ca.pem', certificate: 'sender.pem', key: 'sender.key' }
  const files = Object.fromEntries(
    Object.entries(tls).map(([name, file]) => [name, inFolder(file)]),
  )
  const [settings] = parseSinks({
    sinks: { siem: { type: 'syslog', host: '127.0.0.1', port, ...files } },
  })
  assert(settings?.type === 'syslog')
  return Pump.start({
    settings,
    sink: new SyslogSink(settings),
    source: {
      size: () => leaves.length,
      readLeaves: async (from, limit) => ({ leaves: leaves.slice(from, from + limit) }),
    },
    file: inFolder('cursor'),
    now: Date.now,
    log: () => undefined,
    pauseMs: 50,
  })
}

async function until(what: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!what()) {
    assert(performance.now() < deadline, String(what))
    await delay(20)
  }
}

/** Sequences that were written down, each checked; a line that a kill cut is no entry. */
function received(): Set<number> {
  if (!existsSync(inFolder('received'))) return new Set()
  const lines = readFileSync(inFolder('received'), 'utf8').split('\n').slice(0, -1)
  const form = /^(\d+) 1 (\S+) keyhold - (\S+) - (\{.*\})$/
  return new Set(
    lines.map((line) => {
      const [, priority, time, command, json = ''] = form.exec(line) ?? []
      const entry = JSON.parse(json)
      const expected = leafOf(entry.sequence)
      assert.deepEqual(entry, leafEntry(expected))
      assert.equal(Number(priority), expected.outcome === 'OK' ? 110 : 108)
      assert.equal(time?.replace('+00:00', 'Z'), entry.time)
      assert.equal(command, expected.command)
      return entry.sequence
    }),
  )
}

suite('rsyslog', { timeout: 120_000 }, () => {
  test('gets every entry, parsed as it was meant, also when it was away', async () => {
    add(1_200)
    await using pump = await startPump()
    await until(() => pump.status().error.includes('ECONNREFUSED'))
    await startReceiver()
    await until(() => pump.status().lagEntries === 0)
    await until(() => received().size === 1_200)
    await stop('SIGTERM')
    add(300)
    await until(() => pump.status().error.includes('ECONNREFUSED'))
    await startReceiver()
    await until(() => received().size === 1_500 && pump.status().lagEntries === 0)
  })
})
