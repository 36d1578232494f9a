/**
 * The commands that use keys, each through the door of a module in this process, and that what they
 * refuse changes nothing. What they make is checked with node:crypto alone.
 */

import assert from 'node:assert/strict'
import {
  createHash,
  createHmac,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  verify,
} from 'node:crypto'
import { suite, test } from 'node:test'
import { generate, importKey, type MadeKey, refuses, spki } from '../commands.testing.ts'
import type { KeyTemplate } from '../contract/keys.ts'
import { type Ask, Caller, newKeyId, p256, template } from '../door.testing.ts'

const caller = await Caller.founded()
const data = Buffer.from('what is done')

suite('use', () => {
  test('what encrypt makes, decrypt opens, with the same associated data only', async () => {
    const { reference } = await generate(
      caller,
      template('AES-256', ['XAES-256-GCM', 'AES-256-GCM'], ['encrypt', 'decrypt']),
    )
    for (const algorithm of ['XAES-256-GCM', 'AES-256-GCM']) {
      const args = { ...reference, algorithm }
      const aad = Buffer.from('bound')
      const { parts } = await caller.ok({
        command: 'encrypt',
        arguments: args,
        parts: { plaintext: data, aad },
      })
      const { iv = data, ciphertext = data } = parts
      const open = { command: 'decrypt', arguments: args }
      const opened = await caller.ok({ ...open, parts: { iv, ciphertext, aad } })
      assert.deepEqual(opened.parts.plaintext, data)
      await refuses(caller, 'CIPHERTEXT_INVALID', { ...open, parts: { iv, ciphertext } })
    }
  })

  test('a caller gives the IV only where the key says so', async () => {
    const plain = await generate(
      caller,
      template('AES-256', ['AES-256-GCM'], ['encrypt', 'decrypt']),
    )
    const iv = Buffer.alloc(12, 1)
    const ask = (key: MadeKey): Ask => ({
      command: 'encrypt',
      arguments: key.reference,
      parts: { plaintext: data, iv },
    })
    await refuses(caller, 'KEY_USE_NOT_PERMITTED', ask(plain))
    const external = template('AES-256', ['AES-256-GCM'], ['encrypt'], { externalIv: true })
    assert.deepEqual((await caller.ok(ask(await generate(caller, external)))).parts.iv, iv)
  })

  test('a MAC is that of node:crypto, truncated on request, and verifies', async () => {
    const bytes = randomBytes(40)
    const of = template('generic-secret', ['HMAC-SHA-256'], ['mac', 'verifyMac'])
    const { reference } = await importKey(caller, of, 'secret', bytes)
    const ask = { command: 'mac', arguments: { ...reference, lengthBytes: 16 }, parts: { data } }
    const { parts } = await caller.ok(ask)
    const expected = createHmac('sha256', bytes).update(data).digest().subarray(0, 16)
    assert.deepEqual(parts.mac, expected)
    const check = async (mac: Uint8Array) =>
      (await caller.ok({ command: 'verifyMac', arguments: reference, parts: { data, mac } })).result
    assert.deepEqual(await check(expected), { valid: true })
    assert.deepEqual(await check(expected.subarray(0, 3)), { valid: false })
    assert.deepEqual(await check(Buffer.alloc(16)), { valid: false })
    for (const lengthBytes of [3, 33, 65, 1.5, '16']) {
      await refuses(caller, 'ARGUMENT_INVALID', {
        ...ask,
        arguments: { ...reference, lengthBytes },
      })
    }
  })

  test('a ready digest signs as the message does, in both forms', async () => {
    const key = await generate(caller, p256)
    const digest = createHash('sha256').update(data).digest()
    const args = { ...key.reference, input: 'digest', format: 'p1363' }
    const { parts } = await caller.ok({ command: 'sign', arguments: args, parts: { data: digest } })
    const { signature = data } = parts
    const node = { key: spki(key), dsaEncoding: 'ieee-p1363' } as const
    assert(verify('sha256', data, node, signature))
    const checked = await caller.ok({
      command: 'verify',
      arguments: { ...key.reference, format: 'p1363' },
      parts: { data, signature },
    })
    assert.deepEqual(checked.result, { valid: true })
  })

  test('malformed arguments of a use are refused', async () => {
    const { reference } = await generate(caller, p256)
    const { key, version } = reference
    const cases: readonly (readonly [string, object])[] = [
      ['ARGUMENT_INVALID', {}],
      ['ARGUMENT_INVALID', { key }],
      ['ARGUMENT_INVALID', { key: `${key}0`, version }],
      ['ARGUMENT_INVALID', { key: key.toUpperCase(), version }],
      ['ARGUMENT_INVALID', { key, version: 0 }],
      ['ARGUMENT_INVALID', { key, version: 2 ** 32 }],
      ['ARGUMENT_INVALID', { key, version: '1' }],
      ['ARGUMENT_INVALID', { key, version, more: 1 }],
      ['ARGUMENT_INVALID', { key, version, format: 'raw' }],
      ['ARGUMENT_INVALID', { key, version, input: 'hash' }],
      ['ALGORITHM_NOT_SUPPORTED', { key, version, algorithm: 'ROT13' }],
      ['ALGORITHM_NOT_SUPPORTED', { key, version, algorithm: 5 }],
      ['KEY_USE_NOT_PERMITTED', { key, version, algorithm: 'ECDSA-SHA-512' }],
    ]
    for (const [code, args] of cases) {
      await refuses(caller, code, { command: 'sign', arguments: args, parts: { data } })
    }
    const long = { data, context: Buffer.alloc(9_000) }
    await refuses(caller, 'ARGUMENT_INVALID', {
      command: 'sign',
      arguments: reference,
      parts: long,
    })
    const encrypting = { command: 'encrypt', arguments: reference, parts: { plaintext: data } }
    await refuses(caller, 'KEY_USE_NOT_PERMITTED', encrypting)
  })
})

