/** Every use of a key over REST, alone and in batches, checked against node:crypto where that can do it. */

import assert from 'node:assert/strict'
import {
  createDecipheriv,
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  verify,
} from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { assertProblem, base64, bytesOf, Installation, keysPath, unique } from './people.ts'

let there: Installation
before(async () => {
  there = await Installation.start()
})
after(() => there[Symbol.asyncDispose]())

type Body = Readonly<Record<string, unknown>>

async function used(key: string, operation: string, input: object): Promise<Body> {
  const answer = await there.use(key, operation, input)
  assert.equal(answer.status, 200, `${operation}: ${answer.text}`)
  return answer.body
}

async function batch(key: string, operation: string, items: readonly object[]) {
  const { items: outcomes } = await used(key, `${operation}/batch`, { items })
  return outcomes as readonly { readonly result?: Body; readonly error?: Body }[]
}

async function publicKeyOf(key: string) {
  const { body } = await there.server.ok('GET', `${keysPath}/${key}/public-key?format=pem`)
  return createPublicKey(String(body.pem))
}

const data = Buffer.from('message')

suite('sign and verify', { timeout: 120_000 }, () => {
  test('over a message, a digest, in both forms; a wrong signature is not valid', async () => {
    const key = await there.makeKey({ type: 'P-256' }, ['sign', 'verify'])
    const publicKey = await publicKeyOf(key)
    const digest = createHash('sha256').update(data).digest()
    for (const message of [{ data: base64(data) }, { digest: base64(digest) }]) {
      for (const format of ['der', 'p1363'] as const) {
        const { signature, ...rest } = await used(key, 'sign', { ...message, format })
        const dsaEncoding = format === 'der' ? 'der' : 'ieee-p1363'
        assert(verify('sha256', data, { key: publicKey, dsaEncoding }, bytesOf(signature)))
        assert.deepEqual([rest.version, rest.algorithm], [1, 'ECDSA-SHA-256'])
        const asked = { ...message, format }
        assert.equal((await used(key, 'verify', { ...asked, signature })).valid, true)
        const wrong = bytesOf(signature)
        wrong[wrong.length - 1] = (wrong.at(-1) ?? 0) ^ 1
        for (const bad of [base64(wrong), '', base64('x')]) {
          assert.equal((await used(key, 'verify', { ...asked, signature: bad })).valid, false)
        }
      }
    }
    const short = await there.use(key, 'sign', { digest: base64('short') })
    assertProblem(short, 400, 'ARGUMENT_INVALID')
    const other = await there.use(key, 'sign', { data: '', algorithm: 'Ed25519' })
    assertProblem(other, 403, 'KEY_USE_NOT_PERMITTED')
    assertProblem(await there.use(key, 'sign', { data: '', version: 2 }), 404, 'VERSION_NOT_FOUND')
    for (const body of [{}, { data: '', digest: '' }, { data: '', mu: '' }]) {
      assertProblem(await there.use(key, 'sign', body), 400, 'REQUEST_INVALID')
    }
  })

  test('with ML-DSA under a context', async () => {
    const key = await there.makeKey({ type: 'ML-DSA-65' }, ['sign', 'verify'])
    const context = base64('context')
    const signed = { data: base64(data), context }
    const { signature } = await used(key, 'sign', signed)
    assert.equal((await used(key, 'verify', { ...signed, signature })).valid, true)
    const without = { data: base64(data), signature }
    assert.equal((await used(key, 'verify', without)).valid, false)
    const publicKey = await publicKeyOf(key)
    const options = { key: publicKey, context: Buffer.from('context') }
    assert(verify(null, data, options, bytesOf(signature)))
  })

  test('in a batch with an outcome for each, in their order', async () => {
    const key = await there.makeKey({ type: 'P-256' }, ['sign', 'verify'])
    const items = [
      { data: base64('0') },
      { data: '', version: 9 },
      { digest: base64('short') },
      { data: base64('3') },
      { data: '', algorithm: 'HMAC-SHA-256' },
    ]
    const outcomes = await batch(key, 'sign', items)
    const codes = outcomes.map(({ error }) => error?.code)
    const wrong = [undefined, 'VERSION_NOT_FOUND', 'ARGUMENT_INVALID', undefined]
    assert.deepEqual(codes, [...wrong, 'KEY_USE_NOT_PERMITTED'])
    const publicKey = await publicKeyOf(key)
    for (const index of [0, 3]) {
      const signature = bytesOf(outcomes[index]?.result?.signature)
      assert(verify('sha256', Buffer.from(String(index)), publicKey, signature))
    }
    const full = Array.from({ length: 256 }, (_, index) => ({ data: base64(`${index}`) }))
    const signed = await batch(key, 'sign', full)
    const verified = await batch(
      key,
      'verify',
      full.map((item, index) => ({ ...item, signature: signed[index]?.result?.signature })),
    )
    assert(verified.every(({ result }) => result?.valid === true))
    for (const count of [0, 257]) {
      const many = { items: Array.from({ length: count }, () => ({ data: '' })) }
      assertProblem(await there.use(key, 'sign/batch', many), 400, 'REQUEST_INVALID')
    }
  })
})

