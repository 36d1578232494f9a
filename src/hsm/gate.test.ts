/** Which rules stand in front of which commands, and keys that want each of their uses approved. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  approved,
  enrol,
  newSigner,
  peopled,
  refusesAndRecords,
  type Signer,
  signedAsk,
  termsFor,
  twoOfficers,
} from './approvals.testing.ts'
import { generate } from './commands.testing.ts'
import { commands } from './commands.ts'
import { isBoundByVersion } from './contract/approval.ts'
import type { CommandName } from './contract/commands.ts'
import { type RuleName, ruleNames } from './contract/domain-state.ts'
import { passphrasesFor } from './contract/sealed-part.ts'
import { encodeList } from './contract/share.ts'
import { type Ask, Caller, newKeyId, type SealingCommand, template } from './door.testing.ts'
import { sealedPin } from './logins.testing.ts'

const outcomeOf = async (caller: Caller, ask: Ask) => (await caller.one(ask)).error?.code

suite('which rules stand in front of what', () => {
  /** Every command under a rule. One that is missing here, or that should not be, fails the test. */
  const underRules: Readonly<Partial<Record<CommandName, readonly RuleName[]>>> = {
    addSeal: ['unlock'],
    removeSeal: ['unlock'],
    acknowledgeTamper: ['tamper'],
    zeroise: ['tamper'],
    resetLogin: ['officers'],
    destroyKey: ['destroy'],
    wrapKey: ['export'],
    rotateKek: ['epoch'],
    retireKek: ['epoch'],
    beginEpoch: ['epoch'],
  }
  const ofChange: Readonly<Record<string, RuleName>> = {
    level: 'level',
    people: 'officers',
    rules: 'rules',
    tamper: 'tamper',
  }

  test('the table', async () => {
    const { module } = await Caller.founded()
    for (const [name, row] of Object.entries(commands)) {
      if (name === 'changeDomain') continue
      const rules = row.rules as (args: unknown, of: typeof module) => readonly RuleName[]
      const ruled = rules({}, module)
      assert.deepEqual(ruled, underRules[name as CommandName] ?? [], name)
    }
  })

  test('those that change the domain state are bound by its version', () => {
    for (const [name, row] of Object.entries(commands)) {
      assert.equal(row.changesState === true, isBoundByVersion(name), name)
    }
  })

  for (const [member, rule] of Object.entries(ofChange)) {
    test(`a change of ${member} is under the rule ${rule}`, async () => {
      const all = Object.fromEntries(ruleNames.map((name) => [name, twoOfficers]))
      const others = Object.fromEntries(Object.entries(all).filter(([name]) => name !== rule))
      const { caller, anna, ben } = await peopled(
        rule === 'officers' ? all : { [rule]: twoOfficers },
      )
      const free = await peopled(rule === 'officers' ? {} : others)
      const state = caller.module.open.ledger.domainState
      const change: Readonly<Record<string, unknown>> = {
        level: 1,
        people: state.people.map(({ pin: _, ...person }) => person),
        rules: { ...all, ...state.rules },
        tamper: { 'officer-command': 2 },
      }
      const ask = {
        command: 'changeDomain',
        arguments: { change: { [member]: change[member] } },
      }
      await refusesAndRecords(caller, 'APPROVALS_MISSING', ask)
      await caller.ok(await approved(caller, ask, anna, ben))
      if (rule !== 'officers') await free.caller.ok(ask)
    })
  }

  test('a change of several members is under the rules of all of them', async () => {
    const three = { ...twoOfficers, approvals: 3 }
    const { caller, anna, ben, carl } = await peopled({ officers: three, tamper: twoOfficers })
    const people = [anna, ben, carl].map(({ asked }) => asked)
    const change = { people, tamper: { 'chassis-opened': 2 } }
    const ask = { command: 'changeDomain', arguments: { change } }
    await refusesAndRecords(caller, 'APPROVALS_MISSING', await approved(caller, ask, anna, ben))
    await caller.ok(await approved(caller, ask, anna, ben, carl))
  })
})

