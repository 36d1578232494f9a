/**
 * Tamper signals: what each does at each security level, that what outsiders can cause never zeroises,
 * that a module which was stopped stays so until an officer acknowledges it, and what zeroising leaves.
 */

import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { suite, test } from 'node:test'
import {
  approved,
  peopled,
  refusesAndRecords,
  signedAsk,
  termsFor,
  twoOfficers,
} from './approvals.testing.ts'
import { generate } from './commands.testing.ts'
import { type SecurityLevel, securityLevels } from './contract/domain-state.ts'
import { decodeLeafGroup } from './contract/leaf.ts'
import { type TamperSignal, tamperSignals } from './contract/tamper.ts'
import { type Ask, Caller, encodeAsks, p256, template } from './door.testing.ts'
import { fixedClock, fixedMs, restarted, stagedAgain } from './restart.testing.ts'
import { clockBackMsMax, wrappedKeysRefusedMax } from './tamper.ts'

const signals = Object.keys(tamperSignals) as TamperSignal[]
const report = (signal: string, detail = 'by hand'): Ask => ({
  command: 'reportTamper',
  arguments: { signal, detail },
})

/** As docs/security-levels.md says: 1 stops, 2 zeroises; what is not here stops at every level. */
const zeroises: Readonly<Partial<Record<TamperSignal, readonly SecurityLevel[]>>> = {
  'source-changed': [3, 4],
  'debugger-attached': [3, 4],
  'chassis-opened': [3, 4],
  'temperature-outside': [4],
  'voltage-outside': [4],
  'officer-command': [1, 2, 3, 4],
}

/** The level of a domain that is there, whatever else the level asks for. */
function atLevel(caller: Caller, level: SecurityLevel): void {
  const { ledger } = caller.module.open
  const state = { ...ledger.domainState, level }
  ledger.putDomainState({ ...ledger.signedDomainState, statement: JSON.stringify(state) })
}

suite('the response to each signal', () => {
  for (const level of securityLevels) {
    test(`at level ${level}`, async () => {
      for (const signal of signals) {
        const caller = await Caller.founded()
        atLevel(caller, level)
        const expected = zeroises[signal]?.includes(level) ? 2 : 1
        assert.equal(caller.module.tamper.responseTo(signal), expected, signal)
        const { tamper } = caller.module
        tamper.signal(signal, 'by hand')
        assert.equal(caller.module.state, expected === 1 ? 'tampered' : 'uninitialised', signal)
        if (expected === 1) assert.equal(caller.module.reason, `${signal}: by hand`)
      }
    })
  }

  test('what outsiders, applications or storage can cause never zeroises, whatever the domain says', async () => {
    const capped = signals.filter((signal) =>
      ['outsider', 'application', 'storage'].includes(tamperSignals[signal].cause),
    )
    assert.equal(capped.length, 7)
    for (const signal of capped) {
      const caller = await Caller.founded()
      const change = { tamper: { [signal]: 2 } }
      const ask = { command: 'changeDomain', arguments: { change } }
      await refusesAndRecords(caller, 'ARGUMENT_INVALID', ask)
      const { ledger } = caller.module.open
      const state = { ...ledger.domainState, level: 4, tamper: { [signal]: 2 } }
      ledger.putDomainState({ ...ledger.signedDomainState, statement: JSON.stringify(state) })
      caller.module.tamper.signal(signal, 'by hand')
      assert.equal(caller.module.state, 'tampered', signal)
    }
  })

  test('a domain can ask for more than its level, not for less', async () => {
    const caller = await Caller.founded()
    const change = { tamper: { 'chassis-opened': 2 } }
    await caller.ok({ command: 'changeDomain', arguments: { change } })
    assert.equal(caller.module.tamper.responseTo('chassis-opened'), 2)
    const { ledger } = caller.module.open
    const state = { ...ledger.domainState, level: 3, tamper: { 'chassis-opened': 1 } }
    ledger.putDomainState({ ...ledger.signedDomainState, statement: JSON.stringify(state) })
    assert.equal(caller.module.tamper.responseTo('chassis-opened'), 2)
  })
})