suite('encrypt and decrypt', { timeout: 120_000 }, () => {
  test('under a context in any order, and under no other', async () => {
    const key = await there.makeKey({}, ['encrypt', 'decrypt'])
    const context = { tenant: 'a', place: 'b' }
    const { ciphertext, algorithm } = await used(key, 'encrypt', {
      plaintext: base64(data),
      context,
    })
    assert.equal(algorithm, 'XAES-256-GCM')
    const turned = { place: 'b', tenant: 'a' }
    const opened = await used(key, 'decrypt', { ciphertext, context: turned })
    assert.deepEqual(bytesOf(opened.plaintext), data)
    for (const wrong of [
      {},
      { tenant: 'a' },
      { ...context, more: '' },
      { tenant: 'b', place: 'a' },
    ]) {
      const refused = await there.use(key, 'decrypt', { ciphertext, context: wrong })
      assertProblem(refused, 422, 'CIPHERTEXT_INVALID')
    }
  })

  test('every altered byte, another key and another length sound the same', async () => {
    const key = await there.makeKey({}, ['encrypt', 'decrypt'])
    const other = await there.makeKey({}, ['encrypt', 'decrypt'])
    const { ciphertext } = await used(key, 'encrypt', { plaintext: base64(data) })
    const bytes = bytesOf(ciphertext)
    const altered = [...bytes.keys()].map((index) => {
      const copy = Buffer.from(bytes)
      copy[index] = (copy[index] ?? 0) ^ 1
      return copy
    })
    const cut = [...bytes.keys()].map((length) => bytes.subarray(0, length))
    const wrong = [...altered, ...cut, Buffer.concat([bytes, Buffer.of(0)])]
    const items = wrong.map((each) => ({ ciphertext: base64(each) }))
    const outcomes = [
      ...(await batch(key, 'decrypt', items)),
      ...(await batch(other, 'decrypt', [{ ciphertext: String(ciphertext) }])),
      ...(await batch(key, 'decrypt', [{ ciphertext: String(ciphertext), version: 2 }])),
    ]
    const distinct = new Set(outcomes.map(({ error }) => JSON.stringify(error)))
    assert.equal(distinct.size, 1, [...distinct].join('\n'))
    assert.equal(outcomes[0]?.error?.code, 'CIPHERTEXT_INVALID')
  })

  test('what was encrypted before a rotation opens after it', async () => {
    const key = await there.makeKey({}, ['encrypt', 'decrypt'])
    const { ciphertext } = await used(key, 'encrypt', { plaintext: base64(data) })
    await there.server.ok('POST', `${keysPath}/${key}/rotate`)
    const opened = await used(key, 'decrypt', { ciphertext })
    assert.deepEqual([opened.version, bytesOf(opened.plaintext)], [1, data])
    assert.equal((await used(key, 'encrypt', { plaintext: '' })).version, 2)
  })

  test('raw is what the algorithm makes; an IV from outside needs a key that permits it', async () => {
    const gcm = { type: 'AES-128', algorithms: ['AES-128-GCM'], uses: ['encrypt', 'decrypt'] }
    const key = await there.makeKey(gcm, ['encrypt', 'decrypt'])
    const aad = base64('aad')
    const { iv, ciphertext } = await used(key, 'encrypt', {
      plaintext: base64(data),
      aad,
      raw: true,
    })
    assert.deepEqual([bytesOf(iv).length, bytesOf(ciphertext).length], [12, data.length + 16])
    const opened = await used(key, 'decrypt', { ciphertext, iv, aad, raw: true })
    assert.deepEqual(bytesOf(opened.plaintext), data)
    const given = { plaintext: base64(data), iv: base64(Buffer.alloc(12)), raw: true }
    assertProblem(await there.use(key, 'encrypt', given), 403, 'KEY_USE_NOT_PERMITTED')
    const permitting = await there.makeKey({ ...gcm, externalIv: true }, ['encrypt', 'decrypt'])
    const made = await used(permitting, 'encrypt', given)
    assert.equal(made.iv, given.iv)
    const ours = await there.use(key, 'decrypt', { ciphertext, iv, aad })
    assertProblem(ours, 400, 'ARGUMENT_INVALID')
    const both = await there.use(key, 'encrypt', { plaintext: '', context: {}, aad: '' })
    assertProblem(both, 400, 'REQUEST_INVALID')
  })

  test('with RSA-OAEP and with CBC, which authenticates nothing', async () => {
    const rsa = {
      type: 'RSA-2048',
      algorithms: ['RSAES-OAEP-SHA-256'],
      uses: ['encrypt', 'decrypt'],
    }
    const cbc = { type: 'AES-256', algorithms: ['AES-256-CBC-PKCS7'] }
    for (const shape of [rsa, cbc]) {
      const key = await there.makeKey(shape, ['encrypt', 'decrypt'])
      const { ciphertext } = await used(key, 'encrypt', { plaintext: base64(data) })
      const opened = await used(key, 'decrypt', { ciphertext })
      assert.deepEqual(bytesOf(opened.plaintext), data)
    }
    const key = await there.makeKey(cbc, ['encrypt'])
    const bound = await there.use(key, 'encrypt', { plaintext: '', context: { a: 'b' } })
    assertProblem(bound, 400, 'ARGUMENT_INVALID')
  })
})

