/**
 * The commands over the life of a key, each through the door of a module in this process, and that what
 * they refuse changes nothing. Signatures and public keys are checked with node:crypto alone.
 */

import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, verify } from 'node:crypto'
import { suite, test } from 'node:test'
import { generate, importKey, type MadeKey, refuses, spki } from './commands.testing.ts'
import { commands } from './commands.ts'
import { importDestination } from './contract/import.ts'
import type { KeyAttributes, KeyTemplate } from './contract/keys.ts'
import { floorEntriesMax } from './contract/limits.ts'
import { destinationContext, sealForCommand, sealSecretFor } from './contract/sealed-part.ts'
import { sealToTransportKey } from './contract/transport.ts'
import {
  type Ask,
  Caller,
  decodeAnswer,
  encodeAsks,
  newKeyId,
  p256,
  template,
} from './door.testing.ts'

const caller = await Caller.founded()
const data = Buffer.from('what is done')

const signing = ({ reference }: MadeKey): Ask => ({
  command: 'sign',
  arguments: reference,
  parts: { data },
})

suite('the table', () => {
  test('every row has its own name', () => {
    for (const [name, row] of Object.entries(commands)) {
      assert.equal(row.name, name)
      assert(row.states.length > 0)
    }
  })

  test('every command refuses an unknown member and an unknown part', async () => {
    for (const command of Object.keys(commands)) {
      if (!commands[command as keyof typeof commands].states.some((s) => s === 'operational'))
        continue
      const unknown = await caller.refusal({ command, arguments: { unknown: 1 } })
      assert(unknown, `${command} takes anything`)
      assert.equal(
        await caller.refusal({ command, parts: { constructor: Buffer.alloc(1) } }),
        'ARGUMENT_INVALID',
      )
    }
    assert.equal(caller.module.state, 'operational')
  })
})

