/**
 * Renewing the keys of the domain through the door, with what a host keeps kept in memory: what opens
 * when, over restarts at each point.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { openDomainStatement } from '../contract/attestation.ts'
import { shredFormat, verifyCertificate } from '../contract/certificate.ts'
import { type Ask, newKeyId, p256 } from '../door.testing.ts'
import { KeptModule, type MadeKey, withKey } from '../kept.testing.ts'

const sign = (made: MadeKey): Ask => withKey('sign', made, { data: Buffer.from('data') })
const rewrap = (made: MadeKey): Ask => withKey('rewrapKey', made, {})
const kekOf = (wrapped: Uint8Array) => Buffer.from(wrapped).readUInt32BE(92)

async function rewrapped(kept: KeptModule, made: MadeKey): Promise<MadeKey> {
  const { wrapped } = (await kept.ok(rewrap(made))).parts
  assert(wrapped)
  return { ...made, wrapped }
}

suite('a new KEK', () => {
  test('wraps from then on; the one before opens until it is retired, over restarts too', async () => {
    const first = await KeptModule.founded()
    const old = await first.generate()
    assert.deepEqual((await first.ok({ command: 'rotateKek' })).result, { epoch: 1, kek: 2 })
    const fresh = await first.generate()
    assert.deepEqual(
      [old, fresh].map(({ wrapped }) => kekOf(wrapped)),
      [1, 2],
    )

    const second = await first.restarted()
    const { result } = await second.ok({ command: 'getStatus' })
    assert.partialDeepStrictEqual(result, { epoch: 1, kek: 2, rewrapping: true })
    for (const made of [old, fresh]) await second.ok(sign(made))
    const again = await rewrapped(second, old)
    assert.equal(kekOf(again.wrapped), 2)
    await second.ok({ command: 'retireKek' })
    await second.ok({ command: 'unloadKey', arguments: old.reference })
    assert.equal(await second.refusal(sign(old)), 'WRAPPED_KEY_OUTDATED')
    assert.equal(await second.refusal(rewrap(old)), 'WRAPPED_KEY_OUTDATED')

    const third = await second.restarted()
    assert.equal(await third.refusal(sign(old)), 'WRAPPED_KEY_OUTDATED')
    for (const made of [again, fresh]) await third.ok(sign(made))
    assert.equal((await third.ok({ command: 'getStatus' })).result.rewrapping, false)
  })

  test('a second one waits for the first to be done; to retire none changes nothing', async () => {
    const kept = await KeptModule.founded()
    await kept.ok({ command: 'retireKek' })
    assert.equal(kept.disk.changes.length, 0)
    await kept.ok({ command: 'rotateKek' })
    assert.equal(await kept.refusal({ command: 'rotateKek' }), 'REWRAP_UNFINISHED')
    await kept.ok({ command: 'retireKek' })
    assert.deepEqual((await kept.ok({ command: 'rotateKek' })).result, { epoch: 1, kek: 3 })
  })

  test('a destroyed key, an outdated revision and another key are not re-wrapped', async () => {
    const kept = await KeptModule.founded()
    const [gone, changed, other] = [
      await kept.generate(),
      await kept.generate(),
      await kept.generate(),
    ]
    await kept.ok({ command: 'destroyKey', arguments: gone.reference })
    const change = { ...changed.reference, change: { state: 'suspended' } }
    const { parts } = await kept.ok({ ...withKey('changeKey', changed, {}), arguments: change })
    assert(parts.wrapped)
    const newer = { ...changed, wrapped: parts.wrapped }
    await kept.ok(withKey('raiseFloor', newer, {}))
    await kept.ok({ command: 'rotateKek' })
    assert.equal(await kept.refusal(rewrap(gone)), 'KEY_DESTROYED')
    assert.equal(await kept.refusal(rewrap(changed)), 'WRAPPED_KEY_OUTDATED')
    assert.deepEqual((await kept.ok(rewrap(newer))).result, { revision: 2 })
    const swapped = { ...other, reference: newer.reference }
    assert.equal(await kept.refusal(rewrap(swapped)), 'WRAPPED_KEY_INVALID')
  })

  test('a key that was being made when the KEK changed has the new one', async () => {
    const { caller } = await KeptModule.founded()
    const template = { ...p256, type: 'RSA-2048', algorithms: ['RSASSA-PSS-SHA-256'] }
    const asked = { key: newKeyId(), version: 1, template }
    const making = caller.ok({ command: 'generateKey', arguments: asked })
    await caller.ok({ command: 'rotateKek' })
    const { wrapped } = (await making).parts
    assert.equal(kekOf(wrapped ?? new Uint8Array()), 2)
  })
})

const newSecret = Buffer.alloc(32, 8)

/** The next epoch up to the step into it, as a host would keep it. */
async function begun(kept: KeptModule): Promise<{ seal: Uint8Array; snapshot: Uint8Array[] }> {
  const { parts } = await kept.ok({
    command: 'beginEpoch',
    arguments: { seal: 'key-file' },
    parts: { secret: kept.caller.sealed('beginEpoch', 'key-file', newSecret) },
  })
  assert(parts.seal)
  const snapshot: Uint8Array[] = []
  for (let piece = 0, pieces = 1; piece < pieces; piece += 1) {
    const ask = { command: 'takeEpochSnapshot', arguments: { piece } }
    const answer = await kept.ok(ask)
    pieces = Number(answer.result.pieces)
    snapshot.push(answer.parts.snapshot ?? new Uint8Array())
  }
  return { seal: parts.seal, snapshot }
}

