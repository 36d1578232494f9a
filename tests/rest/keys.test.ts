/** The life of a key over REST, from its making to its end, with versions, aliases, ETags and pages. */

import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { sealToTransportKey } from '../../src/hsm/contract/transport.ts'
import {
  assertProblem,
  base64,
  bytesOf,
  Installation,
  keysPath,
  namespace,
  unique,
} from './people.ts'
import { sealedKey } from './sealed-key.ts'

let there: Installation
before(async () => {
  there = await Installation.start()
})
after(() => there[Symbol.asyncDispose]())

const input = (more: object = {}) => ({
  ...{ name: unique('key'), owner: 'Ada', purpose: 'tests', ...more },
})

suite('a key', { timeout: 120_000 }, () => {
  test('lives: made, read, used, rotated, disabled, enabled, scheduled, taken back, destroyed', async () => {
    const { server } = there
    const name = unique('life')
    const made = await server.ok('POST', keysPath, input({ name, type: 'P-256' }))
    assert.equal(made.status, 201)
    const { id, etag, created, updated, ...shape } = made.body
    assert.match(String(id), /^key_[0-9a-f]{32}$/)
    assert.equal(made.headers.etag, `"${etag}"`)
    assert.equal(typeof created, typeof updated)
    assert.deepEqual(shape, {
      ...{ name, namespace, owner: 'Ada', purpose: 'tests', labels: {}, type: 'P-256' },
      ...{ class: 'private', algorithms: ['ECDSA-SHA-256'], uses: ['sign', 'verify'] },
      ...{ state: 'active', exportable: false, externalIv: false, plaintextRelease: false },
      ...{ approvals: 0, canary: false, usesMax: 0 },
      ...{ currentVersion: 1, versions: 1, notBefore: 0, notAfter: 0, aliases: [] },
    })
    for (const key of [name, id]) {
      assert.deepEqual((await server.ok('GET', `${keysPath}/${key}`)).body, made.body)
    }
    await there.grant(name, ['sign', 'verify'])
    const act = async (action: string, body?: object) =>
      (await server.ok('POST', `${keysPath}/${name}/${action}`, body)).body
    const data = base64('message')
    const first = await there.use(name, 'sign', { data })
    assert.equal(first.body.version, 1)
    const rotated = await act('rotate')
    assert.deepEqual([rotated.currentVersion, rotated.versions], [2, 2])
    const verified = async (body: object) =>
      (await there.use(name, 'verify', { data, ...body })).body
    assert.equal((await verified({ signature: first.body.signature, version: 1 })).valid, true)
    assert.equal((await verified({ signature: first.body.signature })).valid, false)
    const old = await there.use(name, 'sign', { data, version: 1 })
    assertProblem(old, 409, 'KEY_STATE_INVALID')
    assert.equal((await act('disable')).state, 'suspended')
    assertProblem(await there.use(name, 'sign', { data }), 409, 'KEY_STATE_INVALID')
    assert.equal((await verified({ signature: first.body.signature, version: 1 })).valid, true)
    assert.equal((await act('enable')).state, 'active')
    assert.equal((await there.use(name, 'sign', { data })).status, 200)
    const due = await act('schedule-destruction', { days: 2 })
    assert(Number(due.destructionDue) > Date.now() + 47 * 3_600_000)
    assert.equal((await act('cancel-destruction')).destructionDue, undefined)
    const destroy = `${keysPath}/${name}/destroy`
    const wrong = await server.call('POST', destroy, { confirm: 'no' })
    assertProblem(wrong, 409, 'CONFIRMATION_INVALID')
    assert.equal((await act('destroy', { confirm: name })).state, 'destroyed')
    assertProblem(await there.use(name, 'sign', { data }), 410, 'KEY_DESTROYED')
    const { body } = await server.ok('GET', `${keysPath}/${name}/versions`)
    const states = (body.items as { state: string }[]).map(({ state }) => state)
    assert.deepEqual(states, ['destroyed', 'destroyed'])
  })

  test('shows its public key as SPKI, PEM and JWK, which are one key', async () => {
    for (const type of ['P-256', 'P-521', 'Ed25519', 'RSA-2048', 'X25519']) {
      const name = await there.makeKey({ type }, [])
      const read = async (format: string) =>
        (await there.server.ok('GET', `${keysPath}/${name}/public-key?format=${format}`)).body
      const { spki } = await read('spki')
      const key = createPublicKey({ key: bytesOf(spki), format: 'der', type: 'spki' })
      assert.equal((await read('pem')).pem, key.export({ format: 'pem', type: 'spki' }))
      assert.deepEqual((await read('jwk')).jwk, key.export({ format: 'jwk' }))
    }
    const secret = await there.makeKey({}, [])
    const none = await there.server.call('GET', `${keysPath}/${secret}/public-key`)
    assertProblem(none, 400, 'ARGUMENT_INVALID')
    const brainpool = await there.makeKey({ type: 'brainpoolP256r1' }, [])
    const jwk = await there.server.call('GET', `${keysPath}/${brainpool}/public-key?format=jwk`)
    assertProblem(jwk, 400, 'ARGUMENT_INVALID')
  })

  test('is imported, sealed to the transport key, and is the same key outside', async () => {
    const { server } = there
    const { body } = await server.ok('GET', '/v1/transport-key')
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const pkcs8 = pair.privateKey.export({ format: 'der', type: 'pkcs8' })
    const transportKey = bytesOf(body.publicKey)
    const given = await sealedKey(server, input({ type: 'P-256', class: 'private' }), pkcs8)
    const made = await server.ok('POST', `${keysPath}/import`, given)
    assert.equal(made.status, 201)
    const read = await server.ok('GET', `${keysPath}/${given.name}/public-key?format=pem`)
    assert.equal(read.body.pem, pair.publicKey.export({ format: 'pem', type: 'spki' }))
    const name = unique('altered')
    const again = await server.call('POST', `${keysPath}/import`, { ...given, name })
    assertProblem(again, 409, 'KEY_EXISTS')
    const other = await sealedKey(server, input({ type: 'P-256', class: 'private', name }), pkcs8)
    const altered = [
      { sealed: base64(bytesOf(other.sealed).fill(0, 40, 41)) },
      { id: `key_${'7'.repeat(32)}` },
      { exportable: true },
      { uses: ['verify'] },
      { sealed: base64(sealToTransportKey(transportKey, 'import key', pkcs8)) },
    ]
    for (const members of altered) {
      const body = { ...other, ...members }
      const refused = await server.call('POST', `${keysPath}/import`, body)
      assertProblem(refused, 422, 'CIPHERTEXT_INVALID')
    }
    assertProblem(await server.call('GET', `${keysPath}/${name}`), 404, 'KEY_NOT_FOUND')
  })
})