suite('keys', () => {
  test('a new key answers its attributes, check value, public half and wrapped key', async () => {
    const key = await generate(caller, p256)
    const { attributes, checkValue } = key.answer.result as {
      attributes: KeyAttributes
      checkValue: { fingerprint: string }
    }
    assert.partialDeepStrictEqual(attributes, {
      ...key.reference,
      revision: 1,
      state: 'active',
      class: 'private',
      provenance: 'generated',
      uses: ['sign', 'verify'],
    })
    const fingerprint = createHash('sha256')
      .update(key.answer.parts.publicKey ?? '')
      .digest('hex')
    assert.equal(checkValue.fingerprint, fingerprint)
    const { parts } = await caller.ok(signing(key))
    assert(verify('sha256', data, spki(key), parts.signature ?? data))
  })

  test('an id and version are given once', async () => {
    const { reference } = await generate(caller, p256)
    const again = { command: 'generateKey', arguments: { ...reference, template: p256 } }
    await refuses(caller, 'KEY_EXISTS', again)
    await caller.ok({ ...again, arguments: { ...again.arguments, version: 2 } })
  })

  test('two creations of one id at a time make one key', async () => {
    const ask = {
      command: 'generateKey',
      arguments: { key: newKeyId(), version: 1, template: p256 },
    }
    const { items } = await caller.ask(ask, ask)
    assert.deepEqual(items.map(({ error }) => error?.code).sort(), ['KEY_EXISTS', undefined])
  })

  test('a key that is not loaded comes with its wrapped key, and is loaded then', async () => {
    const key = await generate(caller, p256)
    await caller.ok({ command: 'unloadKey', arguments: key.reference })
    await refuses(caller, 'KEY_NOT_LOADED', signing(key))
    const ask = signing(key)
    await caller.ok({ ...ask, parts: { ...ask.parts, wrapped: key.wrapped } })
    await caller.ok(ask)
  })

  test('the wrapped key of another id, version or module is refused', async () => {
    const [one, two] = [await generate(caller, p256), await generate(caller, p256)]
    const foreign = await generate(await Caller.founded(), p256)
    await caller.ok({ command: 'unloadKey', arguments: one.reference })
    for (const wrapped of [two.wrapped, foreign.wrapped, Buffer.alloc(200)]) {
      await refuses(caller, 'WRAPPED_KEY_INVALID', {
        command: 'loadKey',
        arguments: one.reference,
        parts: { wrapped },
      })
    }
    const other = { ...one.reference, version: 2 }
    await refuses(caller, 'WRAPPED_KEY_INVALID', {
      command: 'loadKey',
      arguments: other,
      parts: { wrapped: one.wrapped },
    })
  })

  test('an imported key does what the original does, and says where it came from', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const bytes = privateKey.export({ format: 'der', type: 'pkcs8' })
    const key = await importKey(caller, p256, 'private', bytes)
    assert.equal((key.answer.result.attributes as KeyAttributes).provenance, 'imported')
    const { parts } = await caller.ok(signing(key))
    assert(verify('sha256', data, publicKey, parts.signature ?? data))
  })

  test('what is not sealed to this module for this purpose is not imported', async () => {
    const args = { key: newKeyId(), version: 1, template: p256, class: 'private' } as const
    const other = new Caller()
    const bytes = Buffer.alloc(138)
    const { publicKey } = caller.module.transport
    const challenge = caller.module.challenges.issue('importKey', Date.now()).challenge
    const importContext = destinationContext(importDestination(args), challenge)
    const sealed = [
      caller.sealed('addSeal', 'key-file', bytes),
      sealToTransportKey(publicKey, 'import key', bytes),
      sealToTransportKey(publicKey, 'import key', bytes, importContext),
      sealForCommand(
        publicKey,
        challenge,
        { ...importDestination(args), command: 'addSeal' },
        bytes,
      ),
      sealForCommand(publicKey, challenge, sealSecretFor('addSeal', 'key-file'), bytes),
      other.sealedKey(args, bytes),
      Buffer.alloc(1_200),
    ]
    for (const part of sealed) {
      await refuses(caller, 'CIPHERTEXT_INVALID', {
        command: 'importKey',
        arguments: args,
        parts: { sealed: part },
      })
    }
    await refuses(caller, 'ARGUMENT_INVALID', {
      command: 'importKey',
      arguments: args,
      parts: { sealed: caller.sealedKey(args, bytes) },
    })
  })

  test('who carries an import changes nothing of what the key is to be', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const bytes = privateKey.export({ format: 'der', type: 'pkcs8' })
    const algorithms = ['ECDSA-SHA-256', 'ECDSA-SHA-384'] as const
    const of = template('P-256', algorithms, ['sign'], { usesMax: 7, approvals: 0 })
    const args = { key: newKeyId(), version: 1, template: of, class: 'private' } as const
    const parts = { sealed: caller.sealedKey(args, bytes) }
    const others: Partial<KeyTemplate>[] = [
      { exportable: true, usesMax: 0 },
      { uses: ['sign', 'verify'] },
      { algorithms: ['ECDSA-SHA-256'] },
      { algorithms: [...algorithms].reverse() },
      { usesMax: 8 },
      { usesMax: 0 },
      { approvals: 1 },
      { canary: true },
      { notBefore: 1 },
      { notAfter: 1 },
    ]
    const changed: object[] = others.map((more) => ({ ...args, template: { ...of, ...more } }))
    changed.push({ ...args, key: newKeyId() }, { ...args, version: 2 })
    for (const each of changed) {
      await refuses(caller, 'CIPHERTEXT_INVALID', { command: 'importKey', arguments: each, parts })
    }
    await caller.ok({ command: 'importKey', arguments: args, parts })
    await refuses(caller, 'KEY_EXISTS', { command: 'importKey', arguments: args, parts })
  })
})