async function turned(kept: KeptModule): Promise<void> {
  const { seal, snapshot } = await begun(kept)
  await kept.ok({ command: 'commitEpoch' })
  kept.replaceState(seal, snapshot)
}

suite('a new epoch', () => {
  test('invariant 2: what was destroyed opens with the old folder and the old secret alone', async () => {
    const first = await KeptModule.founded()
    const [live, gone] = [await first.generate(), await first.generate()]
    const backup = first.disk
    await first.ok({ command: 'destroyKey', arguments: gone.reference })
    await turned(first)
    const again = await rewrapped(first, live)
    const { parts } = await first.ok({ command: 'retireKek' })
    assert(parts.certificate)

    // The new state opens with the new secret alone, and holds nothing that opens the older copies.
    await assert.rejects(first.restarted(), { code: 'SEAL_INVALID' })
    const second = await first.restarted(newSecret)
    await second.ok(sign(again))
    const { result } = await second.ok({ command: 'getStatus' })
    assert.partialDeepStrictEqual(result, { epoch: 2, kek: 2, floorEntries: 0, rewrapping: false })
    for (const old of [live, gone])
      assert.equal(await second.refusal(sign(old)), 'WRAPPED_KEY_OUTDATED')

    // What was backed up before is whole for whoever kept the secret of then: nobody else.
    await assert.rejects(KeptModule.unlocked(backup, newSecret), { code: 'SEAL_INVALID' })
    const mixed = { ...backup, seal: first.disk.seal }
    await assert.rejects(KeptModule.unlocked(mixed, newSecret), { code: 'STATE_INVALID' })
    const old = await KeptModule.unlocked(backup)
    await old.ok(sign(gone))
  })

  test('the floor refuses through the change, and drops with the epoch what is of it alone', async () => {
    const kept = await KeptModule.founded()
    const [before, between, live] = [
      await kept.generate(),
      await kept.generate(),
      await kept.generate(),
    ]
    await kept.ok({ command: 'destroyKey', arguments: before.reference })
    await turned(kept)
    const copy = await rewrapped(kept, between)
    await kept.ok({ command: 'destroyKey', arguments: between.reference })
    const restarted = await kept.restarted(newSecret)
    for (const made of [before, between, copy]) {
      assert.equal(await restarted.refusal(rewrap(made)), 'KEY_DESTROYED')
    }
    const again = await rewrapped(restarted, live)
    await restarted.ok({ command: 'retireKek' })
    for (const module of [restarted, await restarted.restarted(newSecret)]) {
      const { result } = await module.ok({ command: 'getStatus' })
      assert.equal(result.floorEntries, 1)
      assert.equal(await module.refusal(sign(copy)), 'KEY_DESTROYED')
      assert.equal(await module.refusal(sign(before)), 'WRAPPED_KEY_OUTDATED')
      await module.ok(sign(again))
    }
  })

  test('while it is being turned nothing else runs; it can be let go at each step', async () => {
    const kept = await KeptModule.founded()
    const key = await kept.generate()
    assert.equal(await kept.refusal({ command: 'commitEpoch' }), 'MODULE_STATE_INVALID')
    await begun(kept)
    for (const ask of [sign(key), { command: 'rotateKek' }, { command: 'destroyKey' }]) {
      assert.equal(await kept.refusal(ask), 'MODULE_BUSY')
    }
    assert.equal((await kept.ok({ command: 'getStatus' })).result.epoch, 1)
    await kept.ok({ command: 'abortEpoch' })
    await kept.ok(sign(key))
    const restarted = await kept.restarted()
    assert.equal((await restarted.ok({ command: 'getStatus' })).result.epoch, 1)
    await turned(restarted)
    assert.equal(await restarted.refusal({ command: 'rotateKek' }), 'REWRAP_UNFINISHED')
    assert.equal((await restarted.ok({ command: 'getStatus' })).result.epoch, 2)
  })

  test('the old state goes on when the step into the new one never happened', async () => {
    const kept = await KeptModule.founded()
    const key = await kept.generate()
    await begun(kept)
    await kept.ok({ command: 'commitEpoch' })
    // The host went away before it had put the new state in place of the old one.
    const restarted = await kept.restarted()
    await restarted.ok(sign(key))
    assert.equal((await restarted.ok({ command: 'getStatus' })).result.epoch, 1)
  })

  test('the certificate names what is not proved destroyed, and is checked offline', async () => {
    const kept = await KeptModule.founded()
    const extra = kept.caller.sealed('addSeal', 'key-file', Buffer.alloc(32, 9))
    await kept.ok({
      command: 'addSeal',
      arguments: { seal: 'key-file' },
      parts: { secret: extra },
    })
    await kept.ok({ command: 'destroyKey', arguments: { key: newKeyId(), version: 1 } })
    await turned(kept)
    const { certificate: file } = (await kept.ok({ command: 'retireKek' })).parts
    const { statement } = (await kept.ok({ command: 'getDomainStatement' })).parts
    assert(file && statement)
    const domain = openDomainStatement(statement)
    const certificate = verifyCertificate(file, domain)
    assert.partialDeepStrictEqual(certificate, {
      ...{ format: shredFormat, epochBefore: 1, epoch: 2, floorEntriesDropped: 1, expelled: [] },
      notProvedDestroyed: { shares: null, seals: { 'key-file': 2 } },
    })
    const later = await (await kept.restarted(newSecret)).ok({ command: 'retireKek' })
    assert.deepEqual(verifyCertificate(later.parts.certificate ?? file, domain), certificate)
    for (const at of [10, file.length >> 1, file.length - 30]) {
      const changed = Buffer.from(file)
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
      assert.throws(() => verifyCertificate(changed, domain), { code: 'ATTESTATION_INVALID' })
    }
    const other = await KeptModule.founded()
    const foreign = (await other.ok({ command: 'getDomainStatement' })).parts.statement
    assert(foreign)
    assert.throws(() => verifyCertificate(file, openDomainStatement(foreign)), {
      code: 'ATTESTATION_INVALID',
    })
  })
})