suite('reported by the host', () => {
  test('what it can see, and nothing that only the module or an officer can', async () => {
    const own = ['canary-used', 'wrapped-keys-forged', 'logins-failed', 'officer-command']
    for (const signal of signals) {
      const caller = await Caller.founded()
      if (own.includes(signal)) {
        await refusesAndRecords(caller, 'ARGUMENT_INVALID', report(signal))
        continue
      }
      const { items, changes, leaves } = await caller.ask(report(signal))
      assert.deepEqual(items[0]?.result, { response: 1 })
      assert.equal(changes.length, 1)
      const told = leaves.map(({ command, outcome }) => `${command} ${outcome}`)
      assert.deepEqual(told, [`tamper ${signal}`, 'reportTamper OK'])
    }
  })

  test('a detail is short and printable', async () => {
    const caller = await Caller.founded()
    for (const detail of ['x'.repeat(121), 'a\nb', 'ä', 5, undefined]) {
      const ask = { command: 'reportTamper', arguments: { signal: 'wall-hit', detail } }
      await refusesAndRecords(caller, 'ARGUMENT_INVALID', ask)
    }
    await refusesAndRecords(caller, 'ARGUMENT_INVALID', report('no-such-signal'))
  })

  test('before there are secrets there is nothing to stop', async () => {
    const caller = new Caller()
    assert.equal(await caller.refusal(report('wall-hit')), 'MODULE_STATE_INVALID')
    caller.module.tamper.signal('wall-hit', 'by hand')
    assert.equal(caller.module.state, 'uninitialised')
  })
})

suite('stopped', () => {
  test('keys are gone, nothing is used, and the first signal stays the reason', async () => {
    const caller = await Caller.founded()
    const key = await generate(caller, p256)
    await caller.ok(report('state-back', 'the first'))
    assert.equal(caller.module.keys.size, 0)
    const sign = { command: 'sign', arguments: key.reference, parts: { data: Buffer.from('a') } }
    await refusesAndRecords(caller, 'MODULE_TAMPERED', sign)
    await caller.ok(report('clock-back', 'the second'))
    const { state, reason } = (await caller.ok({ command: 'getStatus' })).result
    assert.deepEqual([state, reason], ['tampered', 'state-back: the first'])
  })

  test('the mark survives a restart', async () => {
    const caller = await Caller.founded({ clock: fixedClock })
    await caller.ok(report('record-broken'))
    const next = await restarted(caller)
    assert.equal(next.module.state, 'tampered')
    assert.equal(next.module.reason, 'record-broken: by hand')
    await next.ok({ command: 'acknowledgeTamper' })
    assert.equal(next.module.state, 'operational')
  })

  test('an acknowledgement survives a restart too', async () => {
    const caller = await Caller.founded({ clock: fixedClock })
    await caller.ok(report('record-broken'))
    await caller.ok({ command: 'acknowledgeTamper' })
    assert.equal((await restarted(caller)).module.state, 'operational')
  })

  test('the rule tamper acknowledges', async () => {
    const { caller, anna, ben } = await peopled({ tamper: twoOfficers })
    const acknowledge = { command: 'acknowledgeTamper' }
    await refusesAndRecords(caller, 'MODULE_STATE_INVALID', acknowledge)
    await caller.ok(report('wall-hit'))
    await refusesAndRecords(caller, 'APPROVALS_MISSING', acknowledge)
    const one = await approved(caller, acknowledge, anna)
    await refusesAndRecords(caller, 'APPROVALS_MISSING', one)
    await caller.ok(await approved(caller, acknowledge, anna, ben))
    assert.equal(caller.module.state, 'operational')
  })
})

