/**
 * A module that was stopped by a tamper signal, over a restart: the server shows what it was and waits; people
 * acknowledge it by the rule of the domain, or, where there is none, whoever may read the data folder.
 */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, suite, test } from 'node:test'
import { parseStatement, readApprovals, readRequest } from '../../src/cli/approvals/request-file.ts'
import { exitCodes } from '../../src/cli/exit-codes.ts'
import type { ServerPlace } from '../../src/client/config.ts'
import { Connection } from '../../src/client/connection.ts'
import { openHost } from '../../src/host/host.ts'
import { hostClaim } from '../../src/host/start-up.ts'
import { TestServer } from '../server.ts'
import { Desk, keyhold, type Ran } from './keyhold.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-tampered-'))
const at = (...names: string[]) => path.join(folder, ...names)
const main = path.join(import.meta.dirname, '../../src/server/main.ts')
const passphrase = 'a passphrase of many words'
const people = ['olga', 'otto']
const servers: ChildProcess[] = []

before(() => {
  writeFileSync(at('passphrase'), passphrase, { mode: 0o600 })
  for (const name of people) {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    writeFileSync(at(`${name}.pem`), publicKey.export({ type: 'spki', format: 'pem' }))
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
    writeFileSync(at(`${name}.key`), key, { mode: 0o600 })
  }
})
after(async () => {
  for (const server of servers) {
    if (server.exitCode !== null) continue
    server.kill('SIGTERM')
    await once(server, 'exit')
  }
  rmSync(folder, { recursive: true, force: true })
})

/** A domain whose module has stopped, and its server. */
async function stopped(data: string, rules: object): Promise<Server> {
  const plan = {
    format: 'keyhold ceremony v1',
    level: 1,
    seal: 'passphrase',
    custodians: null,
    people: people.map((name) => ({ name, roles: ['officer'], publicKeyFile: `${name}.pem` })),
    rules,
  }
  writeFileSync(at(`${data}.json`), JSON.stringify(plan))
  const found = ['domain', 'found', '--from', `${data}.json`, '--ceremony', `${data}-ceremony`]
  await run(['--data', data, ...found, '--passphrase-file', 'passphrase'])
  await using host = await openHost({
    folder: at(data),
    development: false,
    sealKind: 'passphrase',
    secret: async () => Buffer.from(passphrase),
    log: () => undefined,
  })
  await host.run(hostClaim, {
    command: 'reportTamper',
    arguments: { signal: 'chassis-opened', detail: 'intrusion0_alarm' },
    parts: {},
  })
  await host[Symbol.asyncDispose]()
  return new Server(data)
}

class Server {
  readonly #data: string
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor(data: string) {
    this.#data = data
    const args = ['--data', at(data), '--port', '0', '--passphrase-file', at('passphrase')]
    this.#child = spawn(process.execPath, ['--no-experimental-ffi', main, ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    servers.push(this.#child)
    const { stdout } = this.#child
    assert(stdout)
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  }

  /** The next thing that it says. */
  async says(state: 'tampered' | 'ready'): Promise<void> {
    const { value } = await this.#lines.next()
    assert.equal(JSON.parse(value)[state], true, value)
  }

