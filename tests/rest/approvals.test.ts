/**
 * Approvals over REST: what people are given to sign is what the module checks, the manager carries it,
 * and neither it nor a lone officer can do without.
 */

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { newSigner, type Signer } from '../../src/hsm/approvals.testing.ts'
import { assertProblem, base64, bytesOf, Installation, keysPath, unique } from './people.ts'
import { passphraseSealed } from './sealed-pin.ts'

const signers = ['anna', 'ben', 'carl'].map((name) => newSigner(name))
const [anna, ben] = signers
const two = { approvals: 2, roles: ['officer'], excludeRequester: false }
const requester = 'anna'

let there: Installation
before(async () => {
  there = await Installation.start()
  const people = signers.map(({ asked }) => asked)
  const rules = { officers: two, export: two, destroy: two, tamper: two }
  await there.server.ok('POST', '/v1/domain/changes', { change: { people, rules } })
})
after(() => there[Symbol.asyncDispose]())

/** As people do it: read the statement, sign it, hand the terms and signatures on. */
async function approvalsFor(path: string, body: object, ...by: readonly (Signer | undefined)[]) {
  const answer = await there.server.ok('POST', path, { ...body, requester })
  const statements = answer.body.statements as readonly string[]
  return statements.map((text) => {
    const { module, challenge, predecessor, requester: who, ...rest } = JSON.parse(text)
    const { notBefore, expires } = rest
    const terms = { module, challenge, predecessor, requester: who, notBefore, expires }
    return { ...terms, approvals: by.map((signer) => signer?.approve(Buffer.from(text))) }
  })
}

async function domainApprovals(command: string, args: object, ...by: (Signer | undefined)[]) {
  const body = { command, arguments: args }
  const [approvals] = await approvalsFor('/v1/domain/statements', body, ...by)
  return approvals
}

