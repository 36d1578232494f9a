/**
 * What the bench asks: a real server process for REST, with a load generator as a process of its own,
 * and a module with its host in this process for the door. Every figure is with the durable record.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { type Host, openHost } from '../src/host/host.ts'
import type { Call } from '../src/hsm/contract/commands.ts'
import { parseKeyId } from '../src/hsm/contract/keys.ts'
import { TestServer } from '../tests/server.ts'
import { type Measured, measureAsync } from './measure.ts'
import type { Work } from './work.ts'

const claim = { identity: 'bench', requestId: 'bench', protocol: 'bench', address: 'local' }
const load = path.join(import.meta.dirname, 'load.ts')
const keys = '/v1/namespaces/default/keys'

export interface Target extends AsyncDisposable {
  createKey(work: Work): Promise<BenchKey>
  /** Processor time of both modules so far, in seconds. */
  moduleCpuSeconds(): Promise<number>
  door(key: BenchKey, work: Work, load: DoorLoad): Promise<Measured>
  rest(key: BenchKey, work: Work, load: RestLoad): Promise<Measured>
}

/** The same work as a key of the module behind the door and as a key of the server. */
export interface BenchKey {
  readonly doorCall: Call
  readonly path: string
}

interface DoorLoad {
  readonly seconds: number
  readonly inFlight: number
  /** Commands in each frame. */
  readonly items: number
}

interface RestLoad {
  readonly seconds: number
  readonly connections: number
  /** 1 for a single request, else the items of a batch. */
  readonly items: number
}

export async function openTarget(folder: string): Promise<Target> {
  const host = await openHost({
    folder: path.join(folder, 'door'),
    development: true,
    sealKind: 'key-file',
    secret: async () => Buffer.alloc(32, 1),
    foundIfEmpty: true,
    log: () => undefined,
  })
  const server = await TestServer.start(path.join(folder, 'server'))
  return {
    createKey: (work) => createKey(host, server, work),
    moduleCpuSeconds: async () => {
      const [outcome] = await host.call(claim, [{ command: 'getStatus', arguments: {}, parts: {} }])
      assert(outcome && 'result' in outcome)
      const { body } = await server.ok('GET', '/v1/status')
      const { module } = body as { module: { cpuMicros: number } }
      return ((outcome.result as { cpuMicros: number }).cpuMicros + module.cpuMicros) / 1e6
    },
    door: (key, _work, { seconds, inFlight, items }) => {
      const calls = Array.from({ length: items }, () => key.doorCall)
      const once = async (): Promise<void> => {
        for (const outcome of await host.call(claim, calls)) {
          assert('result' in outcome, 'a command was refused')
        }
      }
      return measureAsync(once, { seconds, inFlight, items })
    },
    rest: (key, work, options) => rest(server, key, work, options),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      await host[Symbol.asyncDispose]()
    },
  }
}

async function createKey(host: Host, server: TestServer, work: Work): Promise<BenchKey> {
  const name = randomBytes(16).toString('hex')
  const key = parseKeyId(`key_${name}`)
  const lengthBytes = work.type === 'generic-secret' ? 32 : 0
  const { type, algorithm, uses } = work
  const template = {
    ...{ type, algorithms: [algorithm], uses, exportable: false, externalIv: false },
    ...{ plaintextRelease: false, notBefore: 0, notAfter: 0, lengthBytes },
  }
  const made = { command: 'generateKey', arguments: { key, version: 1, template }, parts: {} }
  const [outcome] = await host.call(claim, [made as Call])
  assert(outcome && 'parts' in outcome)
  // It is loaded from here on, as it is for a manager after the first use.
  const doorCall = {
    command: work.operation,
    arguments: { key, version: 1 },
    parts: { [work.member]: work.data },
  }
  return { doorCall: doorCall as Call, path: await createRestKey(server, work, `bench-${name}`) }
}

async function createRestKey(server: TestServer, work: Work, name: string): Promise<string> {
  const { type, algorithm, uses } = work
  await server.ok('POST', keys, {
    ...{ name, owner: 'bench', purpose: 'measure', type, algorithms: [algorithm], uses },
    ...(type === 'generic-secret' ? { lengthBytes: 32 } : {}),
  })
  const { body } = await server.ok('GET', '/v1/whoami')
  const { identity } = body as { identity: { id: string } }
  await server.ok('POST', '/v1/namespaces/default/grants', {
    ...{ key: name, identity: identity.id, operations: uses },
  })
  return `${keys}/${name}/${work.operation}`
}

async function rest(
  server: TestServer,
  key: BenchKey,
  work: Work,
  { seconds, connections, items }: RestLoad,
): Promise<Measured> {
  const item = { [work.member]: work.data.toString('base64') }
  const body = items === 1 ? item : { items: Array.from({ length: items }, () => item) }
  const { address, authority, token } = server.credentials
  const { hostname, port } = new URL(address)
  const orders = JSON.stringify({
    ...{ host: hostname, port: Number(port), authority, token, seconds, connections, items },
    ...{ path: items === 1 ? key.path : `${key.path}/batch`, body: JSON.stringify(body) },
  })
  const generator = spawn(process.execPath, ['--no-experimental-ffi', load], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  generator.stdin.end(orders)
  const stdout = Buffer.concat(await generator.stdout.toArray()).toString('utf8')
  const measured = JSON.parse(stdout) as Measured & { firstError: string }
  if (measured.errors > 0) process.stderr.write(`bench: ${measured.firstError}\n`)
  return measured
}