suite('keys under keys', () => {
  const kwp = template('AES-256', ['AES-256-KWP'], ['wrap', 'unwrap'])
  const exportable = { ...p256, exportable: true }
  const wrapAsk = (under: MadeKey, target: MadeKey): Ask => ({
    command: 'wrapKey',
    arguments: { ...under.reference, target: target.reference },
  })

  test('an exportable key comes back under another id, marked as unwrapped', async () => {
    const [under, target] = [await generate(caller, kwp), await generate(caller, exportable)]
    const { parts } = await caller.ok(wrapAsk(under, target))
    const into = { key: newKeyId(), version: 1, template: p256, class: 'private' }
    const { ciphertext = data } = parts
    const ask = {
      command: 'unwrapKey',
      arguments: { ...under.reference, into },
      parts: { ciphertext },
    }
    const answer = await caller.ok(ask)
    assert.partialDeepStrictEqual(answer.result, { attributes: { provenance: 'unwrapped' } })
    assert.deepEqual(answer.parts.publicKey, target.answer.parts.publicKey)
    await refuses(caller, 'KEY_EXISTS', ask)
    const again = { ...into, key: newKeyId(), template: exportable }
    const leaving = { ...ask, arguments: { ...under.reference, into: again } }
    await refuses(caller, 'KEY_USE_NOT_PERMITTED', leaving)
    const altered = Buffer.from(ciphertext)
    altered.writeUInt8(altered.readUInt8(9) ^ 1, 9)
    const fresh = { ...under.reference, into: { ...into, key: newKeyId() } }
    await refuses(caller, 'CIPHERTEXT_INVALID', {
      ...ask,
      arguments: fresh,
      parts: { ciphertext: altered },
    })
  })

  test('a key goes to a public key and comes back by its private half (HPKE)', async () => {
    const of = template('P-521', ['HPKE-P-521-HKDF-SHA-512-AES-256-GCM'], ['unwrap'])
    const pair = await generate(caller, of)
    const publicKey = pair.answer.parts.publicKey ?? data
    const under = await importKey(caller, { ...of, uses: ['wrap'] }, 'public', publicKey)
    const target = await generate(caller, exportable)
    const { ciphertext = data } = (await caller.ok(wrapAsk(under, target))).parts
    const into = { key: newKeyId(), version: 1, template: p256, class: 'private' }
    const args = { ...pair.reference, into }
    const ask = { command: 'unwrapKey', arguments: args, parts: { ciphertext } }
    const answer = await caller.ok(ask)
    assert.deepEqual(answer.parts.publicKey, target.answer.parts.publicKey)
  })

  test('a key that is not exportable, or stronger than the wrapping key, stays', async () => {
    const under = await generate(caller, kwp)
    await refuses(caller, 'KEY_NOT_EXPORTABLE', wrapAsk(under, await generate(caller, p256)))
    const weak = await generate(caller, template('AES-128', ['AES-128-KWP'], ['wrap']))
    const strong = await generate(caller, { ...exportable, type: 'P-384' })
    await refuses(caller, 'KEY_TOO_WEAK', wrapAsk(weak, strong))
    await refuses(caller, 'KEY_USE_NOT_PERMITTED', wrapAsk(strong, under))
    const args = { ...under.reference, target: { key: newKeyId(), version: 1 } }
    await refuses(caller, 'KEY_NOT_LOADED', { command: 'wrapKey', arguments: args })
  })
})

