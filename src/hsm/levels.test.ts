/** Security levels: the table's own rules, and that the module refuses by it what it refuses. */

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { suite, test } from 'node:test'
import { isApproved } from './approved.ts'
import { generate, refuses } from './commands.testing.ts'
import {
  type AlgorithmRow,
  algorithms,
  algorithmsOf,
  type KeyTypeName,
  type KeyUse,
  keyTypes,
} from './contract/algorithms.ts'
import {
  type Credential,
  type DomainState,
  type Person,
  ruleNames,
  type SecurityLevel,
  securityLevels,
} from './contract/domain-state.ts'
import { HsmError } from './contract/errors.ts'
import { type TamperSignal, tamperResponseMax, tamperSignals } from './contract/tamper.ts'
import { Domain } from './domain.ts'
import { foundDomainState } from './domain-state.ts'
import { Caller, newKeyId, template } from './door.testing.ts'
import { assertLevelPermits, type LevelledKey, levelProfiles, profileSeals } from './levels.ts'
import { Module, type ModuleOptions } from './module.ts'
import { systemClock } from './record.ts'
import { selfTestTimes } from './self-tests.ts'
import { TransportKey } from './transport.ts'
import { foundState } from './unlock.ts'

const typeNames = Object.keys(keyTypes) as KeyTypeName[]

/** Every type with each of its algorithms and each use and flag alone: what a level tells apart. */
function* everyKey(): Generator<LevelledKey> {
  for (const type of typeNames) {
    for (const name of algorithmsOf(type)) {
      const { uses }: AlgorithmRow = algorithms[name]
      for (const use of uses) {
        for (const externalIv of [false, true]) {
          for (const plaintextRelease of [false, true]) {
            yield { type, algorithms: [name], uses: [use], externalIv, plaintextRelease }
          }
        }
      }
    }
  }
}

function permits(level: SecurityLevel, key: LevelledKey, lengthBytes: number): boolean {
  try {
    assertLevelPermits(level, key, lengthBytes)
    return true
  } catch (error) {
    assert(error instanceof HsmError)
    return false
  }
}

suite('the table of levels', () => {
  test('a level permits no key that the level below it refuses', () => {
    let compared = 0
    for (const key of everyKey()) {
      for (const lengthBytes of [14, 15, 16, 32]) {
        const permitted = securityLevels.map((level) => permits(level, key, lengthBytes))
        assert.deepEqual(permitted, permitted.toSorted().toReversed(), JSON.stringify(key))
        compared += 1
      }
    }
    assert(compared > 1_000)
  })

  test('a level asks for no less than the level below it', () => {
    const demands = securityLevels.map((level) => {
      const profile = levelProfiles[level]
      return [
        profile.strengthBitsMin,
        Number(profile.approvedOnly),
        Number(!profile.externalIv),
        Number(!profile.plaintextRelease),
        Number(profile.hardwareEntropy),
        profile.loginFactorsMin,
        profile.quorumMin,
        profile.custodiansMin,
        Number(profile.launcher),
        -profile.seals.length,
        Number(profile.freshness === 'required'),
        Number(profile.selfTestHoursMax !== undefined),
        ...Object.values(profile.tamper),
      ]
    })
    for (const [index, demand] of demands.entries()) {
      const below = demands[index - 1] ?? demand
      assert(demand.every((value, position) => value >= (below[position] ?? Infinity)))
    }
  })

  test('what an outsider, an application or storage can cause stops a module, and never zeroises it', () => {
    const stopping = (Object.keys(tamperSignals) as TamperSignal[]).filter(
      (signal) => tamperResponseMax(signal) === 1,
    )
    assert.deepEqual(stopping, [
      'wall-hit',
      'clock-back',
      'state-back',
      'record-broken',
      'logins-failed',
      'wrapped-keys-forged',
      'canary-used',
    ])
    for (const level of securityLevels) {
      for (const signal of Object.keys(tamperSignals) as TamperSignal[]) {
        assert(levelProfiles[level].tamper[signal] <= tamperResponseMax(signal))
      }
    }
  })

  test('every self-test runs again within the hours that a level gives', () => {
    for (const level of securityLevels) {
      const { selfTestHoursMax } = levelProfiles[level]
      if (selfTestHoursMax === undefined) continue
      assert(selfTestTimes.period <= selfTestHoursMax * 60 * 60 * 1_000)
    }
  })

  test('from level 2 a key that is permitted is approved', () => {
    for (const key of everyKey()) {
      for (const level of [2, 3, 4] as const) {
        if (permits(level, key, 32)) assert(isApproved(key), JSON.stringify(key))
      }
    }
  })
})