test('mac and verify-mac, whole and truncated', async () => {
  const key = await there.makeKey({ type: 'generic-secret' }, ['mac', 'verifyMac'])
  const whole = await used(key, 'mac', { data: base64(data) })
  const short = await used(key, 'mac', { data: base64(data), lengthBytes: 16 })
  assert.deepEqual(bytesOf(short.mac), bytesOf(whole.mac).subarray(0, 16))
  const verified = async (mac: unknown) =>
    (await used(key, 'verify-mac', { data: base64(data), mac })).valid
  assert.deepEqual([await verified(whole.mac), await verified(short.mac)], [true, true])
  assert.equal(await verified(base64(Buffer.alloc(32))), false)
})

suite('keys that make keys', { timeout: 120_000 }, () => {
  const into = (more: object = {}) => ({
    ...{ name: unique('made'), owner: 'Ada', purpose: 'tests', ...more },
  })

  test('a wrapped key comes back as a new one and does the same', async () => {
    const wrapper = await there.makeKey({ uses: ['wrap', 'unwrap'] }, ['wrap', 'unwrap'])
    const shape = { type: 'generic-secret', exportable: true }
    const target = await there.makeKey(shape, ['mac'])
    const { wrapped } = await used(wrapper, 'wrap', { target })
    const headers = { 'idempotency-key': unique('unwrap') }
    const body = { wrapped, into: into({ type: 'generic-secret' }) }
    const unwrapped = await there.use(wrapper, 'unwrap', body, { headers })
    assert.equal(unwrapped.status, 200, unwrapped.text)
    assert.deepEqual((await there.use(wrapper, 'unwrap', body, { headers })).body, unwrapped.body)
    const { name } = unwrapped.body.made as { name: string }
    await there.grant(name, ['mac'])
    const [one, two] = await Promise.all(
      [target, name].map((key) => used(key, 'mac', { data: base64(data) })),
    )
    assert.equal(one?.mac, two?.mac)
    const fixed = await there.makeKey({}, [])
    const refused = await there.use(wrapper, 'wrap', { target: fixed })
    assertProblem(refused, 403, 'KEY_NOT_EXPORTABLE')
    const outcomes = await batch(wrapper, 'wrap', [{ target }, { target: fixed }, { target: 'no' }])
    const codes = outcomes.map(({ error }) => error?.code)
    assert.deepEqual(codes, [undefined, 'KEY_NOT_EXPORTABLE', 'KEY_NOT_FOUND'])
  })

  test('derive releases bytes where the key permits it, or makes a key', async () => {
    const shape = { type: 'generic-secret', uses: ['derive'] }
    const keep = await there.makeKey(shape, ['derive'])
    const release = await there.makeKey({ ...shape, plaintextRelease: true }, ['derive'])
    const asked = { info: base64('info'), salt: base64('salt'), lengthBytes: 42 }
    assertProblem(await there.use(keep, 'derive', asked), 403, 'KEY_USE_NOT_PERMITTED')
    const { secret } = await used(release, 'derive', asked)
    assert.equal(bytesOf(secret).length, 42)
    assert.equal((await used(release, 'derive', asked)).secret, secret)
    const target = into({ type: 'generic-secret' })
    const { made } = await used(keep, 'derive', { info: base64('info'), into: target })
    assert.equal((made as Body).name, target.name)
    const again = await there.use(keep, 'derive', { info: '', into: target })
    assertProblem(again, 409, 'NAME_TAKEN')
    const mixed = await batch(release, 'derive', [
      asked,
      { info: '', into: into({ type: 'generic-secret' }) },
      { info: '', into: target },
      { info: base64('other'), lengthBytes: 16 },
    ])
    assert.equal(mixed[0]?.result?.secret, secret)
    assert.equal((mixed[1]?.result?.made as Body | undefined)?.state, 'active')
    assert.equal(mixed[2]?.error?.code, 'NAME_TAKEN')
    assert.equal(bytesOf(mixed[3]?.result?.secret).length, 16)
  })

  test('a derived key has the bytes that are released for the same derivation', async () => {
    const shape = { type: 'generic-secret', uses: ['derive'], plaintextRelease: true }
    const parent = await there.makeKey(shape, ['derive'])
    const one = await used(parent, 'derive', { info: base64('root'), lengthBytes: 32 })
    const child = await used(parent, 'derive', {
      info: base64('root'),
      into: into({ type: 'generic-secret', lengthBytes: 32, uses: ['mac'] }),
    })
    const { name } = child.made as { name: string }
    await there.grant(name, ['mac'])
    const { mac } = await used(name, 'mac', { data: base64(data) })
    assert.deepEqual(bytesOf(mac), createHmac('sha256', bytesOf(one.secret)).update(data).digest())
  })

  test('both sides of an agreement get the same secret', async () => {
    for (const [type, node] of [
      ['X25519', () => generateKeyPairSync('x25519')],
      ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ] as const) {
      const key = await there.makeKey({ type, uses: ['agree'], plaintextRelease: true }, ['agree'])
      const peer = node()
      const spki = peer.publicKey.export({ format: 'der', type: 'spki' })
      const { secret } = await used(key, 'agree', { peer: base64(spki) })
      const publicKey = await publicKeyOf(key)
      const own = diffieHellman({ privateKey: peer.privateKey, publicKey })
      assert.deepEqual(bytesOf(secret), own)
      assertProblem(await there.use(key, 'agree', { peer: base64('x') }), 400, 'ARGUMENT_INVALID')
    }
  })

  test('what one side encapsulates the other decapsulates', async () => {
    for (const type of ['ML-KEM-512', 'ML-KEM-768', 'ML-KEM-1024']) {
      const shape = { type, plaintextRelease: true }
      const key = await there.makeKey(shape, ['encapsulate', 'decapsulate'])
      const { secret, ciphertext } = await used(key, 'encapsulate', {})
      assert.equal((await used(key, 'decapsulate', { ciphertext })).secret, secret)
      const { sharedKey, ciphertext: theirs } = encapsulate(await publicKeyOf(key))
      const opened = await used(key, 'decapsulate', { ciphertext: base64(theirs) })
      assert.deepEqual(bytesOf(opened.secret), sharedKey)
      const short = await there.use(key, 'decapsulate', { ciphertext: base64('x') })
      assertProblem(short, 422, 'CIPHERTEXT_INVALID')
    }
  })

  test('a grant to derive makes no key without the permission to create keys', async () => {
    const parent = await there.makeKey({ type: 'generic-secret', uses: ['derive'] }, [])
    const person = await there.makePerson()
    await there.grant(parent, ['derive'], person.id)
    const body = { info: '', into: into({ type: 'generic-secret' }) }
    const refused = await there.use(parent, 'derive', body, { token: person.token })
    assertProblem(refused, 403, 'ACCESS_DENIED')
  })
})