suite('changes and destruction', () => {
  const change = (key: MadeKey, to: object, wrapped = key.wrapped): Ask => ({
    command: 'changeKey',
    arguments: { ...key.reference, change: to },
    parts: { wrapped },
  })

  test('a change is in force at once, also against the older wrapped key', async () => {
    const key = await generate(caller, p256)
    const { result, parts } = await caller.ok(change(key, { state: 'suspended' }))
    assert.partialDeepStrictEqual(result, { attributes: { revision: 2, state: 'suspended' } })
    await refuses(caller, 'KEY_STATE_INVALID', signing(key))
    const ask = signing(key)
    const old = { ...ask, parts: { ...ask.parts, wrapped: key.wrapped } }
    await refuses(caller, 'WRAPPED_KEY_OUTDATED', old)
    await caller.ok(change(key, { state: 'active' }, Buffer.from(parts.wrapped ?? [])))
    await caller.ok(ask)
  })

  test('invariant 7: the floor refuses an older revision, also of a key that is not loaded', async () => {
    const key = await generate(caller, p256)
    const { parts } = await caller.ok(change(key, { uses: ['verify'] }))
    const wrapped = Buffer.from(parts.wrapped ?? [])
    const raise = { command: 'raiseFloor', arguments: key.reference, parts: { wrapped } }
    const [first, second] = [await caller.ask(raise), await caller.ask(raise)]
    assert.deepEqual([first.changes.length, second.changes.length], [1, 0])
    assert.deepEqual(first.items[0]?.result, { revision: 2 })
    await caller.ok({ command: 'unloadKey', arguments: key.reference })
    const load = { command: 'loadKey', arguments: key.reference }
    await refuses(caller, 'WRAPPED_KEY_OUTDATED', { ...load, parts: { wrapped: key.wrapped } })
    await refuses(caller, 'WRAPPED_KEY_OUTDATED', { ...raise, parts: { wrapped: key.wrapped } })
    await caller.ok({ ...load, parts: { wrapped } })
  })

  test('without raiseFloor an older wrapped key still loads after the newer one is gone', async () => {
    const key = await generate(caller, p256)
    await caller.ok(change(key, { notAfter: 1 }))
    await caller.ok({ command: 'unloadKey', arguments: key.reference })
    const ask = signing(key)
    await caller.ok({ ...ask, parts: { ...ask.parts, wrapped: key.wrapped } })
  })

  test('a destroyed key is gone for every copy, and destroying it again changes nothing', async () => {
    const key = await generate(caller, p256)
    const destroy = { command: 'destroyKey', arguments: key.reference }
    const [first, second] = [await caller.ask(destroy), await caller.ask(destroy)]
    assert.deepEqual([first.changes.length, second.changes.length], [1, 0])
    const ask = signing(key)
    await refuses(caller, 'KEY_DESTROYED', ask)
    await refuses(caller, 'KEY_DESTROYED', {
      ...ask,
      parts: { ...ask.parts, wrapped: key.wrapped },
    })
    await refuses(caller, 'KEY_DESTROYED', change(key, { state: 'active' }))
    await refuses(caller, 'KEY_DESTROYED', {
      command: 'raiseFloor',
      arguments: key.reference,
      parts: { wrapped: key.wrapped },
    })
    await refuses(caller, 'KEY_DESTROYED', {
      command: 'generateKey',
      arguments: { ...key.reference, template: p256 },
    })
    assert(caller.module.open.floor.size < floorEntriesMax)
  })

  test('invariant 2: what was begun with a key ends before its destruction is answered', async () => {
    const caller = await Caller.founded()
    const of = template('RSA-2048', ['RSASSA-PSS-SHA-256'], ['sign'])
    const { reference } = await generate(caller, of)
    const sign = { command: 'sign', arguments: reference, parts: { data: Buffer.alloc(8) } }
    const frames = [
      encodeAsks(1_001, Array(100).fill(sign)),
      encodeAsks(1_002, [{ command: 'destroyKey', arguments: reference }]),
      encodeAsks(1_003, [sign]),
    ]
    const destroyed = caller.sendFrame(1_002, Buffer.concat(frames))
    const { items } = decodeAnswer(await destroyed)
    assert.equal(items[0]?.error, undefined)
    const ids = caller.frames.map(({ header }) => header.id).slice(-3)
    assert.deepEqual(ids, [1_003, 1_001, 1_002])
    const signed = decodeAnswer(caller.frames.at(-2) ?? assert.fail())
    assert(signed.items.every(({ error }) => error === undefined))
    const late = decodeAnswer(caller.frames.at(-3) ?? assert.fail())
    assert.equal(late.items[0]?.error?.code, 'KEY_DESTROYED')
  })

  test('a key that is destroyed while it is made does not come to be', async () => {
    const reference = { key: newKeyId(), version: 1 }
    const making = caller.one({
      command: 'generateKey',
      arguments: { ...reference, template: p256 },
    })
    await caller.ok({ command: 'destroyKey', arguments: reference })
    assert.equal((await making).error?.code, 'KEY_DESTROYED')
  })
})