test('custodians are given, kept and left out under the rule founding too', async () => {
  const one = { ...twoOfficers, approvals: 1 }
  const { caller, anna, ben } = await peopled({ epoch: one, founding: twoOfficers })
  const passphrases = encodeList(
    ['ada', 'cleo'].map((name) => Buffer.from(`${name}, who keeps it`)),
  )
  const people = ['ada', 'cleo'].map((name) => ({ name, kind: 'passphrase' }))
  const begin = async (isShared: boolean, ...signers: Signer[]) => {
    const custodians = { threshold: 2, people }
    const ask = {
      command: 'beginEpoch',
      arguments: { seal: 'key-file', ...(isShared ? { custodians } : {}) },
      parts: {
        secret: caller.sealed('beginEpoch', 'key-file', Buffer.alloc(32, 8)),
        ...(isShared
          ? { passphrases: caller.sealedFor(passphrasesFor('beginEpoch'), passphrases) }
          : {}),
      },
    }
    return signedAsk(caller, ask, await termsFor(caller, 'changeDomain'), signers)
  }
  const names = () => caller.module.open.ledger.domainState.custodians?.names
  const take = async (isShared: boolean, ...signers: Signer[]) => {
    await caller.ok(await begin(isShared, ...signers))
    await caller.ok({ command: 'commitEpoch' })
    await caller.ok(await approved(caller, { command: 'retireKek' }, anna))
  }
  await take(false, anna)
  await refusesAndRecords(caller, 'APPROVALS_MISSING', await begin(true, anna))
  await take(true, anna, ben)
  assert.deepEqual(names(), ['ada', 'cleo'])
  for (const isShared of [false, true]) {
    await refusesAndRecords(caller, 'APPROVALS_MISSING', await begin(isShared, anna))
  }
  await take(false, anna, ben)
  assert.equal(names(), undefined)
  await take(false, anna)
})

suite('keys that want their uses approved', () => {
  const data = Buffer.from('data')
  const own = { approvals: 1 }
  const release = { plaintextRelease: true }
  const hkdf = template('generic-secret', ['HKDF-SHA-256'], ['derive'], {
    ...{ ...own, ...release, lengthBytes: 32 },
  })
  const x25519 = template('X25519', ['X25519'], ['agree'], { ...own, ...release })
  const mlKem = template('ML-KEM-768', ['ML-KEM-768'], ['encapsulate', 'decapsulate'], {
    ...{ ...own, ...release },
  })
  const aes = template('AES-256', ['XAES-256-GCM'], ['encrypt', 'decrypt'], own)
  const hmac = template('generic-secret', ['HMAC-SHA-256'], ['mac', 'verifyMac'], {
    ...{ ...own, lengthBytes: 32 },
  })
  const ec = template('P-256', ['ECDSA-SHA-256'], ['sign', 'verify'], own)
  const kwp = template('AES-256', ['AES-256-KWP'], ['wrap', 'unwrap'], own)
  type Use = readonly [string, ReturnType<typeof template>, Omit<Ask, 'command'>]
  const into = {
    key: newKeyId(),
    version: 1,
    class: 'secret',
    template: template('AES-256', ['AES-256-GCM'], ['encrypt']),
  }
  const lengthBytes = 32
  const uses: readonly Use[] = [
    ['sign', ec, { parts: { data } }],
    ['signRequest', ec, { parts: { request: data } }],
    ['verify', ec, { parts: { data, signature: Buffer.alloc(70) } }],
    ['encrypt', aes, { parts: { plaintext: data } }],
    ['decrypt', aes, { parts: { ciphertext: Buffer.alloc(60), iv: Buffer.alloc(24) } }],
    ['mac', hmac, { parts: { data } }],
    ['verifyMac', hmac, { parts: { data, mac: Buffer.alloc(32) } }],
    ['deriveKey', hkdf, { arguments: { lengthBytes }, parts: { info: data } }],
    ['agree', x25519, { arguments: {}, parts: { peer: Buffer.alloc(44) } }],
    ['encapsulate', mlKem, { arguments: {} }],
    ['decapsulate', mlKem, { arguments: {}, parts: { ciphertext: Buffer.alloc(1_088) } }],
    ['unwrapKey', kwp, { arguments: { into }, parts: { ciphertext: Buffer.alloc(40) } }],
  ]

  for (const [command, of, { arguments: args = {}, parts = {} }] of uses) {
    test(command, async () => {
      const { caller, anna } = await peopled()
      const { reference } = await generate(caller, of)
      const ask = { command, arguments: { ...reference, ...(args as object) }, parts }
      await refusesAndRecords(caller, 'APPROVALS_MISSING', ask)
      const terms = await termsFor(caller, command)
      const auditor = newSigner('otto', { roles: ['auditor'] })
      await refusesAndRecords(
        caller,
        'APPROVAL_INVALID',
        await signedAsk(caller, ask, terms, [auditor]),
      )
      // Whatever it comes to then, the approvals are not what is missing.
      const code = await outcomeOf(caller, await signedAsk(caller, ask, terms, [anna]))
      assert(code === undefined || !/APPROVAL|CHALLENGE/.test(code), String(code))
    })
  }

  test('wrapKey: for the key that wraps and for the one that is let out', async () => {
    const { caller, anna } = await peopled()
    const free = await generate(caller, template('AES-256', ['AES-256-KWP'], ['wrap']))
    const bound = await generate(caller, kwp)
    const more = { exportable: true }
    const shape = ['AES-256', ['AES-256-GCM'], ['encrypt']] as const
    const target = await generate(caller, template(...shape, more))
    const boundTarget = await generate(caller, template(...shape, { ...more, ...own }))
    const wrap = (by: typeof free, of: typeof free): Ask => ({
      command: 'wrapKey',
      arguments: { ...by.reference, target: of.reference },
    })
    await caller.ok(wrap(free, target))
    for (const ask of [wrap(bound, target), wrap(free, boundTarget)]) {
      await refusesAndRecords(caller, 'APPROVALS_MISSING', ask)
      await caller.ok(await approved(caller, ask, anna))
    }
  })

  test('the approvals of one command of a frame are not those of the next', async () => {
    const { caller, anna } = await peopled()
    const { reference } = await generate(caller, ec)
    const ask: Ask = { command: 'sign', arguments: reference, parts: { data } }
    const { items } = await caller.ask(await approved(caller, ask, anna), ask)
    assert.deepEqual(
      items.map(({ error }) => error?.code),
      [undefined, 'APPROVALS_MISSING'],
    )
  })

  test('operators count, auditors do not', async () => {
    const caller = await Caller.founded()
    const people: readonly Signer[] = [
      newSigner('anna', { roles: ['auditor'] }),
      newSigner('otto', { roles: ['operator'] }),
    ]
    await enrol(caller, { people: people.map(({ asked }) => asked) })
    const { reference } = await generate(caller, ec)
    const ask: Ask = { command: 'sign', arguments: reference, parts: { data } }
    const [auditor, operator] = people
    assert(auditor && operator)
    await refusesAndRecords(caller, 'APPROVALS_MISSING', await approved(caller, ask, auditor))
    await caller.ok(await approved(caller, ask, auditor, operator))
  })
})