suite('keys', () => {
  test('a key whose uses are approved signs what was approved, once', async () => {
    const key = await there.makeKey({ type: 'P-256', approvals: 2 }, ['sign', 'verify'])
    const data = base64('a contract')
    assertProblem(await there.use(key, 'sign', { data }), 403, 'APPROVALS_MISSING')
    const path = `${keysPath}/${key}/sign/statement`
    const [approvals] = await approvalsFor(path, { request: { data } }, anna, ben)
    const other = await there.use(key, 'sign', { data: base64('another'), approvals })
    assertProblem(other, 403, 'APPROVAL_INVALID')
    const signed = await there.use(key, 'sign', { data, approvals })
    assert.equal(signed.status, 200, signed.text)
    assertProblem(await there.use(key, 'sign', { data, approvals }), 409, 'CHALLENGE_INVALID')
  })

  test('each item of a batch has its own', async () => {
    const key = await there.makeKey({ type: 'P-256', approvals: 1 }, ['sign'])
    const path = `${keysPath}/${key}/sign/statement`
    const data = base64('a')
    const [approvals] = await approvalsFor(path, { request: { data } }, anna)
    const items = [{ data }, { data, approvals }]
    const { body } = await there.server.ok('POST', `${keysPath}/${key}/sign/batch`, { items })
    const [first, second] = body.items as readonly { result?: object; error?: { code: string } }[]
    assert.equal(first?.error?.code, 'APPROVALS_MISSING')
    assert(second?.result)
  })

  test('the rule export: one officer is not enough', async () => {
    const wrapper = await there.makeKey({ uses: ['wrap', 'unwrap'] }, ['wrap'])
    const target = await there.makeKey({ exportable: true }, ['decrypt'])
    const path = `${keysPath}/${wrapper}/wrap/statement`
    const request = { target }
    assertProblem(await there.use(wrapper, 'wrap', request), 403, 'APPROVALS_MISSING')
    const [alone] = await approvalsFor(path, { request }, anna)
    const refused = await there.use(wrapper, 'wrap', { ...request, approvals: alone })
    assertProblem(refused, 403, 'APPROVALS_MISSING')
    const [approvals] = await approvalsFor(path, { request }, anna, ben)
    const wrapped = await there.use(wrapper, 'wrap', { ...request, approvals })
    assert.equal(wrapped.status, 200, wrapped.text)
  })

  test('a key that is unwrapped by a key whose uses are approved has the id that was signed', async () => {
    const wrapper = await there.makeKey({ uses: ['wrap', 'unwrap'], approvals: 1 }, [
      ...['wrap', 'unwrap'],
    ])
    const target = await there.makeKey({ exportable: true }, ['decrypt'])
    const path = `${keysPath}/${wrapper}`
    const [wrapping] = await approvalsFor(
      `${path}/wrap/statement`,
      { request: { target } },
      anna,
      ben,
    )
    const { body: out } = await there.use(wrapper, 'wrap', { target, approvals: wrapping })
    const into = { name: unique('unwrapped'), owner: 'Ada', purpose: 'tests' }
    const request = { wrapped: out.wrapped, into }
    assertProblem(await there.use(wrapper, 'unwrap', request), 403, 'APPROVALS_MISSING')
    const { body } = await there.server.ok('POST', `${path}/unwrap/statement`, {
      ...{ request, requester },
    })
    const [text = ''] = body.statements as readonly string[]
    const { arguments: args, module, challenge, predecessor, notBefore, expires } = JSON.parse(text)
    const terms = { module, challenge, predecessor, requester, notBefore, expires }
    const approvals = { ...terms, approvals: [anna?.approve(Buffer.from(text))] }
    const unwrap = (named: object) =>
      there.use(wrapper, 'unwrap', { ...request, approvals, into: { ...into, ...named } })
    assertProblem(await unwrap({}), 400, 'ARGUMENT_INVALID')
    const other = `key_${'0'.repeat(32)}`
    assertProblem(await unwrap({ id: other }), 403, 'APPROVAL_INVALID')
    const freer = { id: args.into.key, exportable: true }
    assertProblem(await unwrap(freer), 403, 'APPROVAL_INVALID')
    const made = await unwrap({ id: args.into.key })
    assert.equal(made.status, 200, made.text)
    assert.equal((made.body.made as { id: string }).id, args.into.key)
    assertProblem(await unwrap({ id: args.into.key, name: unique('again') }), 409, 'KEY_EXISTS')
  })

  test('the rule destroy: a set for each version, and a refusal leaves the key as it was', async () => {
    const key = await there.makeKey({ type: 'P-256' }, ['sign'])
    await there.server.ok('POST', `${keysPath}/${key}/rotate`)
    const path = `${keysPath}/${key}/destroy`
    const destroy = (approvals?: object) =>
      there.server.call('POST', path, { confirm: key, ...(approvals && { approvals }) })
    assertProblem(await destroy(), 403, 'APPROVALS_MISSING')
    const sets = await approvalsFor(`${path}/statement`, {}, anna, ben)
    assert.equal(sets.length, 2)
    assertProblem(await destroy(sets.slice(1)), 400, 'ARGUMENT_INVALID')
    assertProblem(await destroy(sets.toReversed()), 403, 'APPROVAL_INVALID')
    assert.equal((await there.use(key, 'sign', { data: base64('a') })).status, 200)
    const destroyed = await destroy(sets)
    assert.equal(destroyed.status, 200, destroyed.text)
    assert.equal(destroyed.body.state, 'destroyed')
  })
})