test('random bytes, alone and several', async () => {
  const { server } = there
  const { body } = await server.ok('POST', '/v1/random', { lengthBytes: 32 })
  assert.equal(bytesOf(body.bytes).length, 32)
  const items = [1, 65_536, 7].map((lengthBytes) => ({ lengthBytes }))
  const several = await server.ok('POST', '/v1/random/batch', { items })
  const lengths = (several.body.items as { result: { bytes: string } }[]).map(
    ({ result }) => bytesOf(result.bytes).length,
  )
  assert.deepEqual(lengths, [1, 65_536, 7])
  const seedings = async () => {
    const { generator } = (await server.ok('GET', '/v1/entropy')).body
    return (generator as { seedings: number }).seedings
  }
  const before = await seedings()
  await server.ok('POST', '/v1/random', { lengthBytes: 32, predictionResistance: true })
  assert.equal(await seedings(), before + 1)
  const much = { items: Array.from({ length: 49 }, () => ({ lengthBytes: 65_536 })) }
  assertProblem(await server.call('POST', '/v1/random/batch', much), 400, 'ARGUMENT_INVALID')
  for (const lengthBytes of [0, -1, 1.5, 65_537, '32']) {
    const refused = await server.call('POST', '/v1/random', { lengthBytes })
    assertProblem(refused, 400, 'REQUEST_INVALID')
  }
})