suite('what the module sees by itself', () => {
  test('a canary key is never used, and using it stops the module', async () => {
    const canary = { canary: true }
    const wraps = template('AES-256', ['AES-256-KWP'], ['wrap'])
    const bait = template('AES-256', ['AES-256-GCM'], ['encrypt'], { ...canary, exportable: true })
    const asks: ((caller: Caller) => Promise<Ask>)[] = [
      async (caller) => {
        const { reference } = await generate(caller, { ...p256, ...canary })
        return { command: 'sign', arguments: reference, parts: { data: Buffer.from('a') } }
      },
      async (caller) => {
        const { reference } = await generate(caller, wraps)
        const target = (await generate(caller, bait)).reference
        return { command: 'wrapKey', arguments: { ...reference, target } }
      },
    ]
    for (const ask of asks) {
      const caller = await Caller.founded()
      assert.equal(await caller.refusal(await ask(caller)), 'MODULE_TAMPERED')
      assert.equal(caller.module.state, 'tampered')
      assert.match(caller.module.reason, /^canary-used: key_/)
    }
  })

  test('wrapped keys that do not open, so many within a minute', async () => {
    let time = Date.now()
    const clock = () => time * 1_000
    const caller = await Caller.founded({ clock })
    const { reference, wrapped } = await generate(caller, p256)
    const altered = Buffer.from(wrapped)
    altered.writeUInt8((altered.at(-1) ?? 0) ^ 1, altered.length - 1)
    const load = { command: 'loadKey', arguments: reference, parts: { wrapped: altered } }
    const refuse = async (times: number) => {
      for (let count = 0; count < times; count += 1) {
        assert.equal(await caller.refusal(load), 'WRAPPED_KEY_INVALID')
      }
    }
    await refuse(wrappedKeysRefusedMax - 1)
    time += 60_000
    await refuse(wrappedKeysRefusedMax - 1)
    assert.equal(caller.module.state, 'operational')
    await refuse(1)
    assert.equal(caller.module.state, 'tampered')
    assert.match(caller.module.reason, /^wrapped-keys-forged: 256 /)
  })

  test('a clock that is turned back, at once or bit by bit, while it runs', async () => {
    for (const steps of [[-clockBackMsMax - 1], Array.from({ length: 7 }, () => -10_000)]) {
      let wall = fixedMs
      const options = { clock: fixedClock, wallClock: () => wall * 1_000 }
      const caller = await Caller.founded(options)
      const { tamper } = caller.module
      for (const [seconds, step] of [0, ...steps].entries()) {
        assert.equal(caller.module.state, 'operational')
        wall += 1_000 + step
        tamper.watchClock(seconds * 1_000)
      }
      assert.equal(caller.module.state, 'tampered')
      assert.match(caller.module.reason, /^clock-back: by (60|70) seconds$/)
      // Acknowledged, it goes on from the clock as it is now.
      await caller.ok({ command: 'acknowledgeTamper' })
      wall += 1_000
      tamper.watchClock((steps.length + 1) * 1_000)
      assert.equal(caller.module.state, 'operational')
    }
  })

  test('a clock that is put right, or ahead, is none', async () => {
    let wall = fixedMs
    const caller = await Caller.founded({ clock: fixedClock, wallClock: () => wall * 1_000 })
    for (const [seconds, step] of [0, 86_400_000, -clockBackMsMax, 5_000, -5_000].entries()) {
      wall += 1_000 + step
      caller.module.tamper.watchClock(seconds * 1_000)
      assert.equal(caller.module.state, 'operational')
    }
  })

  test('a clock that is before the last leaf of the record at unlocking', async () => {
    const caller = await Caller.founded({ clock: fixedClock })
    for (const [backMs, state] of [
      [clockBackMsMax, 'operational'],
      [clockBackMsMax + 1, 'tampered'],
    ] as const) {
      const clock = () => (fixedMs - backMs) * 1_000
      assert.equal((await restarted(caller, { clock })).module.state, state)
    }
  })
})

