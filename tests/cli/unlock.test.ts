/**
 * A domain that its custodians open: the server waits for their shares, takes them sealed to its module, relays
 * and never reads them; what is wrong is refused and changes nothing; a module that ends is opened again.
 */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, suite, test } from 'node:test'
import { exitCodes } from '../../src/cli/exit-codes.ts'
import { Connection } from '../../src/client/connection.ts'
import { ClientError } from '../../src/client/errors.ts'
import {
  encodeCustodianPublicKey,
  makeCustodianKey,
  openCustodianKey,
} from '../../src/hsm/contract/custodian-key.ts'
import { encodeOfferedShare, openShare } from '../../src/hsm/contract/share.ts'
import { sealToTransportKey } from '../../src/hsm/contract/transport.ts'
import { flipBit } from '../hsm/flip-bit.ts'
import { bytesOfSecret } from '../invariants/known-keys.ts'
import { scanMemory } from '../invariants/scan.ts'
import { keyhold } from './keyhold.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-unlock-'))
const at = (...names: string[]) => path.join(folder, ...names)
const passphrase = Buffer.from('a passphrase of many words')
const secret = ['--passphrase-file', 'passphrase']
const main = path.join(import.meta.dirname, '../../src/server/main.ts')
const shares = ['share-1-alice.share', 'share-2-bob.share', 'share-3-carol.share']

let server: ChildProcess | undefined
const said: Record<string, unknown>[] = []
let waiting: ((line: Record<string, unknown>) => void)[] = []

/** The next line that the server says with this member. */
async function next(member: 'locked' | 'ready'): Promise<void> {
  for (;;) {
    const line =
      said.shift() ??
      (await new Promise<Record<string, unknown>>((resolve) => waiting.push(resolve)))
    if (line[member] === true) return
  }
}

async function found(data: string): Promise<void> {
  const custodian = { name: 'alice', publicKeyFile: 'alice.pub' }
  const passphrases = ['bob', 'carol'].map((name) => ({ name, passphrase: true }))
  const plan = {
    format: 'keyhold ceremony v1',
    level: 1,
    custodians: { threshold: 2, people: [custodian, ...passphrases] },
    people: [],
    rules: {},
  }
  writeFileSync(at('ceremony.json'), JSON.stringify(plan))
  const of = ['bob', 'carol'].flatMap((name) => ['--custodian-passphrase', `${name}=passphrase`])
  const args = ['--data', data, 'domain', 'found', '--from', 'ceremony.json', ...of]
  const ran = await keyhold([...args, '--ceremony', `${data}-ceremony`], { cwd: folder })
  assert.equal(ran.code, 0, ran.stderr)
}

before(async () => {
  writeFileSync(at('passphrase'), passphrase, { mode: 0o600 })
  const alice = makeCustodianKey(passphrase)
  writeFileSync(at('alice.key'), alice.file, { mode: 0o600 })
  writeFileSync(at('alice.pub'), encodeCustodianPublicKey(alice.publicKey))
  await Promise.all([found('data')])
  const args = ['--no-experimental-ffi', main, '--data', at('data'), '--port', '0', '--locked']
  server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  assert(server.stdout)
  createInterface({ input: server.stdout }).on('line', (line) => {
    if (!line.startsWith('{')) return
    const value = JSON.parse(line) as Record<string, unknown>
    const waiter = waiting.shift()
    if (waiter) waiter(value)
    else said.push(value)
  })
  await next('locked')
})

after(async () => {
  waiting = []
  if (server && server.exitCode === null) {
    server.kill('SIGTERM')
    await once(server, 'exit')
  }
  rmSync(folder, { recursive: true, force: true })
})

function unlock(share: string, ...more: string[]) {
  const args = ['--json', '--data', 'data', 'unlock', '--share', share, ...secret, ...more]
  return keyhold(args, { cwd: folder })
}

const file = (share: number) => path.join('data-ceremony', shares[share] ?? '')

function connect(): Connection {
  return new Connection(JSON.parse(readFileSync(at('data', 'unlock.json'), 'utf8')))
}

async function refusal(exchange: Promise<unknown>): Promise<string> {
  try {
    await exchange
  } catch (error) {
    assert(error instanceof ClientError)
    return `${error.status} ${error.code}`
  }
  return assert.fail('was done')
}

/** Children of the server that hold the domain. */
function modulePid(): number {
  const children = `/proc/${server?.pid}/task/${server?.pid}/children`
  return Number(readFileSync(children, 'utf8').trim().split(' ').at(-1))
}

