/**
 * Invariant 8: whoever has taken over the manager holds the module's pipe, and nobody's signing key. On a domain whose people have set rules, he can use what may be used, which
 * is recorded, and cannot let a key out, destroy one, let himself in or loosen anything.
 */

import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { before, suite, test } from 'node:test'
import { approvalStatement } from '../../src/hsm/contract/approval.ts'
import { encodeCustodianPublicKey } from '../../src/hsm/contract/custodian-key.ts'
import { ruleNames } from '../../src/hsm/contract/domain-state.ts'
import { XWingPrivateKey } from '../../src/hsm/contract/x-wing.ts'
import { type Ask, Caller, newKeyId, p256, template } from '../../src/hsm/door.testing.ts'

const person = (name: string) => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const spki = publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
  const credential = { kind: 'ed25519', publicKey: spki }
  return { asked: { name, roles: ['officer'], credential }, privateKey }
}
const officers = ['Olga', 'Omar', 'Otto'].map(person)
const mallory = person('Mallory')
const two = { approvals: 2, roles: ['officer'], excludeRequester: false }
const rules = Object.fromEntries(ruleNames.map((name) => [name, two]))
const keepers = ['Ada', 'Ben'].map((name, index) => {
  const { publicKey } = new XWingPrivateKey(Buffer.alloc(32, index))
  return { name, kind: 'key', publicKey: encodeCustodianPublicKey(publicKey) }
})
const wrapping = template('AES-256', ['AES-256-KWP'], ['wrap', 'unwrap'])
const exportable = template('AES-256', ['AES-256-GCM'], ['encrypt', 'decrypt'], {
  exportable: true,
})
const guarded = { ...p256, approvals: 1 }

suite('invariant 8: a compromised manager', { timeout: 60_000 }, () => {
  const caller = new Caller()
  const keys: Record<string, { key: string; version: number }> = {}
  const copies: Record<string, Uint8Array> = {}

  const make = async (name: string, of: object) => {
    const reference = { key: newKeyId(), version: 1 }
    const args = { ...reference, template: of }
    const { parts } = await caller.ok({ command: 'generateKey', arguments: args })
    if (parts.wrapped) copies[name] = parts.wrapped
    keys[name] = reference
  }

  before(async () => {
    const founding = { level: 2, people: officers.map(({ asked }) => asked), rules, tamper: {} }
    const custodians = { threshold: 2, people: keepers }
    const args = { development: false, founding, custodians }
    await caller.ok({ command: 'found', arguments: args })
    await make('signing', p256)
    await make('guarded', guarded)
    await make('wrapping', wrapping)
    await make('exportable', exportable)
  })

  /** What he asks, and has no approvals for. */
  const forbidden = (): readonly Ask[] => {
    const secret = (command: 'addSeal' | 'beginEpoch') =>
      caller.sealed(command, 'passphrase', Buffer.alloc(32, 9))
    const people = [...officers, mallory].map(({ asked }) => asked)
    const data = Buffer.from('Pay Mallory.')
    const change = (what: object): Ask => ({
      command: 'changeDomain',
      arguments: { change: what },
    })
    const lasting = (what: object): Ask => ({
      command: 'changeKey',
      arguments: { ...keys.signing, change: what },
      parts: { wrapped: copies.signing ?? Buffer.alloc(0) },
    })
    return [
      lasting({ state: 'compromised' }),
      lasting({ state: 'deactivated' }),
      lasting({ uses: ['verify'] }),
      { command: 'wrapKey', arguments: { ...keys.wrapping, target: keys.exportable } },
      { command: 'destroyKey', arguments: { ...keys.signing } },
      { command: 'sign', arguments: { ...keys.guarded }, parts: { data } },
      {
        command: 'addSeal',
        arguments: { seal: 'passphrase' },
        parts: { secret: secret('addSeal') },
      },
      { command: 'rotateKek' },
      { command: 'retireKek' },
      {
        command: 'beginEpoch',
        arguments: { seal: 'passphrase' },
        parts: { secret: secret('beginEpoch') },
      },
      { command: 'zeroise', arguments: { reason: 'by Mallory' } },
      { command: 'resetLogin', arguments: { person: 'Olga' } },
      change({ people }),
      change({ rules: { ...rules, export: { ...two, approvals: 1 } } }),
      change({ level: 3 }),
      change({ tamper: { 'chassis-opened': 2 } }),
    ]
  }

  /** Signed by himself, in the name of those who may. */
  const forged = async (ask: Ask): Promise<Ask> => {
    const { result } = await caller.ok({
      command: 'getChallenge',
      arguments: { command: ask.command },
    })
    const { hash } = (await caller.ok({ command: 'getDomainState' })).result
    const isChange = ask.command === 'changeDomain' || ask.command === 'beginEpoch'
    const now = Date.now()
    const terms = {
      module: caller.module.open.domain.moduleId.toString('hex'),
      challenge: isChange ? '' : String(result.challenge),
      predecessor: isChange ? String(hash) : '',
      requester: 'Olga',
      notBefore: now - 1_000,
      expires: now + 60_000,
    }
    const domain = caller.module.open.domain.domainId.toString('hex')
    const { command, arguments: args = {}, parts = {} } = ask
    const statement = approvalStatement(domain, { command, arguments: args, parts }, terms)
    const signature = sign(null, statement, mallory.privateKey).toString('base64')
    const approvals = ['Olga', 'Omar'].map((name) => ({ person: name, signature }))
    const set = Buffer.from(JSON.stringify({ ...terms, approvals }))
    return { ...ask, parts: { ...parts, approvals: set } }
  }

  test('uses what may be used, and that is recorded', async () => {
    const data = Buffer.from('Pay Ada.')
    const { items, leaves } = await caller.ask({
      command: 'sign',
      arguments: keys.signing,
      parts: { data },
    })
    assert.equal(items[0]?.error, undefined)
    assert.partialDeepStrictEqual(leaves.at(-1), { command: 'sign', outcome: 'OK' })
  })

  test('without approvals nothing else, and each try is a leaf', async () => {
    const version = caller.module.open.ledger.domainState.version
    for (const ask of forbidden()) {
      const { items, leaves } = await caller.ask(ask)
      assert.equal(items[0]?.error?.code, 'APPROVALS_MISSING', ask.command)
      const tried = { command: ask.command, outcome: 'APPROVALS_MISSING' }
      assert.partialDeepStrictEqual(leaves.at(-1), tried)
    }
    assert.equal(caller.module.open.ledger.domainState.version, version)
    assert.equal(caller.module.state, 'operational')
  })

  test('with approvals that he forges neither', async () => {
    for (const ask of forbidden()) {
      assert.equal(await caller.refusal(await forged(ask)), 'APPROVAL_INVALID', ask.command)
    }
    assert.equal(caller.module.state, 'operational')
  })

  test('no answer lets out a key that is not exportable, whatever wraps it', async () => {
    const ask = { command: 'wrapKey', arguments: { ...keys.wrapping, target: keys.signing } }
    const code = await caller.refusal(ask)
    assert.match(String(code), /^(APPROVALS_MISSING|KEY_NOT_EXPORTABLE)$/)
  })
})