interface Refusal {
  readonly level: SecurityLevel
  readonly code: string
  readonly key: ReturnType<typeof template>
}

const refused: readonly Refusal[] = [
  { level: 2, code: 'LEVEL_NOT_PERMITTED', key: aead('ChaCha20', 'ChaCha20-Poly1305') },
  { level: 2, code: 'LEVEL_NOT_PERMITTED', key: aead('AES-256', 'XAES-256-GCM') },
  {
    level: 2,
    code: 'LEVEL_NOT_PERMITTED',
    key: template('secp256k1', ['ECDSA-SHA-256'], ['sign', 'verify']),
  },
  { level: 2, code: 'LEVEL_NOT_PERMITTED', key: template('X25519', ['X25519'], ['agree']) },
  {
    level: 2,
    code: 'LEVEL_NOT_PERMITTED',
    key: template('RSA-2048', ['RSAES-OAEP-SHA-1'], ['encrypt', 'decrypt']),
  },
  {
    level: 2,
    code: 'LEVEL_NOT_PERMITTED',
    key: { ...aead('AES-256', 'AES-256-GCM'), externalIv: true },
  },
  {
    level: 3,
    code: 'LEVEL_NOT_PERMITTED',
    key: { ...template('P-256', ['ECDH'], ['agree']), plaintextRelease: true },
  },
  {
    level: 3,
    code: 'KEY_TOO_WEAK',
    key: template('RSA-2048', ['RSASSA-PSS-SHA-256'], ['sign', 'verify']),
  },
  {
    level: 3,
    code: 'KEY_TOO_WEAK',
    key: {
      ...template('generic-secret', ['HMAC-SHA-256'], ['mac', 'verifyMac']),
      lengthBytes: 15,
    },
  },
]

function aead(type: KeyTypeName, name: 'ChaCha20-Poly1305' | 'XAES-256-GCM' | 'AES-256-GCM') {
  return template(type, [name], ['encrypt', 'decrypt'])
}

/** Founding takes no level yet: the module is told here. */
function setLevel({ module }: Caller, level: SecurityLevel): void {
  Object.defineProperty(module, 'level', { value: level, configurable: true })
}

suite('the module holds its level', () => {
  for (const { level, code, key } of refused) {
    const flags = `${key.externalIv ? ' externalIv' : ''}${key.plaintextRelease ? ' release' : ''}`
    test(`level ${level} refuses ${key.type} ${key.algorithms[0]}${flags}: ${code}`, async () => {
      const caller = await Caller.founded()
      const made = await generate(caller, key)
      for (const each of securityLevels.filter((above) => above >= level)) {
        setLevel(caller, each)
        const reference = { key: newKeyId(), version: 1 }
        const ask = { command: 'generateKey', arguments: { ...reference, template: key } }
        await refuses(caller, code, ask)
        await refuses(caller, code, useOf(made.reference, key.uses[0], made.wrapped))
      }
    })
  }

  test('a level that is as low as the key asks for makes and uses it', async () => {
    const caller = await Caller.founded()
    for (const level of securityLevels) {
      setLevel(caller, level)
      const { reference, wrapped } = await generate(
        caller,
        template('P-256', ['ECDSA-SHA-256'], ['sign', 'verify']),
      )
      await caller.ok(useOf(reference, 'sign', wrapped))
    }
  })

  test('a public key of 112 bits verifies at every level, and signs at none above 2', () => {
    const key = { type: 'RSA-2048', algorithms: ['RSASSA-PSS-SHA-256'] } as const
    const flags = { externalIv: false, plaintextRelease: false }
    const verified = securityLevels.map((level) =>
      permits(level, { ...key, uses: ['verify'], ...flags }, 0),
    )
    const signed = securityLevels.map((level) =>
      permits(level, { ...key, uses: ['sign', 'verify'], ...flags }, 0),
    )
    assert.deepEqual(verified, [true, true, true, true])
    assert.deepEqual(signed, [true, true, false, false])
  })
})

/** A domain with all that any level asks for, but for what is given. */
function founded(
  level: SecurityLevel,
  given: Partial<Pick<DomainState, 'people' | 'rules' | 'tamper' | 'custodians'>> = {},
  domain = Domain.found({ development: false }),
) {
  const rule = { approvals: 2, roles: ['officer'], excludeRequester: false } as const
  const {
    people = ['Ada', 'Grace'].map((name) => person(name, level === 4)),
    rules = Object.fromEntries(ruleNames.map((name) => [name, rule])),
    tamper = {},
    custodians = { shareSet: '00'.repeat(16), threshold: 2, names: ['Ada', 'Grace'] },
  } = given
  return foundDomainState(domain, { level, people, rules, tamper }, { custodians, time: 1 })
}

