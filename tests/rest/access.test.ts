/** Who there is and what they may do, over REST: identities, tokens, namespaces, roles, grants. */

import assert from 'node:assert/strict'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, suite, test } from 'node:test'
import { assertProblem, Installation, keysPath, namespace, type Person, unique } from './people.ts'

let there: Installation
before(async () => {
  there = await Installation.start()
})
after(() => there[Symbol.asyncDispose]())

const rolesOf = (person: Person, place = namespace) => `/v1/namespaces/${place}/roles/${person.id}`

suite('identities', { timeout: 120_000 }, () => {
  test('are made, read, renamed and disabled for good', async () => {
    const { server } = there
    const name = unique('service')
    const made = await server.ok('POST', '/v1/identities', { name, kind: 'application' })
    const place = `/v1/identities/${made.body.id}`
    assert.deepEqual([made.status, made.body.state], [201, 'enabled'])
    const taken = await server.call('POST', '/v1/identities', { name, kind: 'person' })
    assertProblem(taken, 409, 'NAME_TAKEN')
    const renamed = unique('renamed')
    assertProblem(
      await server.call('PATCH', place, { name: renamed }),
      428,
      'PRECONDITION_REQUIRED',
    )
    const read = await server.ok('GET', place)
    const headers = { 'if-match': String(read.headers.etag) }
    assert.equal(
      (await server.ok('PATCH', place, { name: renamed }, { headers })).body.name,
      renamed,
    )
    const stale = await server.call('PATCH', place, { name: 'x' }, { headers })
    assertProblem(stale, 412, 'PRECONDITION_FAILED')
    const token = await server.ok('POST', `${place}/tokens`, { name: 'test' })
    const options = { token: String(token.body.token) }
    assert.equal((await server.ok('GET', '/v1/whoami', undefined, options)).status, 200)
    assert.equal((await server.ok('DELETE', place)).body.state, 'disabled')
    assertProblem(await server.call('GET', '/v1/whoami', undefined, options), 401, 'TOKEN_INVALID')
    const more = await server.call('POST', `${place}/tokens`, { name: 'late' })
    assertProblem(more, 409, 'IDENTITY_DISABLED')
    const absent = `/v1/identities/id_${'0'.repeat(31)}1`
    assertProblem(await server.call('GET', absent), 404, 'IDENTITY_NOT_FOUND')
  })

  test('the last administrator stays', async () => {
    const { server, first } = there
    const place = `/v1/identities/${first.id}`
    assertProblem(await server.call('DELETE', place), 400, 'ARGUMENT_INVALID')
    const taken = await server.call('PUT', rolesOf(first, '*'), { roles: ['auditor'] })
    assertProblem(taken, 400, 'ARGUMENT_INVALID')
    assert.equal((await server.ok('GET', '/v1/whoami')).status, 200)
  })
})

suite('tokens', { timeout: 120_000 }, () => {
  test('are shown once, listed without their secret, and revoked at once', async () => {
    const { server } = there
    const person = await there.makePerson()
    const place = `/v1/identities/${person.id}/tokens`
    const headers = { 'idempotency-key': unique('token') }
    const made = await server.ok('POST', place, { name: 'second', days: 1 }, { headers })
    assert.match(String(made.body.token), /^kh_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/)
    const again = await server.call('POST', place, { name: 'second', days: 1 }, { headers })
    assertProblem(again, 409, 'IDEMPOTENCY_CONFLICT')
    const { text } = await server.ok('GET', place)
    assert(!text.includes(String(made.body.token)) && text.includes(String(made.body.id)))
    const options = { token: String(made.body.token) }
    await server.ok('GET', '/v1/whoami', undefined, options)
    await server.ok('DELETE', `${place}/${made.body.id}`)
    assertProblem(await server.call('GET', '/v1/whoami', undefined, options), 401, 'TOKEN_INVALID')
    const absent = await server.call('DELETE', `${place}/${'0'.repeat(16)}`)
    assertProblem(absent, 404, 'TOKEN_NOT_FOUND')
    for (const days of [0, 367, 1.5, '1']) {
      const refused = await server.call('POST', place, { name: 'bad', days })
      assertProblem(refused, 400, 'REQUEST_INVALID')
    }
  })

  test('end when their time is over', async () => {
    const { server } = there
    const person = await there.makePerson()
    await server.ok('GET', '/v1/whoami', undefined, person)
    await server.stop()
    // Nobody waits for a day: while the server is down, the clock's work is done on its row.
    const database = new DatabaseSync(path.join(server.folder, 'keyhold.db'))
    const tokenId = person.token.split('_')[1] ?? ''
    database.prepare('update tokens set expires = 1000 where "tokenId" = ?').run(tokenId)
    database.close()
    await server.restart()
    assertProblem(await server.call('GET', '/v1/whoami', undefined, person), 401, 'TOKEN_INVALID')
  })
})