suite('changes of a key', { timeout: 120_000 }, () => {
  test('need the ETag that was read, and one of two at once wins', async () => {
    const { server } = there
    const name = await there.makeKey({ type: 'P-256' }, [])
    const path = `${keysPath}/${name}`
    const change = (owner: string, tag?: string) =>
      server.call(
        'PATCH',
        path,
        { owner },
        tag === undefined ? {} : { headers: { 'if-match': tag } },
      )
    assertProblem(await change('Grace'), 428, 'PRECONDITION_REQUIRED')
    const { headers } = await server.ok('GET', path)
    const tag = String(headers.etag)
    const both = await Promise.all([change('Grace', tag), change('Edsger', tag)])
    assert.deepEqual(both.map(({ status }) => status).sort(), [200, 412])
    assertProblem(await change('Barbara', tag), 412, 'PRECONDITION_FAILED')
    const rotate = `${path}/rotate`
    const stale = await server.call('POST', rotate, undefined, { headers: { 'if-match': tag } })
    assertProblem(stale, 412, 'PRECONDITION_FAILED')
    assert.equal((await server.ok('GET', path)).body.versions, 1)
  })

  test('an idempotency key makes one key and one version', async () => {
    const { server } = there
    const headers = { 'idempotency-key': unique('once') }
    const given = input({ type: 'P-256' })
    const made = await server.ok('POST', keysPath, given, { headers })
    const again = await server.ok('POST', keysPath, given, { headers })
    assert.deepEqual(again.body, made.body)
    const other = await server.call('POST', keysPath, input(), { headers })
    assertProblem(other, 409, 'IDEMPOTENCY_CONFLICT')
    const turn = { headers: { 'idempotency-key': unique('turn') } }
    const rotate = () => server.ok('POST', `${keysPath}/${given.name}/rotate`, undefined, turn)
    const [one, two] = [await rotate(), await rotate()]
    assert.deepEqual(one.body, two.body)
    assert.equal(one.body.versions, 2)
    for (const wrong of ['a b', 'a'.repeat(129), '']) {
      const bad = { headers: { 'idempotency-key': wrong } }
      const refused = await server.call('POST', keysPath, input(), bad)
      assertProblem(refused, 400, 'ARGUMENT_INVALID')
    }
  })
})