test('a ciphertext opens with its specification and the key alone', async () => {
  // What is derived twice, into a key and out, is the same bytes.
  const release = { type: 'generic-secret', uses: ['derive'], plaintextRelease: true }
  const parent = await there.makeKey(release, ['derive'])
  const info = base64('both')
  const name = unique('known')
  const shape = { type: 'AES-256', algorithms: ['AES-256-GCM'] }
  const made = await used(parent, 'derive', {
    info,
    into: { name, owner: 'Ada', purpose: 'tests', ...shape },
  })
  await there.grant(name, ['encrypt'])
  const { secret } = await used(parent, 'derive', { info, lengthBytes: 32 })
  const { ciphertext } = await used(name, 'encrypt', { plaintext: base64(data) })
  const bytes = bytesOf(ciphertext)
  const prefix = bytes.subarray(0, 23)
  const keyId = String((made.made as Body).id).slice(4)
  assert.equal(prefix.toString('hex'), `01${keyId}000000010003`)
  const nonce = bytes.subarray(24, 24 + (bytes[23] ?? 0))
  const sealed = bytes.subarray(24 + nonce.length)
  const opener = createDecipheriv('aes-256-gcm', bytesOf(secret), nonce)
  opener.setAAD(prefix).setAuthTag(sealed.subarray(-16))
  const opened = Buffer.concat([opener.update(sealed.subarray(0, -16)), opener.final()])
  assert.deepEqual(opened, data)
})