suite('the domain', () => {
  test('its state names people and rules, and a change follows on it', async () => {
    const before = await there.server.ok('GET', '/v1/domain/state')
    const state = JSON.parse(String(before.body.statement))
    assert.deepEqual(
      state.people.map(({ name }: { name: string }) => name),
      ['anna', 'ben', 'carl'],
    )
    const change = { people: [...signers, newSigner(unique('dora'))].map(({ asked }) => asked) }
    const path = '/v1/domain/changes'
    assertProblem(await there.server.call('POST', path, { change }), 403, 'APPROVALS_MISSING')
    const approvals = await domainApprovals('changeDomain', { change }, anna, ben)
    const { body } = await there.server.ok('POST', path, { change, approvals })
    assert.equal(body.version, Number(before.body.version) + 1)
    const again = await there.server.call('POST', path, { change, approvals })
    assertProblem(again, 403, 'APPROVAL_INVALID')
    const weaker = { rules: { officers: { ...two, approvals: 1 } } }
    assertProblem(await there.server.call('POST', path, { change: weaker }), 409, 'RULES_NOT_MET')
  })

  test('what is not of its form', async () => {
    const path = '/v1/domain/changes'
    for (const body of [
      {},
      { change: { more: 1 } },
      { change: { level: 5 } },
      { change: { rules: { unknown: two } } },
      { change: {}, approvals: {} },
    ]) {
      assert.equal((await there.server.call('POST', path, body)).status, 400)
    }
  })

  test('a PIN is set and used, sealed to the module', async () => {
    const transport = await there.server.ok('GET', '/v1/transport-key')
    const publicKey = bytesOf(transport.body.publicKey)
    const sealed = async (command: string, pin: string) => {
      const { body } = await there.server.ok('POST', '/v1/domain/challenges', { command })
      const challenge = String(body.challenge)
      return { challenge, pin: base64(passphraseSealed(publicKey, challenge, pin)) }
    }
    const first = await sealed('setPin', 'correct horse')
    const args = { person: 'anna', challenge: first.challenge }
    const body = { command: 'setPin', arguments: args, parts: { pin: first.pin } }
    const [approvals] = await approvalsFor('/v1/domain/statements', body, anna)
    await there.server.ok('POST', '/v1/domain/pins', { ...args, pin: first.pin, approvals })
    const login = async (pin: string) => {
      const given = await sealed('login', pin)
      return there.server.call('POST', '/v1/domain/logins', { person: 'anna', ...given })
    }
    assertProblem(await login('wrong horse'), 403, 'LOGIN_FAILED')
    const { status, body: session } = await login('correct horse')
    assert.equal(status, 200)
    assert(Number(session.expires) > Date.now())
    const reset = await there.server.call('POST', '/v1/domain/logins/reset', { person: 'anna' })
    assertProblem(reset, 403, 'APPROVALS_MISSING')
  })

  test('zeroisation takes the id of the domain and the rule tamper', async () => {
    const path = '/v1/domain/zeroisation'
    const reason = 'end of life'
    const wrong = await there.server.call('POST', path, { reason, confirm: 'acme' })
    assertProblem(wrong, 409, 'CONFIRMATION_INVALID')
    const { body } = await there.server.ok('GET', '/v1/domain/state')
    const { domain: confirm } = JSON.parse(String(body.statement))
    const alone = await domainApprovals('zeroise', { reason }, anna)
    const given = { reason, confirm, approvals: alone }
    assertProblem(await there.server.call('POST', path, given), 403, 'APPROVALS_MISSING')
    const acknowledge = await there.server.call('POST', '/v1/domain/tamper/acknowledgement', {})
    assertProblem(acknowledge, 503, 'MODULE_STATE_INVALID')
  })
})

suite('tampering', () => {
  test('a canary key that is used stops the module, and two officers let it work again', async () => {
    const key = await there.makeKey({ type: 'P-256' }, ['sign'])
    const canary = await there.makeKey({ type: 'P-256', canary: true }, ['sign'])
    const data = base64('bait')
    assertProblem(await there.use(canary, 'sign', { data }), 503, 'MODULE_TAMPERED')
    assertProblem(await there.use(key, 'sign', { data }), 503, 'MODULE_TAMPERED')
    const path = '/v1/domain/tamper/acknowledgement'
    assertProblem(await there.server.call('POST', path, {}), 403, 'APPROVALS_MISSING')
    const alone = await domainApprovals('acknowledgeTamper', {}, ben)
    const refused = await there.server.call('POST', path, { approvals: alone })
    assertProblem(refused, 403, 'APPROVALS_MISSING')
    const approvals = await domainApprovals('acknowledgeTamper', {}, anna, ben)
    assert.equal((await there.server.call('POST', path, { approvals })).status, 204)
    assert.equal((await there.use(key, 'sign', { data })).status, 200)
  })
})
