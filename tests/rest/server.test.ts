/**
 * The server as its users meet it: a certificate that others accept, a record that proves what was
 * done, a module that is killed in the middle, a server that is stopped or killed and started again.
 */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'node:tls'
import { verifyCheckpoint } from '../../src/hsm/contract/checkpoint.ts'
import { decodeLeaf } from '../../src/hsm/contract/leaf.ts'
import { leafHash, MerkleTree } from '../../src/hsm/contract/merkle.ts'
import { assertProblem, base64, bytesOf, Installation, keysPath, unique } from './people.ts'

let there: Installation
before(async () => {
  there = await Installation.start()
})
after(() => there[Symbol.asyncDispose]())

const file = (name: string) => path.join(there.server.folder, name)
const dayMs = 24 * 60 * 60 * 1_000

suite('the TLS certificate', () => {
  test('is verified by openssl, for its names and addresses and no others', () => {
    const verified = (...more: readonly string[]) => {
      const args = ['verify', '-x509_strict', '-purpose', 'sslserver', ...more]
      const files = ['-CAfile', file('tls/authority.crt'), file('tls/server.crt')]
      try {
        return execFileSync('openssl', [...args, ...files], { stdio: 'pipe' }).toString()
      } catch {
        return 'refused'
      }
    }
    for (const more of [
      ['-verify_hostname', 'localhost'],
      ['-verify_ip', '127.0.0.1'],
      ['-verify_ip', '::1'],
    ]) {
      assert.match(verified(...more), /: OK$/m)
    }
    assert.equal(verified('-verify_hostname', 'example.org'), 'refused')
    assert.equal(verified('-verify_ip', '192.0.2.1'), 'refused')
    assert.equal(verified('-purpose', 'sslclient'), 'refused')
    const text = execFileSync('openssl', ['x509', '-noout', '-text', '-in', file('tls/server.crt')])
    assert.match(text.toString(), /Signature Algorithm: ecdsa-with-SHA256/)
    assert.match(text.toString(), /Basic Constraints: critical\s+CA:FALSE/)
  })

  test('lasts at most 398 days, and the authority signs servers and nothing below', () => {
    const server = new X509Certificate(readFileSync(file('tls/server.crt')))
    const authority = new X509Certificate(readFileSync(file('tls/authority.crt')))
    const days = (server.validToDate.getTime() - server.validFromDate.getTime()) / dayMs
    assert(days > 0 && days <= 398)
    assert(authority.ca && authority.verify(authority.publicKey) && server.checkIssued(authority))
    assert(!server.ca)
    const text = execFileSync('openssl', [
      'x509',
      '-noout',
      '-text',
      '-in',
      file('tls/authority.crt'),
    ])
    assert.match(text.toString(), /CA:TRUE, pathlen:0/)
    assert.match(text.toString(), /Certificate Sign, CRL Sign/)
    assert.equal(statSync(file('tls/server.key')).mode & 0o777, 0o600)
  })

  test('is presented over TLS 1.3 and over nothing older, and who trusts another gets none', async () => {
    const { address, authority } = there.server.credentials
    const port = Number(new URL(address).port)
    const options = { port, host: '127.0.0.1', servername: 'localhost', ca: authority }
    const socket = connect(options)
    await once(socket, 'secureConnect')
    assert.equal(socket.getProtocol(), 'TLSv1.3')
    socket.destroy()
    const older = connect({ ...options, maxVersion: 'TLSv1.2' })
    await assert.rejects(once(older, 'secureConnect'))
    const { ca: _, ...others } = options
    await assert.rejects(once(connect(others), 'secureConnect'))
    const command = ['s_client', '-connect', `127.0.0.1:${port}`, '-verify_return_error', '-brief']
    const trust = ['-CAfile', file('tls/authority.crt'), '-verify_ip', '127.0.0.1']
    execFileSync('openssl', [...command, ...trust], {
      input: '',
      stdio: ['pipe', 'ignore', 'ignore'],
    })
  })
})