  async ends(): Promise<void> {
    if (this.#child.exitCode === null) await once(this.#child, 'exit')
  }

  tamper(...args: string[]): Promise<Ran> {
    return keyhold(['--json', '--data', this.#data, 'tamper', ...args], { cwd: folder })
  }
}

async function run(args: readonly string[]): Promise<Record<string, unknown>> {
  const ran = await keyhold(['--json', ...args], { cwd: folder })
  assert.equal(ran.code, 0, ran.stderr)
  return JSON.parse(ran.stdout)
}

function codeOf({ code, stderr }: Ran): string {
  assert.equal(code, exitCodes.refused, stderr)
  return JSON.parse(stderr.trim().split('\n').at(-1) ?? '').error.code
}

const approve = (file: string, name: string) =>
  run(['approval', 'sign', file, '--as', name, '--key', `${name}.key`, '--yes'])

function placeOf(data: string): ServerPlace {
  return JSON.parse(readFileSync(at(data, 'unlock.json'), 'utf8'))
}

function post(act: string, body: object) {
  const path = `/v1/tamper/${act}`
  return { method: 'POST', path, body: JSON.stringify(body), repeatable: false }
}

suite('a module that starts tampered', () => {
  test('goes on when as many have approved it as the rule wants, and not before', async () => {
    const rule = { approvals: 2, roles: ['officer'], excludeRequester: false }
    const server = await stopped('ruled', { officers: rule, rules: rule, tamper: rule })
    await server.says('tampered')
    const status = JSON.parse((await server.tamper('status')).stdout)
    assert.match(status.reason, /chassis-opened/)
    const { stdout } = await keyhold(['--data', 'ruled', 'status'], { cwd: folder })
    assert.match(stdout, /^module +tampered\nreason +chassis-opened.*\nnext +find out why; /m)
    assert.equal(status.rule.approvals, 2)
    assert.equal(codeOf(await server.tamper('acknowledge')), 'APPROVALS_MISSING')
    const request = ['request', 'acknowledge', '--requester', 'olga', '--output', 'request.json']
    const asked = await server.tamper(...request)
    assert.equal(asked.code, 0, asked.stderr)
    const send = () => server.tamper('acknowledge', '--approvals', 'request.json')
    await approve('request.json', 'olga')
    assert.equal(codeOf(await send()), 'APPROVALS_MISSING', 'one of two')
    await approve('request.json', 'otto')
    const [statement = ''] = (await readRequest(at('request.json'))).statements
    const { command, domain } = parseStatement(statement)
    assert.deepEqual([command, domain], ['acknowledgeTamper', status.domain])
    const [signed] = await readApprovals([at('request.json')])
    assert(signed)
    const forged: [object, string][] = [
      [{ ...signed, requester: 'otto' }, 'APPROVAL_INVALID'],
      [{ ...signed, expires: signed.expires - 1 }, 'APPROVAL_INVALID'],
      [{ ...signed, challenge: '0'.repeat(64) }, 'CHALLENGE_INVALID'],
      [{ ...signed, module: '0'.repeat(32) }, 'APPROVAL_INVALID'],
      [{ ...signed, approvals: signed.approvals.slice(1) }, 'APPROVALS_MISSING'],
    ]
    using connection = new Connection(placeOf('ruled'))
    for (const [approvals, code] of forged) {
      await assert.rejects(connection.send(post('acknowledge', { approvals })), { code })
    }
    const other = post('zeroise', { reason: '', approvals: signed })
    await assert.rejects(connection.send(other), { code: 'CHALLENGE_INVALID' })
    assert.equal((await send()).code, 0)
    await server.says('ready')
    const after = await run(['--data', 'ruled', 'status'])
    assert.equal((after.module as { state: string }).state, 'operational')
  })

  test('without a rule it takes the data folder; what is asked otherwise is refused', async () => {
    const server = await stopped('free', {})
    await server.says('tampered')
    const place = placeOf('free')
    for (const token of [undefined, 'wrong']) {
      using connection = new Connection(token === undefined ? place : { ...place, token })
      for (const act of ['acknowledge', 'zeroise']) {
        const sent = post(act, act === 'zeroise' ? { reason: '' } : {})
        await assert.rejects(connection.send(sent), { code: 'APPROVALS_MISSING' })
      }
      const keys = { method: 'GET', path: '/v1/keys', repeatable: false }
      await assert.rejects(connection.send(keys), { code: 'MODULE_STATE_INVALID' })
    }
    const confirm = ['zeroise', '--confirm', 'another domain']
    assert.equal(codeOf(await server.tamper(...confirm)), 'FILE_INVALID')
    assert.equal((await server.tamper('acknowledge')).code, 0)
    await server.says('ready')
  })
})

suite('a module that is stopped while its server runs', () => {
  let server: TestServer
  let desk: Desk
  before(async () => {
    server = await TestServer.start()
    desk = new Desk(server)
  })
  after(async () => {
    desk?.[Symbol.dispose]()
    await server?.[Symbol.asyncDispose]()
  })

  test('status says that it was, why, and what comes next, also to who was never heard before', async () => {
    const about = ['--owner', 'test', '--purpose', 'bait', '--type', 'P-256']
    await desk.ok(['keys', 'create', 'bait', '--canary', ...about])
    writeFileSync(desk.file('letter'), 'a letter')
    await desk.refused(['sign', 'letter', '--key', 'bait'], exitCodes.refused, 'MODULE_TAMPERED')
    const { body: auditor } = await server.ok('POST', '/v1/identities', {
      ...{ name: 'auditor', kind: 'person' },
    })
    const roles = { roles: ['auditor'] }
    await server.ok('PUT', `/v1/namespaces/*/roles/${auditor.id}`, roles)
    const token = await server.ok('POST', `/v1/identities/${auditor.id}/tokens`, { name: 'new' })
    const asAuditor = { token: String(token.body.token) }
    const { module } = (await server.ok('GET', '/v1/status', undefined, asAuditor)).body
    assert.partialDeepStrictEqual(module, { state: 'tampered' })
    const { stdout } = await desk.ok(['status'])
    assert.match(stdout, /^module +tampered$/m)
    assert.match(stdout, /^reason +canary-used: /m)
    assert.match(stdout, /^next +find out why; then .*keyhold domain acknowledge-tamper/m)
    await desk.ok(['domain', 'acknowledge-tamper'])
    const after = (await desk.ok(['status'])).stdout
    assert.match(after, /^module +operational$/m)
    assert.doesNotMatch(after, /^(reason|next) /m)
  })
})
