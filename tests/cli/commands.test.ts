/** Every command that is not about files, against a real server: text, --json, refusals. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { encodeCustodianPublicKey } from '../../src/hsm/contract/custodian-key.ts'
import { XWingPrivateKey } from '../../src/hsm/contract/x-wing.ts'
import { TestServer } from '../server.ts'
import { Desk } from './keyhold.ts'

const about = ['--owner', 'test', '--purpose', 'commands']

suite('commands', { timeout: 240_000 }, () => {
  let server: TestServer
  let desk: Desk

  before(async () => {
    server = await TestServer.start()
    desk = new Desk(server)
    writeFileSync(desk.file('letter'), 'Pay 100 to Ada.\n')
  })
  after(async () => {
    desk?.[Symbol.dispose]()
    await server?.[Symbol.asyncDispose]()
  })

  const itemsOf = async (...args: string[]) => {
    const { items } = await desk.json(args)
    assert(Array.isArray(items))
    return items
  }

  test('status says what the server, the module and the caller are', async () => {
    const { stdout } = await desk.ok(['status'])
    assert.match(stdout, /^module +operational$/m)
    assert.match(stdout, /^you are +administrator /m)
    const status = await desk.json(['status'])
    assert.equal(status.development, true)
    assert.equal(status.address, server.credentials.address)
  })

  test('keys: create, list, show, versions, rotate, update, disable, enable', async () => {
    const made = await desk.ok([
      'keys',
      'create',
      'k1',
      '--type',
      'P-256',
      '--label',
      'a=1',
      ...about,
    ])
    assert.match(made.stderr, /^granted sign, verify to administrator$/m)
    await desk.refused(['keys', 'create', 'k1', ...about], 1, 'NAME_TAKEN')
    await desk.refused(['keys', 'create', 'NOT A NAME', ...about], 1, 'REQUEST_INVALID')
    await desk.ok(['keys', 'create', 'k2', ...about, '--no-grant'])
    await desk.refused(['encrypt', 'letter', '--key', 'k2'], 77, 'ACCESS_DENIED')
    assert(!existsSync(desk.file('letter.keyhold')))
    const names = (await itemsOf('keys', 'list', '--prefix', 'k')).map(({ name }) => name)
    assert.deepEqual(names, ['k1', 'k2'])
    assert.match((await desk.ok(['keys', 'list'])).stdout, /^NAME +TYPE +STATE/)
    const shown = await desk.json(['keys', 'show', 'k1'])
    assert.deepEqual([shown.name, shown.type, shown.state], ['k1', 'P-256', 'active'])
    await desk.refused(['keys', 'show', 'none'], 1, 'KEY_NOT_FOUND')
    assert.match((await desk.ok(['keys', 'rotate', 'k1'])).stdout, /version 2/)
    assert.equal((await itemsOf('keys', 'versions', 'k1')).length, 2)
    const updated = await desk.json(['keys', 'update', 'k1', '--owner', 'ada', '--label', 'b=2'])
    assert.deepEqual([updated.owner, updated.labels], ['ada', { b: '2' }])
    assert.match((await desk.ok(['keys', 'disable', 'k1'])).stdout, /suspended/)
    await desk.refused(['sign', 'letter', '--key', 'k1'], 1, 'KEY_STATE_INVALID')
    assert.match((await desk.ok(['keys', 'enable', 'k1'])).stdout, /active/)
    await desk.ok(['sign', 'letter', '--key', 'k1'])
  })

  test('keys: public keys in three forms', async () => {
    const pem = await desk.ok(['keys', 'export-public', 'k1', '--key-version', '1'])
    assert.match(pem.stdout, /^-----BEGIN PUBLIC KEY-----\n/)
    const jwk = await desk.ok(['keys', 'export-public', 'k1', '--format', 'jwk'])
    assert.equal(JSON.parse(jwk.stdout).crv, 'P-256')
    const spki = ['keys', 'export-public', 'k1', '--format', 'spki', '--output', 'k1.der']
    await desk.ok(spki)
    assert.equal(readFileSync(desk.file('k1.der'))[0], 0x30)
    assert.equal((await desk.run(['keys', 'export-public', 'k2'])).code, 1)
  })

  test('keys: a certificate request that openssl verifies', async () => {
    const names = ['--subject', 'CN=pay.example,O=Bank,C=DE', '--dns', 'pay.example,b.example']
    const { stdout } = await desk.ok(['keys', 'request', 'k1', ...names, '--ip', '10.0.0.1'])
    const read = ['req', '-verify', '-noout', '-text']
    const { status, stdout: text } = spawnSync('openssl', read, { input: stdout, encoding: 'utf8' })
    assert.equal(status, 0)
    assert.match(text, /Subject: C = DE, O = Bank, CN = pay\.example/)
    assert.match(text, /DNS:pay\.example, DNS:b\.example, IP Address:10\.0\.0\.1/)
    await desk.ok(['keys', 'request', 'k1', ...names, '--output', 'k1.csr'])
    assert.equal(spawnSync('openssl', [...read, '-in', desk.file('k1.csr')]).status, 0)
    await desk.refused(['keys', 'request', 'k1', '--subject', 'pay'], 1, 'ARGUMENT_INVALID')
    await desk.refused(['keys', 'request', 'k1'], 1, 'ARGUMENT_INVALID')
  })

  test('keys: import, sealed on its way', async () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' })
    writeFileSync(desk.file('old.pem'), pem)
    writeFileSync(desk.file('secret.bin'), randomBytes(32))
    const create = (name: string, file: string, keyClass: string, type: string) => [
      ...['keys', 'import', name, '--file', file, '--class', keyClass, '--type', type],
      ...about,
    ]
    await desk.ok(['domain', 'statement', '--output', 'members.json'])
    const known = ['--domain', 'members.json']
    await desk.ok([...create('old', 'old.pem', 'private', 'Ed25519'), ...known])
    await desk.ok(['sign', 'letter', '--key', 'old', '--output', 'old.sig'])
    await desk.ok(create('secret', 'secret.bin', 'secret', 'AES-256'))
    await desk.refused(create('bad', 'letter', 'private', 'P-256'), 1, 'FILE_INVALID')
    await desk.refused(create('bad', 'none', 'private', 'P-256'), 66, 'FILE_NOT_READABLE')
    assert.equal((await desk.run(create('bad', 'letter', 'secret', 'AES-256'))).code, 1)
  })

  test('keys: aliases', async () => {
    await desk.ok(['keys', 'alias', 'set', 'current', 'k1'])
    assert.equal((await desk.json(['keys', 'show', 'current'])).name, 'k1')
    assert.equal((await itemsOf('keys', 'alias', 'list')).length, 1)
    await desk.refused(['keys', 'alias', 'set', 'x', 'none'], 1, 'KEY_NOT_FOUND')
    await desk.ok(['keys', 'alias', 'remove', 'current'])
    await desk.refused(['keys', 'show', 'current'], 1, 'KEY_NOT_FOUND')
  })

  test('mac and random', async () => {
    await desk.ok(['keys', 'create', 'macs', '--type', 'generic-secret', ...about])
    const mac = (await desk.ok(['mac', 'letter', '--key', 'macs'])).stdout.trim()
    assert.match(mac, /^[0-9a-f]{64}$/)
    assert.match(
      (await desk.ok(['mac', 'letter', '--key', 'macs', '--check', mac])).stdout,
      /^valid/,
    )
    const once = ['keys', 'create', 'once', '--type', 'generic-secret', '--uses-max', '1', ...about]
    await desk.ok(once)
    assert.match((await desk.ok(['keys', 'show', 'once'])).stdout, /used 1 times at most/)
    await desk.ok(['mac', 'letter', '--key', 'once'])
    await desk.refused(['mac', 'letter', '--key', 'once'], 1, 'USES_EXHAUSTED')
    const wrong = ['mac', '-', '--key', 'macs', '--check', mac]
    assert.equal((await desk.run(wrong, 'another letter')).code, 3)
    writeFileSync(desk.file('big'), Buffer.alloc(1024 * 1024 + 1))
    await desk.refused(['mac', 'big', '--key', 'macs'], 1, 'FILE_TOO_LARGE')
    const random = await Promise.all([desk.ok(['random']), desk.ok(['random'])])
    const [first, second] = random.map(({ stdout }) => stdout.trim())
    assert.match(first ?? '', /^[0-9a-f]{64}$/)
    assert.notEqual(first, second)
    assert.equal((await desk.ok(['random', '100', '--format', 'raw'])).stdout.length, 100)
    const { stdout: fresh } = await desk.ok(['random', '48', '--prediction-resistance'])
    assert.match(fresh, /^[0-9a-f]{96}$/m)
    const { stdout: entropy } = await desk.ok(['entropy', '--server'])
    assert.match(entropy, /^jitter +healthy +\d+ +\d+ of 31 +\d+ of 325 +\d+ of 325 +0 +none$/m)
    assert.match(entropy, /^generator +HMAC_DRBG-SHA-512$/m)
    const base64 = (await desk.ok(['random', '48', '--format', 'base64'])).stdout.trim()
    assert.equal(Buffer.from(base64, 'base64').length, 48)
  })

  test('identities, tokens, roles and grants: an application that may sign, and nothing else', async () => {
    const create = ['identities', 'create', 'webshop', '--kind', 'application']
    const made = await desk.json(create)
    assert.equal(made.kind, 'application')
    await desk.refused(create, 1, 'NAME_TAKEN')
    assert.equal((await desk.json(['identities', 'show', 'webshop'])).id, made.id)
    assert.equal((await itemsOf('identities', 'list')).length >= 2, true)
    await desk.refused(['identities', 'show', 'nobody'], 1, 'IDENTITY_NOT_FOUND')
    const folder = desk.file('webshop')
    const tokens = ['identities', 'tokens', 'create', 'webshop']
    await desk.ok([...tokens, '--days', '1', '--client-folder', 'webshop'])
    assert.equal(statSync(path.join(folder, 'client.json')).mode & 0o777, 0o600)
    await desk.refused([...tokens, '--client-folder', 'webshop'], 73, 'FILE_EXISTS')
    using shop = new Desk(server, folder)
    writeFileSync(shop.file('order'), 'one book')
    await shop.refused(['sign', 'order', '--key', 'k1'], 77, 'ACCESS_DENIED')
    await desk.ok(['roles', 'set', 'webshop', 'application'])
    assert.deepEqual((await desk.json(['roles', 'show', 'webshop'])).roles, ['application'])
    assert.match((await desk.ok(['roles', 'list'])).stdout, /application/)
    assert.equal((await desk.run(['roles', 'set', 'webshop', 'king'])).code, 1)
    const grant = await desk.json(['grants', 'add', 'k1', 'webshop', 'sign'])
    assert.equal((await desk.run(['grants', 'add', 'k1', 'webshop', 'dance'])).code, 1)
    assert.equal((await itemsOf('grants', 'list', '--identity', 'webshop')).length, 1)
    await shop.ok(['sign', 'order', '--key', 'k1'])
    await shop.refused(['verify', 'order', '--key', 'k1'], 77, 'ACCESS_DENIED')
    await shop.refused(['keys', 'create', 'mine', ...about], 77, 'ACCESS_DENIED')
    await shop.refused(['keys', 'destroy', 'k1', '--confirm', 'k1'], 77, 'ACCESS_DENIED')
    await shop.refused(['record', 'verify'], 77, 'ACCESS_DENIED')
    await desk.ok(['grants', 'remove', String(grant.id)])
    await shop.refused(['sign', 'order', '--key', 'k1', '--force'], 77, 'ACCESS_DENIED')
    const plain = await desk.json([...tokens, '--name', 'second'])
    assert.match(String(plain.token), /^kh_/)
    const [first] = await itemsOf('identities', 'tokens', 'list', 'webshop')
    await desk.ok(['identities', 'tokens', 'revoke', 'webshop', String(first.id)])
    await shop.refused(['sign', 'order', '--key', 'k1', '--force'], 77, 'TOKEN_INVALID')
    assert.match((await desk.ok(['identities', 'disable', 'webshop'])).stdout, /disabled/)
    assert.equal((await desk.run(tokens)).code !== 0, true)
  })

  test('namespaces keep their keys apart', async () => {
    await desk.ok(['namespaces', 'create', 'other'])
    assert.equal((await desk.json(['namespaces', 'show', 'other'])).name, 'other')
    const names = (await itemsOf('namespaces', 'list')).map(({ name }) => name)
    assert.deepEqual(names, ['default', 'other', 'system'])
    await desk.refused(['--namespace', 'other', 'keys', 'show', 'k1'], 1, 'KEY_NOT_FOUND')
    await desk.ok(['keys', 'create', 'k1', '--namespace', 'other', ...about])
    await desk.refused(['keys', 'list', '--namespace', 'none'], 1, 'NAMESPACE_NOT_FOUND')
  })

  test('destruction asks for the name, can be scheduled and taken back, and is final', async () => {
    await desk.ok(['keys', 'create', 'doomed', ...about])
    await desk.ok(['encrypt', 'letter', '--key', 'doomed', '--output', 'doomed.keyhold'])
    const unasked = await desk.run(['keys', 'destroy', 'doomed'])
    assert.equal(unasked.code, 2)
    assert.match(unasked.stderr, /--confirm doomed/)
    const wrong = ['keys', 'destroy', 'doomed', '--confirm', 'vault']
    await desk.refused(wrong, 1, 'CONFIRMATION_INVALID')
    const scheduled = await desk.ok(['keys', 'schedule-destruction', 'doomed', '--days', '3'])
    assert.match(scheduled.stdout, /in 3 days/)
    assert.match((await desk.ok(['keys', 'cancel-destruction', 'doomed'])).stdout, /suspended/)
    await desk.ok(['keys', 'enable', 'doomed'])
    await desk.ok(['decrypt', 'doomed.keyhold', '--output', 'alive'])
    const done = await desk.ok(['keys', 'destroy', 'doomed', '--confirm', 'doomed'])
    await desk.ok(['certificate', 'key', 'doomed', '--output', 'destroyed.json'])
    await desk.ok(['domain', 'statement', '--output', 'domain-1.json'])
    const verify = ['certificate', 'verify', 'destroyed.json', '--domain', 'domain-1.json']
    assert.match((await desk.ok(verify)).stdout, /^destroyed +key_[0-9a-f]{32} version 1$/m)
    await desk.refused(['certificate', 'key', 'k1'], 1, 'VERSION_NOT_FOUND')
    assert.match(done.stdout, /^doomed: destroyed$/m)
    const again = ['decrypt', 'doomed.keyhold', '--output', 'dead']
    const refused = await desk.run(again)
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /^code: {2}KEY_/m)
    assert(!existsSync(desk.file('dead')))
    assert.equal((await desk.run(['keys', 'enable', 'doomed'])).code, 1)
  })

  test('the key-encryption key is renewed, and keys go on working', async () => {
    assert.deepEqual(await desk.json(['domain', 'rotation']), {})
    const { stdout } = await desk.ok(['domain', 'rotate-kek'])
    assert.match(stdout, /^KEK +2 of epoch 1$/m)
    const rotation = await desk.json(['domain', 'rotation'])
    assert.deepEqual([rotation.phase, rotation.left, rotation.failed], ['done', 0, []])
    await desk.ok(['sign', 'letter', '--key', 'k1', '--force'])
    assert.equal((await desk.json(['domain', 'rotate-kek', '--no-wait'])).kek, 3)
  })

  test('the epoch is shredded, its certificate is checked offline, and keys go on working', async () => {
    const { module } = await desk.json(['status'])
    const { domainId } = module as { domainId: string }
    await desk.refused(['domain', 'shred', '--confirm', 'x'], 1, 'CONFIRMATION_INVALID')
    await desk.refused(['certificate', 'epoch', '1'], 1, 'VERSION_NOT_FOUND')
    const shredded = await desk.json(['domain', 'shred', '--confirm', domainId])
    assert.deepEqual([shredded.kind, shredded.phase, shredded.epoch], ['shred', 'done', 2])
    await desk.ok(['sign', 'letter', '--key', 'k1', '--force'])
    await desk.ok(['certificate', 'epoch', '1', '--output', 'shredded.json'])
    await desk.ok(['domain', 'statement', '--output', 'domain-2.json'])
    const verify = ['certificate', 'verify', 'shredded.json', '--domain', 'domain-2.json']
    const { stdout } = await desk.ok(verify)
    assert.match(stdout, /^old seals not proved destroyed +1 by key-file$/m)
    const file = desk.file('shredded.json')
    writeFileSync(file, readFileSync(file, 'utf8').replace('"epoch":2', '"epoch":3'))
    await desk.refused(verify, 3, 'ATTESTATION_INVALID')
    await server.stop()
    await server.restart()
    await desk.ok(['sign', 'letter', '--key', 'k1', '--force'])
    assert(!existsSync(path.join(server.folder, 'development.key')))
  })

  test("custodians' shares of a new epoch end by a word of their own alone", async () => {
    const { module } = await desk.json(['status'])
    const { domainId } = module as { domainId: string }
    const shred = ['domain', 'shred', '--confirm', domainId]
    const people = ['ada', 'cleo'].map((name, index) => {
      const { publicKey } = new XWingPrivateKey(Buffer.alloc(32, index + 1))
      return { name, kind: 'key', publicKey: encodeCustodianPublicKey(publicKey) }
    })
    writeFileSync(desk.file('custodians.json'), JSON.stringify({ threshold: 2, people }))
    mkdirSync(desk.file('shares'))
    await desk.ok([...shred, '--custodians', 'custodians.json', '--shares', 'shares'])
    assert.deepEqual(readdirSync(desk.file('shares')), ['share-1', 'share-2'])
    const ask = ['approval', 'request', 'shred', '--requester', 'anna', '--output', 'shred.json']
    for (const args of [shred, ask]) await desk.refused(args, 2, 'USAGE')
    const { epoch } = (await desk.json(['status'])).module as { epoch: number }
    const silent = await server.call('POST', '/v1/domain/shred', { confirm: domainId })
    assert.deepEqual([silent.status, silent.body.code], [400, 'ARGUMENT_INVALID'])
    const { stderr } = await desk.ok([...shred, '--no-custodians'])
    assert.match(stderr, /^Nobody gets shares of the new root: its seal alone opens it\.$/m)
    const { state } = await desk.json(['domain', 'show'])
    assert.partialDeepStrictEqual(state, { epoch: epoch + 1, custodians: null })
    await desk.ok(shred)
  })

  test('the record is searched; there are no sinks unless the server is told of some', async () => {
    const search = ['record', 'search', '--since', '1h']
    const refused = await itemsOf(...search, '--outcome', 'refused', '--limit', '3')
    assert(refused.length > 0 && refused.every(({ outcome }) => outcome !== 'OK'))
    const [first, second, ...others] = await itemsOf(
      ...[...search, '--key', 'k1', '--command', 'sign', '--oldest', '--limit', '2'],
    )
    assert(first && second && others.length === 0)
    assert(Number(first.sequence) < Number(second.sequence))
    const [same] = await itemsOf('record', 'search', '--request', String(first.requestId))
    assert.equal(same?.requestId, first.requestId)
    const none = await desk.ok([...search, '--identity', 'administrator', '--until', '2001-01-01'])
    assert.equal(none.stdout, 'No entries.\n')
    await desk.refused(['record', 'search', '--since', 'yesterday'], 2, 'USAGE')
    assert.equal((await desk.ok(['record', 'sinks'])).stdout, 'No sinks.\n')
  })

  test('the record is listed, and verified against a kept head and a known key', async () => {
    const last = await itemsOf('record', 'list', '--last', '5')
    assert(last.length >= 5)
    const list = await desk.ok(['record', 'list', '--last', '200'])
    assert.match(list.stdout, /^LEAF +TIME +COMMAND/)
    assert.match(list.stdout, /\bdestroyKey\b/)
    const first = await desk.json(['record', 'verify', '--save-head', 'head'])
    assert(Number(first.size) > 10 && Number(first.heads) > 0)
    await desk.ok(['sign', 'letter', '--key', 'k1', '--force'])
    const key = ['--identity-key', String(first.identityKey)]
    const { stdout } = await desk.ok(['record', 'verify', '--known-head', 'head', ...key])
    assert.match(stdout, /^the record holds: \d+ leaves, \d+ signed heads?$/m)
    await desk.refused(['record', 'verify', '--save-head', 'head'], 73, 'FILE_EXISTS')
    const foreign = ['record', 'verify', '--identity-key', '11'.repeat(32)]
    await desk.refused(foreign, 3, 'RECORD_BROKEN')
    const head = readFileSync(desk.file('head'), 'utf8')
    writeFileSync(
      desk.file('forged'),
      head.replace(/\n(\d+)\n/, (_, size) => `\n${Number(size) - 1}\n`),
    )
    await desk.refused(['record', 'verify', '--known-head', 'forged'], 3, 'RECORD_BROKEN')
    const growth = ['record', 'verify', '--heads-only', '--known-head']
    const grown = await desk.ok([...growth, 'head', ...key])
    assert.match(grown.stdout, /^the record goes on: \d+ leaves, \d+ of them before$/m)
    await desk.refused([...growth, 'forged'], 3, 'RECORD_BROKEN')
    await desk.refused(['record', 'verify', '--heads-only'], 2, 'USAGE')
  })

  test('bench measures and leaves no key behind', async () => {
    const items = await itemsOf('bench', '--seconds', '1', '--clients', '4')
    assert.equal(items.length, 8)
    for (const { perSecond, p50, p99 } of items) assert(perSecond > 1 && p99 >= p50 && p50 > 0)
    const left = await itemsOf('keys', 'list', '--prefix', 'bench-', '--state', 'active')
    assert.deepEqual(left, [])
  })

  test('attest and domain statement: into files, to standard output, and checked', async () => {
    await desk.ok(['domain', 'statement', '--output', 'domain.json'])
    const made = await desk.json(['attest', '--output', 'module.json', '--nonce', 'ab'.repeat(16)])
    assert.equal(made.file, 'module.json')
    const { stdout, stderr } = await desk.ok(['attest'])
    writeFileSync(desk.file('printed.json'), stdout)
    const nonce = /^nonce ([0-9a-f]{64})$/m.exec(stderr)?.[1] ?? ''
    const verify = ['attest', 'verify', '--domain', 'domain.json']
    await desk.ok([...verify, 'printed.json', '--nonce', nonce])
    const said = await desk.json([...verify, 'module.json', '--nonce', 'AB'.repeat(16)])
    assert.equal(said.level, 1)
    await desk.ok(['attest', '--key', 'k1', '--key-version', '1', '--output', 'key.json'])
    assert.match((await desk.ok([...verify, 'key.json'])).stdout, /^type +private P-256/m)
    await desk.refused([...verify, 'module.json', '--nonce', nonce], 3, 'ATTESTATION_INVALID')
    await desk.refused(['attest', '--nonce', 'abcd'], 2, 'USAGE')
    await desk.refused(['attest', '--key-version', '1'], 2, 'USAGE')
    await desk.refused(['attest', '--key', 'none'], 1, 'KEY_NOT_FOUND')
    await desk.refused(['attest', '--key', 'k1', '--key-version', '99'], 1, 'VERSION_NOT_FOUND')
    await desk.refused(['attest', 'verify', 'module.json'], 2, 'USAGE')
    await desk.refused(['attest', '--output', 'module.json'], 73, 'FILE_EXISTS')
  })
})