suite('the record', { timeout: 120_000 }, () => {
  test('grows by every command; its leaves hash to the head that the module signed', async () => {
    const { server } = there
    const key = await there.makeKey({ type: 'P-256' }, ['sign'])
    const { body } = await server.ok('GET', `${keysPath}/${key}`)
    const requestId = unique('request')
    const headers = { 'x-request-id': requestId }
    await there.use(key, 'sign', { data: base64('message') }, { headers })
    const status = await server.ok('GET', '/v1/status')
    const { identityKey } = status.body.module as { identityKey: string }
    const { note } = (await server.ok('GET', '/v1/record/head')).body
    const head = verifyCheckpoint(String(note), { ed25519: Buffer.from(identityKey, 'hex') })
    const tree = new MerkleTree()
    const leaves: Buffer[] = []
    for (let from: number | undefined = 0; from !== undefined; ) {
      const page = await server.ok('GET', `/v1/record/leaves?from=${from}&limit=7`)
      leaves.push(...(page.body.leaves as string[]).map(bytesOf))
      from = page.body.next as number | undefined
    }
    for (const leaf of leaves.slice(0, head.size)) tree.append(leafHash(leaf))
    assert.deepEqual(Buffer.from(tree.root()), Buffer.from(head.root))
    const signed = leaves.map(decodeLeaf).filter((leaf) => leaf.requestId === requestId)
    assert.deepEqual(
      signed.map(({ command, identity }) => [command, identity]),
      [['sign', there.first.id]],
    )
    assert(String(body.id).startsWith('key_'))
    const { heads } = (await server.ok('GET', '/v1/record/heads')).body
    for (const each of heads as string[]) {
      verifyCheckpoint(each, { ed25519: Buffer.from(identityKey, 'hex') })
    }
    for (const query of ['limit=0', 'limit=1001', 'from=-1', 'from=x']) {
      assertProblem(await server.call('GET', `/v1/record/leaves?${query}`), 400, 'REQUEST_INVALID')
    }
    const beyond = await server.ok('GET', '/v1/record/leaves?from=999999999')
    assert.deepEqual(beyond.body, { leaves: [] })
  })
})

suite('after kill -9', { timeout: 120_000 }, () => {
  test('of the module, in the middle of signing, all goes on with the same keys', async () => {
    const { server } = there
    const key = await there.makeKey({ type: 'P-256' }, ['sign', 'verify'])
    const [module] = server.modulePids()
    assert(module)
    const data = base64('message')
    const statuses = new Set<number>()
    let isOver = false
    const signing = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        const answer = await there.use(key, 'sign', { data })
        statuses.add(answer.status)
        if (answer.status !== 200) assertProblem(answer, 503, 'MODULE_UNAVAILABLE')
      }
    })
    await delay(200)
    process.kill(module, 'SIGKILL')
    for (let tries = 0; server.modulePids()[0] === module; tries += 1) {
      assert(tries < 200)
      await delay(20)
    }
    await signsAgain(key)
    isOver = true
    await Promise.all(signing)
    assert(statuses.has(200))
    assert.notEqual(server.modulePids()[0], module)
    assert.equal((await server.ok('GET', '/v1/ready')).body.status, 'ready')
    assert.equal((await server.ok('GET', '/v1/health')).body.status, 'ok')
  })

  test('of the whole server, every key that was acknowledged is there and works', async () => {
    const { server } = there
    const keys: string[] = []
    const making = (async () => {
      for (;;) keys.push(await there.makeKey({ type: 'P-256' }, ['sign']))
    })()
    making.catch(() => undefined)
    while (keys.length < 10) await delay(5)
    await server.stop('SIGKILL')
    await assert.rejects(making)
    await server.restart()
    for (const key of keys) await signsAgain(key)
  })

  test('a batch brings every key that the module has not loaded', async () => {
    const { server } = there
    const wrapper = await there.makeKey({ uses: ['wrap', 'unwrap'] }, ['wrap'])
    const targets: string[] = []
    for (let count = 0; count < 5; count += 1) {
      targets.push(await there.makeKey({ exportable: true }, []))
    }
    const signer = await there.makeKey({ type: 'P-256' }, ['sign'])
    await server.stop('SIGKILL')
    await server.restart()
    for (const [key, operation, items] of [
      [signer, 'sign', Array.from({ length: 256 }, () => ({ data: '' }))],
      [wrapper, 'wrap', [...targets, ...targets].map((target) => ({ target }))],
    ] as const) {
      const { body, text } = await there.use(key, `${operation}/batch`, { items })
      const outcomes = body.items as readonly object[]
      assert(outcomes.length === items.length && outcomes.every((one) => 'result' in one), text)
    }
  })

  test('SIGTERM answers what is under way, and a restart goes on where it was', async () => {
    const { server } = there
    const key = await there.makeKey({ type: 'RSA-2048' }, ['sign'])
    const before = await server.ok('GET', '/v1/record/head')
    const underWay = there.use(key, 'sign', { data: '' })
    await delay(2)
    const start = performance.now()
    await server.stop('SIGTERM')
    assert(performance.now() - start < 5_000, 'connections that are kept alive do not hold it')
    await underWay.then(
      ({ status }) => assert.equal(status, 200),
      (error: NodeJS.ErrnoException) => assert.match(String(error.code), /ECONN/),
    )
    await server.restart()
    await signsAgain(key)
    const after = await server.ok('GET', '/v1/record/head')
    const sizeOf = (note: unknown) => Number(String(note).split('\n')[1])
    assert(sizeOf(after.body.note) > sizeOf(before.body.note))
    const authority = readFileSync(file('tls/authority.crt'), 'utf8')
    assert.equal(server.credentials.authority, authority)
  })
})

async function signsAgain(key: string): Promise<void> {
  for (let tries = 0; tries < 250; tries += 1) {
    const { status } = await there.use(key, 'sign', { data: '' })
    if (status === 200) return
    await delay(20)
  }
  assert.fail(`${key} does not sign`)
}