suite('what waits for Argon2id', () => {
  const slow = { memoryKib: 32 * 1024, passes: 8, lanes: 1 }
  const change: Ask = {
    command: 'changeDomain',
    arguments: { change: { tamper: { 'chassis-opened': 2 } } },
  }

  /** Each as it was approved by the version in force. */
  async function slowAsks() {
    const { caller, anna, ben } = await peopled(
      { epoch: twoOfficers, unlock: twoOfficers },
      { pinCost: slow },
    )
    const versioned = await termsFor(caller, 'changeDomain')
    const arguments_ = { seal: 'passphrase' }
    const secret = (command: SealingCommand) =>
      caller.sealed(command, 'passphrase', Buffer.from('correct horse battery'))
    const asked = { command: 'getChallenge', arguments: { command: 'setPin' } }
    const challenge = String((await caller.ok(asked)).result.challenge)
    const begin = {
      command: 'beginEpoch',
      arguments: arguments_,
      parts: { secret: secret('beginEpoch') },
    }
    const add = { command: 'addSeal', arguments: arguments_, parts: { secret: secret('addSeal') } }
    const pin = {
      command: 'setPin',
      arguments: { person: 'anna', challenge },
      parts: { pin: sealedPin(caller, 'correct horse 1', challenge) },
    }
    return {
      caller,
      asks: {
        beginEpoch: await signedAsk(caller, begin, versioned, [anna, ben]),
        addSeal: await approved(caller, add, anna, ben),
        setPin: await signedAsk(caller, pin, versioned, [anna]),
      },
    }
  }

  for (const name of ['beginEpoch', 'addSeal', 'setPin'] as const) {
    test(`${name}: comes to nothing when the domain state is another by then`, async () => {
      const { caller, asks } = await slowAsks()
      const waiting = caller.one(asks[name])
      await caller.ok(change)
      const { version } = caller.module.open.ledger.domainState
      const { error } = await waiting
      assert.equal(error?.code, 'APPROVAL_INVALID')
      assert.match(String(error?.message), /changed meanwhile/)
      assert.equal(caller.module.next, undefined)
      const { ledger } = caller.module.open
      assert.deepEqual(ledger.counter('seals'), { 'key-file': 1 })
      assert.equal(ledger.domainState.version, version)
    })

    test(`${name}: comes to nothing when the module was stopped meanwhile`, async () => {
      const { caller, asks } = await slowAsks()
      const waiting = caller.refusal(asks[name])
      await caller.ok({ command: 'getStatus' })
      caller.module.tamper.signal('wall-hit', 'by hand')
      assert.equal(await waiting, 'MODULE_STATE_INVALID')
      assert.equal(caller.module.next, undefined)
    })
  }
})