suite('roles', { timeout: 120_000 }, () => {
  test('hold where they were given, from the next request on', async () => {
    const { server } = there
    const person = await there.makePerson()
    const list = (place: string) =>
      server.call('GET', `/v1/namespaces/${place}/keys`, undefined, person)
    assertProblem(await list(namespace), 403, 'ACCESS_DENIED')
    const set = await server.ok('PUT', rolesOf(person), { roles: ['auditor'] })
    assert.equal((await list(namespace)).status, 200)
    assertProblem(await list('other'), 403, 'ACCESS_DENIED')
    const stale = { headers: { 'if-match': '"99"' } }
    const refused = await server.call('PUT', rolesOf(person), { roles: [] }, stale)
    assertProblem(refused, 412, 'PRECONDITION_FAILED')
    const current = { headers: { 'if-match': String(set.headers.etag) } }
    await server.ok('PUT', rolesOf(person), { roles: [] }, current)
    assertProblem(await list(namespace), 403, 'ACCESS_DENIED')
    await server.ok('PUT', rolesOf(person, '*'), { roles: ['auditor'] })
    assert.equal((await list('other')).status, 200)
    const bad = await server.call('PUT', rolesOf(person), { roles: ['owner'] })
    assertProblem(bad, 400, 'REQUEST_INVALID')
    const absent = await server.call('PUT', rolesOf(person, 'absent'), { roles: [] })
    assertProblem(absent, 404, 'NAMESPACE_NOT_FOUND')
  })

  test('whoami shows them', async () => {
    const person = await there.makePerson()
    await there.server.ok('PUT', rolesOf(person), { roles: ['operator', 'auditor'] })
    const { body } = await there.server.ok('GET', '/v1/whoami', undefined, person)
    const [assignment] = body.roles as { namespace: string; roles: string[] }[]
    assert.equal(assignment?.namespace, namespace)
    assert.deepEqual(assignment?.roles.toSorted(), ['auditor', 'operator'])
  })

  test('the namespace of the manager itself is closed to everybody', async () => {
    const { server } = there
    const system = '/v1/namespaces/system'
    const input = { name: 'x', owner: 'x', purpose: 'x' }
    assertProblem(await server.call('POST', `${system}/keys`, input), 403, 'ACCESS_DENIED')
    const grant = { key: 'local-authority', identity: there.first.id, operations: ['sign'] }
    assertProblem(await server.call('POST', `${system}/grants`, grant), 403, 'ACCESS_DENIED')
    const authority = `${system}/keys/local-authority`
    for (const [action, body] of [
      ['sign', { data: '' }],
      ['rotate', undefined],
      ['disable', undefined],
      ['destroy', { confirm: 'local-authority' }],
    ] as const) {
      const refused = await server.call('POST', `${authority}/${action}`, body)
      assertProblem(refused, 403, 'ACCESS_DENIED')
    }
  })
})