suite('a domain that custodians open', () => {
  test('while it is locked there is nothing else to ask for, and bad offers change nothing', async () => {
    using connection = connect()
    const post = (body: unknown) =>
      refusal(
        connection.send({
          method: 'POST',
          path: '/v1/unlock/shares',
          body: typeof body === 'string' ? body : JSON.stringify(body),
          repeatable: false,
        }),
      )
    const get = (route: string) =>
      connection.send({ method: 'GET', path: route, repeatable: false })
    for (const route of ['/v1/keys', '/', '/v1/unlock/x', '/v1/unlock?x']) {
      assert.equal(await refusal(get(route)), '503 MODULE_STATE_INVALID')
    }
    const ask = async () => {
      const { transportKey, challenge } = (await get('/v1/unlock')).body as Record<string, string>
      assert(transportKey && challenge)
      return { transportKey: Buffer.from(transportKey, 'base64'), challenge }
    }
    const offered = encodeOfferedShare(readFileSync(at(file(1))), { passphrase })
    const { transportKey, challenge } = await ask()
    const sealed = (bytes: Uint8Array, context: string) =>
      sealToTransportKey(transportKey, 'offered share', bytes, Buffer.from(context, 'hex'))
    const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
    const right = sealed(offered, challenge)
    const other = randomBytes(32).toString('hex')
    const wrong: [unknown, string][] = [
      ['{', 'ARGUMENT_INVALID'],
      ['x'.repeat(100_000), 'ARGUMENT_INVALID'],
      [{}, 'ARGUMENT_INVALID'],
      [{ challenge, share: base64(right), more: 1 }, 'ARGUMENT_INVALID'],
      [{ challenge, share: base64(right.subarray(3)) }, 'ARGUMENT_INVALID'],
      [{ challenge: other, share: base64(sealed(offered, other)) }, 'CHALLENGE_INVALID'],
      [{ challenge, share: base64(sealed(offered, other)) }, 'CIPHERTEXT_INVALID'],
      [{ challenge, share: base64(flipBit(right, 9_000)) }, 'CIPHERTEXT_INVALID'],
      [{ challenge, share: base64(sealed(flipBit(offered, 700), challenge)) }, 'SHARE_INVALID'],
      [{ challenge, share: base64(sealed(flipBit(offered, 10), challenge)) }, 'SHARE_INVALID'],
    ]
    for (const [body, code] of wrong) assert.equal(await post(body), `409 ${code}`, code)
  })

  test('the custodian finds the wrong share and the wrong passphrase before anything is sent', async () => {
    writeFileSync(at('wrong'), 'another passphrase\n', { mode: 0o600 })
    const args = ['--data', 'data', 'unlock', '--share', file(1), '--passphrase-file', 'wrong']
    assert.equal((await keyhold(args, { cwd: folder })).code, exitCodes.notValid)
    const foreign = readFileSync(at(file(1)))
    foreign.writeUInt8(foreign.readUInt8(6) ^ 1, 6)
    writeFileSync(at('foreign.share'), foreign)
    const ran = await unlock('foreign.share')
    assert.equal(ran.code, exitCodes.refused)
    assert.match(ran.stderr, /the share is of domain/)
  })

  test('invariant 1: two of three open it, and the server never has a share', async () => {
    const first = await unlock(file(1))
    assert.equal(first.code, 0, first.stderr)
    const { offered, threshold, unlocked } = JSON.parse(first.stdout)
    assert.deepEqual([offered, threshold, unlocked], [1, 2, false])
    const share = openShare(readFileSync(at(file(1))), { passphrase })
    const needles = bytesOfSecret('share', share)
    assert(server?.pid)
    const inModule = await scanMemory([modulePid()], needles)
    assert.notEqual(inModule.length, 0, 'the scan finds the share in the module')
    assert.deepEqual(await scanMemory([server.pid], needles), [])
    const again = await unlock(file(1))
    assert.equal(again.code, exitCodes.notValid, 'one share twice')
    const second = await unlock(file(0), '--key', 'alice.key')
    assert.equal(second.code, 0, second.stderr)
    assert.equal(JSON.parse(second.stdout).unlocked, true)
    await next('ready')
    const status = await keyhold(['--json', '--data', 'data', 'status'], { cwd: folder })
    assert.equal(JSON.parse(status.stdout).module.state, 'operational', status.stderr)
    assert.deepEqual(await scanMemory([server.pid, modulePid()], needles), [])
  })

  test('a module that ends is locked again, and opened again by others', async () => {
    process.kill(modulePid(), 'SIGKILL')
    await next('locked')
    for (const share of [2, 1]) {
      const ran = await unlock(file(share))
      assert.equal(ran.code, 0, ran.stderr)
    }
    await next('ready')
    const alice = openCustodianKey(readFileSync(at('alice.key')), passphrase)
    assert.equal(openShare(readFileSync(at(file(0))), { privateKey: alice }).length, 32)
    const status = await keyhold(['--json', '--data', 'data', 'status'], { cwd: folder })
    assert.equal(JSON.parse(status.stdout).module.state, 'operational', status.stderr)
  })
})
