/** The commands that attest: what they take, what the statements say, and in which states of a key. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { sourceManifestOf } from '../attestation.ts'
import { generate, importKey, type MadeKey, refuses } from '../commands.testing.ts'
import {
  type KeyStatement,
  type ModuleStatement,
  openDomainStatement,
  verifyAttestation,
} from '../contract/attestation.ts'
import { Caller, newKeyId, p256, template } from '../door.testing.ts'

const nonce = '0123456789abcdef'.repeat(2)

async function attestation<T>(caller: Caller, command: string, args: object): Promise<T> {
  const domain = await caller.ok({ command: 'getDomainStatement' })
  const { parts } = await caller.ok({ command, arguments: { nonce, ...args } })
  assert(domain.parts.statement && parts.attestation)
  const pinned = openDomainStatement(domain.parts.statement)
  return verifyAttestation(parts.attestation, pinned, nonce) as T
}

function ofKey(caller: Caller, { reference }: MadeKey): Promise<KeyStatement> {
  return attestation(caller, 'attestKey', reference)
}

suite('attest', () => {
  test('says what status says, and the record as it was before', async () => {
    const caller = await Caller.founded()
    const statement = await attestation<ModuleStatement>(caller, 'attest', {})
    const { result } = await caller.ok({ command: 'getStatus' })
    assert.equal(statement.domain, result.domainId)
    assert.equal(statement.module, result.moduleId)
    assert.equal(statement.identity.ed25519, result.identityKey)
    assert.equal(statement.development, result.development)
    assert.equal(statement.epoch, result.epoch)
    assert.equal(statement.wall, result.wall)
    assert.equal(statement.software.node, process.versions.node)
    assert.equal(statement.software.openssl, process.versions.openssl)
    assert.equal(statement.software.sourceManifest, 'unverified')
    assert.equal(statement.freshness, result.freshness)
    assert.equal(statement.level, 1)
    assert.equal(statement.entropy.mechanism, 'HMAC_DRBG-SHA-512')
    assert(statement.entropy.sources.some(({ state }) => state === 'healthy'))
    assert(statement.record.size < Number(result.recordSize))
    assert(Math.abs(statement.time - Date.now()) < 60_000)
  })

  test('a module that was stopped says so, and why', async () => {
    const caller = await Caller.founded()
    const report = { signal: 'debugger-attached', detail: 'a tracer' }
    await caller.ok({ command: 'reportTamper', arguments: report })
    const { state, tamper } = await attestation<ModuleStatement>(caller, 'attest', {})
    assert.equal(state, 'tampered')
    assert.equal(tamper?.signal, 'debugger-attached')
  })

  test('the nonce has 16 to 64 bytes in lower-case hex', async () => {
    const caller = await Caller.founded()
    const bad = [undefined, 5, '', 'ab', 'ab'.repeat(15), 'ab'.repeat(65), 'AB'.repeat(16)]
    for (const wrong of [...bad, `${'ab'.repeat(16)}a`, 'zz'.repeat(16), `${'ab'.repeat(16)}\n`]) {
      const ask = { command: 'attest', arguments: { nonce: wrong } }
      await refuses(caller, 'ARGUMENT_INVALID', ask)
    }
    for (const length of [16, 64]) {
      await caller.ok({ command: 'attest', arguments: { nonce: 'ab'.repeat(length) } })
    }
    await refuses(caller, 'ARGUMENT_INVALID', { command: 'attest', arguments: { nonce, more: 1 } })
  })

  test('self-tests that were run on demand are counted', async () => {
    const caller = await Caller.founded()
    const before = await attestation<ModuleStatement>(caller, 'attest', {})
    const { tests } = (await caller.ok({ command: 'selfTest' })).result as { tests: number }
    const after = await attestation<ModuleStatement>(caller, 'attest', {})
    assert.equal(after.selfTests.passed - before.selfTests.passed, tests)
  })
})

suite('attestKey', () => {
  test('has all attributes of the key and its check value', async () => {
    const caller = await Caller.founded()
    for (const shape of [p256, template('AES-256', ['AES-256-GCM'], ['encrypt', 'decrypt'])]) {
      const made = await generate(caller, shape)
      const { attributes, checkValue } = made.answer.result
      const statement = await ofKey(caller, made)
      assert.deepEqual(statement.attributes, attributes)
      assert.deepEqual(statement.checkValue, checkValue)
      assert.equal(statement.attributes.provenance, 'generated')
      assert.equal(statement.approved, true)
    }
  })

  test('says what was imported, what is not approved, and how strong it is', async () => {
    const caller = await Caller.founded()
    const hmac = template('generic-secret', ['HMAC-SHA-256'], ['mac', 'verifyMac'])
    const imported = await ofKey(
      caller,
      await importKey(caller, hmac, 'secret', Buffer.alloc(15, 1)),
    )
    assert.equal(imported.attributes.provenance, 'imported')
    assert.equal(imported.strengthBits, 120)
    const chacha = template('ChaCha20', ['ChaCha20-Poly1305'], ['encrypt', 'decrypt'])
    assert.equal((await ofKey(caller, await generate(caller, chacha))).approved, false)
    const external = template('AES-256', ['AES-256-GCM'], ['encrypt'], { externalIv: true })
    assert.equal((await ofKey(caller, await generate(caller, external))).approved, false)
  })

  test('a key in any state is attested, and a destroyed one is not', async () => {
    const caller = await Caller.founded()
    const made = await generate(caller, p256)
    let { wrapped } = made
    for (const state of ['suspended', 'deactivated', 'compromised'] as const) {
      const args = { ...made.reference, change: { state } }
      const { parts } = await caller.ok({
        command: 'changeKey',
        arguments: args,
        parts: { wrapped },
      })
      assert(parts.wrapped)
      wrapped = parts.wrapped
      const { attributes } = await ofKey(caller, made)
      assert.equal(attributes.state, state)
    }
    await caller.ok({ command: 'destroyKey', arguments: made.reference })
    const ask = { command: 'attestKey', arguments: { ...made.reference, nonce } }
    await refuses(caller, 'KEY_DESTROYED', ask)
  })

  test('a key that is not there, or not loaded, is refused', async () => {
    const caller = await Caller.founded()
    const unknown = { key: newKeyId(), version: 1, nonce }
    await refuses(caller, 'KEY_NOT_LOADED', { command: 'attestKey', arguments: unknown })
    const made = await generate(caller, p256)
    const parts = { wrapped: made.wrapped }
    const ask = { command: 'attestKey', arguments: unknown, parts }
    await refuses(caller, 'WRAPPED_KEY_INVALID', ask)
    await caller.ok({ command: 'unloadKey', arguments: made.reference })
    await caller.ok({ command: 'attestKey', arguments: { ...made.reference, nonce }, parts })
  })
})

test('the digest of the source manifest is one argument, well-formed, or unverified', () => {
  const digest = 'ab'.repeat(32)
  const argument = `--source-manifest=${digest}`
  assert.equal(sourceManifestOf([argument]), digest)
  assert.equal(sourceManifestOf(['x', argument, 'y']), digest)
  for (const args of [[], [argument, argument], [`${argument}0`], ['--source-manifest=', digest]]) {
    assert.equal(sourceManifestOf(args), 'unverified')
  }
})