suite('grants', { timeout: 120_000 }, () => {
  test('permit one operation with one key, add up, and are taken away at once', async () => {
    const { server } = there
    const [one, other] = [
      await there.makeKey({ type: 'P-256' }, []),
      await there.makeKey({ type: 'P-256' }, []),
    ]
    const person = await there.makePerson()
    const sign = (key: string) => there.use(key, 'sign', { data: '' }, person)
    const denied = await sign(one)
    assertProblem(denied, 403, 'ACCESS_DENIED')
    const grants = `/v1/namespaces/${namespace}/grants`
    const give = (operations: readonly string[]) =>
      server.ok('POST', grants, { key: one, identity: person.id, operations })
    const made = await give(['sign'])
    assert.equal((await sign(one)).status, 200)
    const input = { data: '', signature: '' }
    assertProblem(await there.use(one, 'verify', input, person), 403, 'ACCESS_DENIED')
    assertProblem(await sign(other), 403, 'ACCESS_DENIED')
    const added = await give(['verify'])
    assert.deepEqual(added.body.operations, ['sign', 'verify'])
    assert.equal(added.body.id, made.body.id)
    assert.equal((await there.use(one, 'verify', input, person)).status, 200)
    const listed = await server.ok('GET', `${grants}?identity=${person.id}`)
    assert.equal((listed.body.items as unknown[]).length, 1)
    await server.ok('DELETE', `${grants}/${made.body.id}`)
    assertProblem(await sign(one), 403, 'ACCESS_DENIED')
    const gone = await server.call('DELETE', `${grants}/${made.body.id}`)
    assertProblem(gone, 404, 'GRANT_NOT_FOUND')
  })

  test('without one a key sounds the same whether it is there or not', async () => {
    const key = await there.makeKey({ type: 'P-256' }, [])
    const person = await there.makePerson()
    await there.server.ok('PUT', rolesOf(person), { roles: ['application'] })
    const heard = async (name: string, operation: string, body: object) => {
      const answer = await there.use(name, operation, body, person)
      const { requestId, ...problem } = answer.body
      assert(requestId)
      return JSON.stringify([answer.status, problem])
    }
    for (const [operation, body] of [
      ['sign', { data: '' }],
      ['decrypt', { ciphertext: '' }],
      ['sign/batch', { items: [{ data: '' }] }],
    ] as const) {
      assert.equal(await heard(key, operation, body), await heard('absent', operation, body))
    }
    const read = async (name: string) => {
      const answer = await there.server.call('GET', `${keysPath}/${name}`, undefined, person)
      const { requestId, ...problem } = answer.body
      assert(requestId)
      return problem
    }
    assert.deepEqual(await read(key), await read('absent'))
  })

  test('to wrap shows nothing of keys that the caller may not see', async () => {
    const wrapper = await there.makeKey({ uses: ['wrap'] }, [])
    const target = await there.makeKey({ exportable: true }, [])
    const person = await there.makePerson()
    await there.server.ok('PUT', rolesOf(person), { roles: ['application'] })
    await there.grant(wrapper, ['wrap'], person.id)
    const wrap = async (name: string) => {
      const answer = await there.use(wrapper, 'wrap', { target: name }, person)
      assertProblem(answer, 403, 'ACCESS_DENIED')
      return answer.body.detail
    }
    assert.equal(await wrap(target), await wrap('absent'))
    await there.grant(target, ['encrypt'], person.id)
    assert.equal((await there.use(wrapper, 'wrap', { target }, person)).status, 200)
  })
})

test('namespaces are made once and keep their keys apart', async () => {
  const { server } = there
  const name = unique('tenant')
  const headers = { 'idempotency-key': unique('once') }
  const made = await server.ok('POST', '/v1/namespaces', { name }, { headers })
  assert.deepEqual(
    (await server.ok('POST', '/v1/namespaces', { name }, { headers })).body,
    made.body,
  )
  assertProblem(await server.call('POST', '/v1/namespaces', { name }), 409, 'NAME_TAKEN')
  for (const bad of ['', 'A', '*', '-a', 'a'.repeat(64), 'a/b']) {
    assertProblem(
      await server.call('POST', '/v1/namespaces', { name: bad }),
      400,
      'REQUEST_INVALID',
    )
  }
  const key = await there.makeKey({ type: 'P-256' }, ['sign'])
  const { body } = await server.ok('GET', `${keysPath}/${key}`)
  for (const named of [key, body.id]) {
    const other = `/v1/namespaces/${name}/keys/${named}`
    assertProblem(await server.call('GET', other), 404, 'KEY_NOT_FOUND')
    const sign = await server.call('POST', `${other}/sign`, { data: '' })
    assertProblem(sign, 404, 'KEY_NOT_FOUND')
  }
})