suite('names', { timeout: 120_000 }, () => {
  test('an alias is set, pointed elsewhere and removed; the key is used through it', async () => {
    const { server } = there
    const [one, two] = [
      await there.makeKey({ type: 'P-256' }, ['sign']),
      await there.makeKey({ type: 'P-256' }, ['sign']),
    ]
    const alias = unique('alias')
    const path = `/v1/namespaces/${namespace}/aliases/${alias}`
    const set = await server.ok('PUT', path, { key: one })
    const signer = async () => (await there.use(alias, 'sign', { data: '' })).body.key
    assert.equal(await signer(), set.body.key)
    const stale = await server.call('PUT', path, { key: two }, { headers: { 'if-match': '"77"' } })
    assertProblem(stale, 412, 'PRECONDITION_FAILED')
    const tag = { headers: { 'if-match': String(set.headers.etag) } }
    const moved = await server.ok('PUT', path, { key: two }, tag)
    assert.equal(await signer(), moved.body.key)
    assert.notEqual(moved.body.key, set.body.key)
    assertProblem(await server.call('POST', keysPath, input({ name: alias })), 409, 'NAME_TAKEN')
    assert.equal((await server.ok('DELETE', path)).status, 204)
    assertProblem(await there.use(alias, 'sign', { data: '' }), 404, 'KEY_NOT_FOUND')
  })

  test('lists go by pages, and a cursor is for the list that gave it', async () => {
    const { server } = there
    const prefix = unique('page')
    for (let index = 0; index < 5; index += 1) {
      await server.ok('POST', keysPath, input({ name: `${prefix}.${index}`, type: 'P-256' }))
    }
    const names: unknown[] = []
    let cursor = ''
    do {
      const place = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const { body } = await server.ok('GET', `${keysPath}?prefix=${prefix}&limit=2${place}`)
      names.push(...(body.items as { name: string }[]).map(({ name }) => name))
      cursor = typeof body.next === 'string' ? body.next : ''
    } while (cursor !== '')
    assert.deepEqual(
      names,
      [0, 1, 2, 3, 4].map((index) => `${prefix}.${index}`),
    )
    const { body } = await server.ok('GET', `${keysPath}?prefix=${prefix}&limit=2`)
    const next = encodeURIComponent(String(body.next))
    for (const query of [`limit=2&cursor=${next}`, 'cursor=AAAA', `prefix=${prefix}&cursor=x.y`]) {
      const refused = await server.call('GET', `${keysPath}?${query}`)
      assertProblem(refused, 400, 'ARGUMENT_INVALID')
    }
    for (const query of ['limit=0', 'limit=1001', 'limit=2&limit=3', 'state=alive', 'order=up']) {
      assertProblem(await server.call('GET', `${keysPath}?${query}`), 400, 'REQUEST_INVALID')
    }
  })

  test('a name is taken once, whoever asks at the same time', async () => {
    const name = unique('wanted')
    const all = Array.from({ length: 6 }, () =>
      there.server.call('POST', keysPath, input({ name, type: 'P-256' })),
    )
    const statuses = (await Promise.all(all)).map(({ status }) => status).sort()
    assert.deepEqual(statuses, [201, 409, 409, 409, 409, 409])
  })
})

test('what cannot be a key is refused and leaves nothing', async () => {
  const { server } = there
  const bad: readonly [object, number, string][] = [
    [{ owner: '' }, 400, 'REQUEST_INVALID'],
    [{ name: 'Upper' }, 400, 'REQUEST_INVALID'],
    [{ name: 'key_1' }, 400, 'ARGUMENT_INVALID'],
    [{ type: 'P-257' }, 400, 'REQUEST_INVALID'],
    [{ type: 'P-256', uses: ['mac'] }, 400, 'ARGUMENT_INVALID'],
    [{ type: 'P-256', algorithms: ['AES-256-GCM'] }, 400, 'ALGORITHM_NOT_SUPPORTED'],
    [{ uses: ['encrypt', 'wrap'] }, 403, 'KEY_USE_NOT_PERMITTED'],
    [{ type: 'P-256', plaintextRelease: true }, 400, 'ARGUMENT_INVALID'],
    [{ type: 'generic-secret', lengthBytes: 13 }, 409, 'KEY_TOO_WEAK'],
    [{ notBefore: 2_000, notAfter: 1_000 }, 400, 'ARGUMENT_INVALID'],
    [{ labels: { x: 'y'.repeat(300) } }, 400, 'REQUEST_INVALID'],
    [{ more: randomBytes(1).toString('hex') }, 400, 'REQUEST_INVALID'],
  ]
  const before = await server.ok('GET', `${keysPath}?limit=1000`)
  for (const [more, status, code] of bad) {
    assertProblem(await server.call('POST', keysPath, input(more)), status, code)
  }
  const elsewhere = '/v1/namespaces/absent/keys'
  assertProblem(await server.call('POST', elsewhere, input()), 404, 'NAMESPACE_NOT_FOUND')
  assert.deepEqual((await server.ok('GET', `${keysPath}?limit=1000`)).body, before.body)
})