suite('secrets', () => {
  const hkdf = template('generic-secret', ['HKDF-SHA-256'], ['derive'])
  const releasing = { ...hkdf, plaintextRelease: true }

  test('what is derived leaves only where the key says so, and is HKDF of node:crypto', async () => {
    const bytes = randomBytes(32)
    const key = await importKey(caller, releasing, 'secret', bytes)
    const parts = { salt: Buffer.from('salt'), info: Buffer.from('info') }
    const ask = { command: 'deriveKey', arguments: { ...key.reference, lengthBytes: 42 }, parts }
    const { secret = data } = (await caller.ok(ask)).parts
    const expected = Buffer.from(hkdfSync('sha256', bytes, 'salt', 'info', 42))
    assert.deepEqual(secret, expected)
    const kept = await generate(caller, hkdf)
    await refuses(caller, 'KEY_USE_NOT_PERMITTED', {
      ...ask,
      arguments: { ...kept.reference, lengthBytes: 42 },
    })
    await refuses(caller, 'ARGUMENT_INVALID', { ...ask, arguments: key.reference })
  })

  test('what is derived into a key is used as one, and never says its bytes', async () => {
    const { reference } = await generate(caller, hkdf)
    const into = {
      key: newKeyId(),
      version: 1,
      template: template('AES-256', ['AES-256-GCM'], ['encrypt', 'decrypt']),
    }
    for (const each of [{ ...into.template, exportable: true }, hkdf]) {
      const twin = { ...reference, into: { ...into, template: each } }
      await refuses(caller, 'KEY_USE_NOT_PERMITTED', { command: 'deriveKey', arguments: twin })
    }
    const ask = { command: 'deriveKey', arguments: { ...reference, into } }
    const { result, parts } = await caller.ok(ask)
    assert.partialDeepStrictEqual(result, { made: { attributes: { provenance: 'derived' } } })
    assert.deepEqual(Object.keys(parts), ['wrapped'])
    const { key, version } = into
    await caller.ok({ command: 'encrypt', arguments: { key, version }, parts: { plaintext: data } })
    await refuses(caller, 'KEY_EXISTS', ask)
    const more = { ...reference, into: { ...into, key: newKeyId(), template: releasing } }
    await refuses(caller, 'KEY_USE_NOT_PERMITTED', { ...ask, arguments: more })
    const both = { ...reference, into: { ...into, key: newKeyId() }, lengthBytes: 32 }
    await refuses(caller, 'ARGUMENT_INVALID', { ...ask, arguments: both })
  })

  test('both sides of an agreement have the same secret', async () => {
    const of = template('X25519', ['X25519'], ['agree'], { plaintextRelease: true })
    const key = await generate(caller, of)
    const mine = generateKeyPairSync('x25519')
    const peer = mine.publicKey.export({ format: 'der', type: 'spki' })
    const ask = { command: 'agree', arguments: key.reference, parts: { peer } }
    const { parts } = await caller.ok(ask)
    assert.deepEqual(
      parts.secret,
      diffieHellman({ privateKey: mine.privateKey, publicKey: spki(key) }),
    )
    await refuses(caller, 'ARGUMENT_INVALID', {
      ...ask,
      arguments: { ...key.reference, lengthBytes: 16 },
    })
    await refuses(caller, 'ARGUMENT_INVALID', { ...ask, parts: { peer: Buffer.alloc(44) } })
  })

  test('what is encapsulated to a key, the key decapsulates into the same key', async () => {
    const of = template('ML-KEM-768', ['ML-KEM-768'], ['encapsulate', 'decapsulate'])
    const { reference } = await generate(caller, of)
    const mac = template('generic-secret', ['HMAC-SHA-256'], ['mac'])
    const into = (of: KeyTemplate) => ({ key: newKeyId(), version: 1, template: of })
    const [one, two] = [into(hkdf), into(hkdf)]
    const sent = await caller.ok({ command: 'encapsulate', arguments: { ...reference, into: one } })
    const parts = { ciphertext: sent.parts.ciphertext ?? data }
    const received = { command: 'decapsulate', arguments: { ...reference, into: two }, parts }
    await caller.ok(received)
    const macs = [one, two].map(async ({ key, version }) => {
      const derived = into(mac)
      await caller.ok({ command: 'deriveKey', arguments: { key, version, into: derived } })
      const reference = { key: derived.key, version }
      return (await caller.ok({ command: 'mac', arguments: reference, parts: { data } })).parts.mac
    })
    assert.deepEqual(await macs[0], await macs[1])
    await refuses(caller, 'KEY_USE_NOT_PERMITTED', { command: 'encapsulate', arguments: reference })
    // A shared secret is no key before a derivation.
    const used = { ...reference, into: into(mac) }
    await refuses(caller, 'KEY_USE_NOT_PERMITTED', { command: 'encapsulate', arguments: used })
  })

  test('random answers as many bytes as were asked for, within its limit', async () => {
    const ask = (lengthBytes: unknown) => ({ command: 'random', arguments: { lengthBytes } })
    assert.equal((await caller.ok(ask(65_536))).parts.bytes?.length, 65_536)
    for (const length of [0, -1, 65_537, 1.5, '1', null]) {
      await refuses(caller, 'ARGUMENT_INVALID', ask(length))
    }
  })
})