/** A module that is about to enter a domain of this level. */
function standing(level: SecurityLevel, own: Partial<ModuleOptions> = {}) {
  const domain = Domain.found({ development: false })
  const domainState = founded(level, {}, domain)
  const transport = TransportKey.generate()
  const entering = new Module({ clock: systemClock, transport, wall: 'none', ...own })
  const open = foundState(
    { domain, domainState, seals: {} },
    entering.staged,
    entering.prelude,
    entering.clock,
  )
  return { entering, open }
}

function person(name: string, hasPasskey: boolean): Person {
  const { publicKey } = generateKeyPairSync('ed25519')
  const spki = publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
  const site = { relyingParty: 'localhost', origin: 'https://localhost' }
  const credential: Credential = hasPasskey
    ? { kind: 'passkey', publicKey: spki, ...site }
    : { kind: 'ed25519', publicKey: spki }
  return { name, roles: ['officer'], credential, pin: null }
}

suite('a domain that is founded', () => {
  const levels = (given: Parameters<typeof founded>[1]) =>
    securityLevels.filter((level) => {
      try {
        founded(level, given)
        return true
      } catch (error) {
        assert(error instanceof HsmError && error.code === 'LEVEL_NOT_PERMITTED')
        return false
      }
    })

  test('has what its level asks for', () => {
    const officers = ['Ada', 'Grace'].map((name) => person(name, false))
    const rule = { approvals: 1, roles: ['officer'], excludeRequester: false } as const
    const single = Object.fromEntries(ruleNames.map((name) => [name, rule]))
    const alone = { shareSet: '00'.repeat(16), threshold: 1, names: ['Ada'] }
    assert.deepEqual(levels({}), [1, 2, 3, 4])
    // Without a passkey they count at level 4 while they are logged in (logins.test.ts).
    assert.deepEqual(levels({ people: officers }), [1, 2, 3, 4])
    assert.deepEqual(levels({ rules: single }), [1, 2], 'one approval')
    assert.deepEqual(levels({ rules: {} }), [1], 'no approval')
    assert.deepEqual(levels({ custodians: null }), [1, 2], 'no custodians')
    assert.deepEqual(levels({ custodians: alone }), [1, 2], 'one custodian')
    assert.deepEqual(levels({ tamper: { 'chassis-opened': 1 } }), [1, 2], 'a weaker response')
    assert.deepEqual(levels({ tamper: { 'chassis-opened': 2 } }), [1, 2, 3, 4])
  })
})

suite('a module that enters a domain', () => {
  const checked = { sourceManifest: 'ab'.repeat(32), hasHardwareEntropy: () => true }

  test('has a seal that the level permits', () => {
    for (const level of securityLevels) {
      for (const seal of profileSeals) {
        const { entering, open } = standing(level, checked)
        const enter = () => entering.enter(open, seal)
        if (levelProfiles[level].seals.includes(seal)) enter()
        else assert.throws(enter, { code: 'LEVEL_NOT_PERMITTED' })
        const isPermitted = levelProfiles[level].seals.includes(seal)
        assert.equal(entering.state, isPermitted ? 'operational' : 'uninitialised')
      }
    }
  })

  const entered = (own: Partial<ModuleOptions>) =>
    securityLevels.filter((level) => {
      const { entering, open } = standing(level, own)
      try {
        entering.enter(open, 'shares')
        return true
      } catch (error) {
        assert(error instanceof HsmError && error.code === 'LEVEL_NOT_PERMITTED')
        return false
      }
    })

  test('from level 3 was started by a launcher that checked its source', () => {
    assert.deepEqual(entered(checked), [1, 2, 3, 4])
    assert.deepEqual(entered({ ...checked, sourceManifest: 'unverified' }), [1, 2])
  })

  test('from level 3 has a noise source in hardware', () => {
    assert.deepEqual(entered({ ...checked, hasHardwareEntropy: () => false }), [1, 2])
  })
})

/** The first use of a key, well-formed, so that nothing but the level refuses it. */
function useOf(
  reference: { readonly key: string; readonly version: number },
  use: KeyUse | undefined,
  wrapped: Uint8Array,
) {
  const data = Buffer.alloc(16)
  const inputs: Readonly<Partial<Record<KeyUse, Readonly<Record<string, Uint8Array>>>>> = {
    sign: { data },
    mac: { data },
    encrypt: { plaintext: data },
    agree: { peer: data },
  }
  assert(use && inputs[use])
  return { command: use, arguments: reference, parts: { ...inputs[use], wrapped } }
}