suite('zeroise', () => {
  test('the rule tamper orders it', async () => {
    const { caller, anna, ben } = await peopled({ tamper: twoOfficers })
    const zeroise = { command: 'zeroise', arguments: { reason: 'end of life' } }
    await refusesAndRecords(caller, 'APPROVALS_MISSING', zeroise)
    await refusesAndRecords(caller, 'APPROVALS_MISSING', await approved(caller, zeroise, ben))
    const other = { command: 'zeroise', arguments: { reason: 'another' } }
    const { parts = {} } = await approved(caller, zeroise, anna, ben)
    await refusesAndRecords(caller, 'APPROVAL_INVALID', { ...other, parts })
    const ask = await approved(caller, zeroise, anna, ben)
    void caller.ask(ask)
    await caller.until(() => caller.isEnded)
    assert.equal(caller.module.state, 'uninitialised')
  })

  test('every secret is zero, keys are gone, and a signed statement says so', async () => {
    const caller = await Caller.founded()
    await generate(caller, p256)
    const { domain } = caller.module.open
    const { identityPublicKey } = domain
    const secrets: Uint8Array[] = []
    const { root, stateKey, recordKey, argumentsKey } = domain
    for (const secret of [root, stateKey, recordKey, argumentsKey]) {
      secret.expose((bytes) => secrets.push(bytes))
    }
    assert(secrets.every((bytes) => bytes.some((byte) => byte !== 0)))
    const answer = caller.ask({ command: 'zeroise', arguments: { reason: 'by hand' } })
    await caller.until(() => caller.isEnded)
    assert.deepEqual(
      (await answer).leaves.map(({ command, outcome }) => `${command} ${outcome}`),
      ['tamper officer-command', 'zeroise OK'],
    )
    for (const bytes of secrets) assert(bytes.every((byte) => byte === 0))
    for (const secret of [root, stateKey, recordKey, argumentsKey]) {
      assert.throws(() => secret.expose(() => 0), TypeError)
    }
    assert.equal(caller.module.keys.size, 0)
    assert.throws(() => domain.signStatement(Buffer.from('x')), TypeError)

    const last = caller.frames.at(-1)
    assert(last)
    const { id, leaves, zeroised } = last.header as Record<string, number>
    assert.equal(id, 0)
    assert.equal(leaves && zeroised && leaves + zeroised, last.body.length)
    assert.deepEqual(decodeLeafGroup(last.body.subarray(0, leaves)).leaves, [])
    const certificate = JSON.parse(String(Buffer.from(last.body.subarray(leaves))))
    const { statement, signature } = certificate
    const x = identityPublicKey.toString('base64url')
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    assert(verify(null, Buffer.from(statement), key, Buffer.from(signature.ed25519, 'base64')))
    const { format, detail, overwrittenMicros } = JSON.parse(statement)
    assert.deepEqual([format, detail], ['keyhold zeroisation v1', 'by hand'])
    assert(Number.isSafeInteger(overwrittenMicros) && overwrittenMicros >= 0)
  })

  test('by a signal, while commands are at work', async () => {
    const caller = await Caller.founded()
    atLevel(caller, 3)
    const { reference } = await generate(
      caller,
      template('RSA-3072', ['RSASSA-PSS-SHA-256'], ['sign']),
    )
    const sign = { command: 'sign', arguments: reference, parts: { data: Buffer.from('a') } }
    void caller.ask(sign)
    void caller.ask(report('debugger-attached'))
    await caller.until(() => caller.isEnded)
    assert.equal(caller.module.state, 'uninitialised')
    const { header } = caller.frames.at(-1) ?? {}
    assert(header && 'zeroised' in header, 'nothing goes out behind the certificate')
  })

  test('a command that misses its secrets behind the end is no bug', async () => {
    const caller = await Caller.founded()
    const seal = (pass: string): Ask => ({
      command: 'addSeal',
      arguments: { seal: 'passphrase' },
      parts: { secret: caller.sealed('addSeal', 'passphrase', Buffer.from(pass)) },
    })
    // At work on its Argon2id, after which it needs the root key.
    void caller.ask(seal('correct horse battery'))
    void caller.ask({ command: 'zeroise', arguments: { reason: '' } })
    await caller.until(() => caller.isEnded)
    const { promise, resolve } = Promise.withResolvers<void>()
    setTimeout(resolve, 1_000)
    await promise
    assert('zeroised' in (caller.frames.at(-1)?.header ?? {}))
  })

  test('what was begun or comes in the same breath does not keep it from its end', async () => {
    const caller = await Caller.founded()
    const { reference } = await generate(caller, p256)
    const secret = caller.sealed('found', 'key-file', Buffer.alloc(32, 1))
    const asks: readonly Ask[] = [
      { command: 'destroyKey', arguments: reference },
      { command: 'zeroise', arguments: { reason: '' } },
      { command: 'found', arguments: { development: true, seal: 'key-file' }, parts: { secret } },
      { command: 'stage', arguments: { kind: 'group' }, parts: { data: secret } },
      report('wall-hit'),
    ]
    const frames = asks.map((ask, index) => encodeAsks(100 + index, [ask]))
    void caller.sendFrame(100, Buffer.concat(frames))
    await caller.until(() => caller.isEnded)
    const { header } = caller.frames.at(-1) ?? {}
    assert(header && 'zeroised' in header)
  })

  test('a module that was stopped can be zeroised, and a signal that zeroises does', async () => {
    for (const end of [
      report('chassis-opened'),
      { command: 'zeroise', arguments: { reason: '' } },
    ]) {
      const caller = await Caller.founded()
      const change = { tamper: { 'chassis-opened': 2 } }
      await caller.ok({ command: 'changeDomain', arguments: { change } })
      await caller.ok(report('wall-hit'))
      void caller.ask(end)
      await caller.until(() => caller.isEnded)
    }
  })

  test('challenges are those of one start', async () => {
    const { caller, anna, ben } = await peopled({ tamper: twoOfficers }, { clock: fixedClock })
    const zeroise = { command: 'zeroise', arguments: { reason: '' } }
    const { challenge } = await termsFor(caller, 'zeroise')
    const next = await restarted(caller)
    const terms = { ...(await termsFor(next, 'zeroise')), challenge }
    const times = { notBefore: fixedMs - 1, expires: fixedMs + 1_000 }
    const ask = await signedAsk(next, zeroise, { ...terms, ...times }, [anna, ben])
    await refusesAndRecords(next, 'CHALLENGE_INVALID', ask)
    const { caller: locked } = await stagedAgain(caller)
    assert.equal(await locked.refusal(ask), 'MODULE_STATE_INVALID')
  })
})
