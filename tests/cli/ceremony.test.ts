/**
 * The founding ceremony: what is planned is checked, what is finished stays finished wherever it is cut off,
 * the transcript holds until one bit of it changes, and no secret is in any of its files.
 */

import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, suite, test } from 'node:test'
import { type Attendants, conduct } from '../../src/cli/ceremony/conduct.ts'
import { CeremonyFolder } from '../../src/cli/ceremony/folder.ts'
import type { FoundingModule } from '../../src/cli/ceremony/founding.ts'
import { planFormat, readPlan } from '../../src/cli/ceremony/plan.ts'
import {
  encodeTranscript,
  readTranscript,
  signTranscript,
  verified,
} from '../../src/cli/ceremony/transcript-file.ts'
import { exitCodes } from '../../src/cli/exit-codes.ts'
import { encodeCustodianPublicKey } from '../../src/hsm/contract/custodian-key.ts'
import { ruleNames } from '../../src/hsm/contract/domain-state.ts'
import { encodeOfferedShare, openShare } from '../../src/hsm/contract/share.ts'
import { type Transcript, verifyTranscript } from '../../src/hsm/contract/transcript.ts'
import { XWingPrivateKey } from '../../src/hsm/contract/x-wing.ts'
import { Secret } from '../../src/hsm/secret.ts'
import { OfferedShares } from '../../src/hsm/shares.ts'
import { keyhold } from './keyhold.ts'
import { ScratchModule } from './scratch-module.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-ceremony-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let folders = 0
const newFolder = (): string => {
  folders += 1
  const name = path.join(folder, String(folders))
  mkdirSync(name)
  return name
}

const alice = new XWingPrivateKey(Buffer.alloc(32, 1))
const passphrase = 'the passphrase of bob himself'
const officers = {
  olga: generateKeyPairSync('ed25519'),
  otto: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ophelia: generateKeyPairSync('ml-dsa-65'),
}
for (const [name, { publicKey }] of Object.entries(officers)) {
  writeFileSync(path.join(folder, `${name}.pem`), publicKey.export({ type: 'spki', format: 'pem' }))
}
writeFileSync(path.join(folder, 'alice.pub'), `${encodeCustodianPublicKey(alice.publicKey)}\n`)

function ceremony(changes: object = {}): object {
  return {
    format: planFormat,
    level: 2,
    seal: 'passphrase',
    custodians: {
      threshold: 2,
      people: [
        { name: 'alice', publicKeyFile: 'alice.pub' },
        { name: 'bob', passphrase: true },
      ],
    },
    people: Object.keys(officers).map((name) => ({
      name,
      roles: ['officer'],
      publicKeyFile: `${name}.pem`,
    })),
    rules: Object.fromEntries(
      ruleNames.map((name) => [name, { approvals: 2, roles: ['officer'], excludeRequester: true }]),
    ),
    ...changes,
  }
}

async function plan(changes: object = {}) {
  const file = path.join(folder, 'ceremony.json')
  writeFileSync(file, JSON.stringify(ceremony(changes)))
  return readPlan(file)
}

const sealPassphrase = 'the passphrase of the seal'
function attendants(handOver: Attendants['handOver'] = async () => true): Attendants {
  return {
    sealSecret: async () => Buffer.from(sealPassphrase),
    passphrase: async () => Buffer.from(passphrase),
    handOver,
    say: () => undefined,
  }
}

async function begun(): Promise<{ place: string; data: string; ceremony: CeremonyFolder }> {
  const [place, data] = [newFolder(), path.join(newFolder(), 'data')]
  return { place, data, ceremony: await CeremonyFolder.begin(place, await plan(), data) }
}

async function again(place: string): Promise<CeremonyFolder> {
  const opened = await CeremonyFolder.open(place)
  assert(opened)
  return opened
}

suite('the plan', () => {
  test('is self-contained: keys are read in', async () => {
    const { custodians, people } = await plan()
    assert.deepEqual(
      custodians?.people.map(({ kind }) => kind),
      ['key', 'passphrase'],
    )
    assert.deepEqual(
      people.map(({ credential }) => credential.kind),
      ['ed25519', 'p-256', 'ml-dsa-65'],
    )
  })

  test('what does not fit is refused, and what it is', async () => {
    const person = { name: 'olga', roles: ['officer'], publicKeyFile: 'olga.pem' }
    const bob = { name: 'bob', passphrase: true }
    writeFileSync(
      path.join(folder, 'private.pem'),
      officers.olga.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    )
    const wrong: [object, RegExp][] = [
      [{ level: 5 }, /level/],
      [{ leval: 3 }, /leval/],
      [{ format: 'other' }, /format/],
      [{ custodians: { threshold: 1, people: [bob, { ...bob, name: 'b' }] } }, /threshold/],
      [{ custodians: { threshold: 3, people: [bob, { ...bob, name: 'b' }] } }, /3 shares/],
      [{ custodians: { threshold: 2, people: [bob, bob] } }, /one name/],
      [{ custodians: { threshold: 2, people: [bob, { name: 'x', publicKey: 'x' }] } }, /key of x/],
      [{ custodians: null, seal: 'none' }, /neither/],
      [{ people: [person, { ...person, name: 'other' }] }, /one public key/],
      [{ people: [{ ...person, publicKeyFile: 'private.pem' }] }, /private key/],
      [{ people: [{ ...person, publicKeyFile: 'alice.pub' }] }, /no public key/],
      [{ people: [{ ...person, roles: [] }] }, /roles/],
      [{ people: [person] }, /needs 3 people/],
      [{ rules: { everything: { approvals: 1, roles: ['officer'] } } }, /everything/],
      [{ tamper: { 'canary-used': 3 } }, /tamper/],
    ]
    for (const [changes, reason] of wrong) {
      await assert.rejects(plan(changes), (error: Error) => {
        assert.match(error.message, reason)
        return Reflect.get(error, 'code') === 'FILE_INVALID'
      })
    }
  })
})

suite('the ceremony', () => {
  test('founds, hands over shares that open, and closes with a transcript', async () => {
    const { data, ceremony } = await begun()
    const module = new ScratchModule(data)
    await conduct(ceremony, async () => module, attendants())
    const [first = '', second = ''] = ceremony.shareFiles
    using offered = new OfferedShares()
    for (const [file, key] of [
      [first, { privateKey: alice }],
      [second, { passphrase: Buffer.from(passphrase) }],
    ] as const) {
      offered.add(new Secret(encodeOfferedShare(readFileSync(file), key)))
    }
    const { place } = firstPlace(readFileSync(first))
    using rebuilt = await offered.takeRoot(place)
    module.root?.expose((root) => rebuilt.expose((bytes) => assert.deepEqual(bytes, root)))
    const transcript = await readTranscript(ceremony.transcriptFile)
    const { statement, missing } = verified(transcript)
    assert.deepEqual(missing, Object.keys(officers))
    assert.deepEqual(
      statement.custodians?.shares.map(({ name, protection }) => [name, protection]),
      [
        ['alice', 'key'],
        ['bob', 'passphrase'],
      ],
    )
    assert.deepEqual(
      transcript.events.map(({ event, name }) => `${event} ${name}`.trim()),
      [
        'plan decided',
        'shares written',
        'share checked bob',
        'domain founded',
        'share taken alice',
        'share taken bob',
        'ceremony closed',
      ],
    )
  })

  test('no file of it holds a passphrase, a share or the root', async () => {
    const { place, data, ceremony } = await begun()
    const module = new ScratchModule(data)
    await conduct(ceremony, async () => module, attendants())
    const share = openShare(readFileSync(ceremony.shareFiles[0] ?? ''), { privateKey: alice })
    const root = module.root?.expose((bytes) => Buffer.from(bytes)) ?? assert.fail()
    const secrets = [root, share, Buffer.from(passphrase), Buffer.from(sealPassphrase)]
    const forms = secrets.flatMap((secret) => [
      secret,
      Buffer.from(secret.toString('hex')),
      Buffer.from(secret.toString('base64')),
    ])
    const names = readdirSync(place)
    assert.equal(names.length, 6)
    for (const name of names) {
      const bytes = readFileSync(path.join(place, name))
      for (const form of forms) assert(!bytes.includes(form), name)
    }
  })

  test('goes on where it was cut off: before commit, behind it, at each handing over', async () => {
    const { place, data, ceremony } = await begun()
    const cut = new Error('cut off')
    const failing = (data: string, at: 'found' | 'before' | 'behind'): FoundingModule => {
      const module = new ScratchModule(data)
      return {
        transportKey: module.transportKey,
        challenge: module.challenge,
        found: (plan, secrets) =>
          at === 'found' ? Promise.reject(cut) : module.found(plan, secrets),
        commit: async () => {
          if (at === 'behind') await module.commit()
          throw cut
        },
        [Symbol.asyncDispose]: () => module[Symbol.asyncDispose](),
      }
    }
    await assert.rejects(
      conduct(ceremony, async () => failing(data, 'found'), attendants()),
      cut,
    )
    const before = await again(place)
    await assert.rejects(
      conduct(before, async () => failing(data, 'before'), attendants()),
      cut,
    )
    const stale = readFileSync(before.shareFiles[0] ?? '')
    const behind = await again(place)
    assert.equal(behind.state.founded, false)
    await assert.rejects(
      conduct(behind, async () => failing(data, 'behind'), attendants()),
      cut,
    )
    const shares = behind.shareFiles.map((file) => readFileSync(file))
    assert.notDeepEqual(shares[0], stale, 'shares of a founding that never was are gone')
    const never = () => assert.fail('a domain is founded once')
    const oneTakes = attendants(async (name) => name === 'alice')
    await assert.rejects(conduct(await again(place), never, oneTakes), { code: 'INTERRUPTED' })
    const last = await again(place)
    assert.deepEqual(last.state.taken, ['alice'])
    await conduct(last, never, attendants())
    assert.deepEqual(
      last.shareFiles.map((file) => readFileSync(file)),
      shares,
    )
    const transcript = await readTranscript(last.transcriptFile)
    assert.equal(verified(transcript).statement.domain, last.state.prepared)
    await conduct(await again(place), never, attendants())
  })

  test('a data folder that has a domain, and a ceremony that somebody changed, are refused', async () => {
    const { place, data, ceremony } = await begun()
    mkdirSync(data)
    writeFileSync(path.join(data, 'keyhold.json'), JSON.stringify({ domainId: 'ab'.repeat(16) }))
    const never = () => assert.fail('nothing is started')
    await assert.rejects(conduct(ceremony, never, attendants()), { code: 'FILE_EXISTS' })
    const file = path.join(place, 'plan.json')
    writeFileSync(file, readFileSync(file, 'utf8').replace('"approvals":2', '"approvals":1'))
    await assert.rejects(CeremonyFolder.open(place), { code: 'FILE_INVALID' })
  })
})

suite('the transcript', () => {
  async function closed(): Promise<{ file: string; transcript: Transcript }> {
    const { data, ceremony } = await begun()
    await conduct(ceremony, async () => new ScratchModule(data), attendants())
    const file = ceremony.transcriptFile
    return { file, transcript: await readTranscript(file) }
  }

  test('people sign it with `keyhold domain sign-transcript`, each with their own key', async () => {
    const { file } = await closed()
    const sign = (name: string, key: string, ...more: string[]) =>
      keyhold(['domain', 'sign-transcript', file, '--as', name, '--key', key, '--yes', ...more])
    const secret = path.join(folder, 'secret')
    writeFileSync(secret, 'a passphrase of many words\n', { mode: 0o600 })
    for (const [name, { privateKey }] of Object.entries(officers)) {
      const pem = exported(privateKey, name === 'otto' ? 'a passphrase of many words' : undefined)
      writeFileSync(path.join(folder, `${name}.key`), pem, { mode: 0o600 })
    }
    const key = (name: string) => path.join(folder, `${name}.key`)
    assert.equal((await sign('olga', key('ophelia'))).code, exitCodes.refused)
    assert.equal((await sign('nobody', key('olga'))).code, exitCodes.refused)
    assert.equal((await sign('olga', key('olga'))).code, 0)
    assert.equal((await sign('otto', key('otto'), '--passphrase-file', secret)).code, 0)
    const verify = (...more: string[]) => keyhold(['domain', 'verify-transcript', file, ...more])
    const { code, stdout } = await verify()
    assert.equal(code, 0)
    assert.match(stdout, /^signed by +the module, olga, otto$/m)
    assert.match(stdout, /^not signed by +ophelia$/m)
    assert.equal((await verify('--everybody')).code, exitCodes.notValid)
    assert.equal((await sign('ophelia', key('ophelia'))).code, 0)
    assert.equal((await verify('--everybody')).code, 0)
  })

  test('one changed letter in what is signed, and it does not hold', async () => {
    const { file, transcript } = await closed()
    const signed = Object.entries(officers).reduce(
      (before, [name, { privateKey }]) => signTranscript(before, name, privateKey),
      transcript,
    )
    assert.deepEqual(verified(signed).missing, [])
    const text = encodeTranscript(signed).toString()
    const isBroken = (changed: string) => {
      const value = JSON.parse(changed) as Transcript
      return typeof verifyTranscript(value) === 'string'
    }
    // The letters and digits of every value: in the statements, events, names and signatures.
    const step = process.env.KEYHOLD_LONG ? 7 : 211
    for (let at = 0; at < text.length; at += step) {
      const letter = text[at] ?? ''
      if (!/[a-z0-9]/i.test(letter) || isMemberName(text, at)) continue
      const other = letter === '1' ? '2' : '1'
      const changed = `${text.slice(0, at)}${other}${text.slice(at + 1)}`
      let isJson = true
      try {
        JSON.parse(changed)
      } catch {
        isJson = false
      }
      if (isJson && changed !== text) assert(isBroken(changed), text.slice(at - 30, at + 30))
    }
    const { founding, events, signatures } = signed
    const [first, second] = signatures
    assert(first && second)
    const forged: Transcript[] = [
      { ...signed, events: events.slice(1) },
      { ...signed, signatures: [first, first] },
      { ...signed, signatures: [{ ...first, name: second.name }] },
      { ...signed, signatures: [{ ...first, name: 'nobody' }] },
      { ...signed, founding: { ...founding, statement: signed.domainState.statement } },
      { ...signed, founding: (await closed()).transcript.founding },
      { ...signed, domainState: (await closed()).transcript.domainState },
    ]
    for (const value of forged) assert.equal(typeof verifyTranscript(value), 'string')
    writeFileSync(file, text.replace(first.name, 'other'))
    const { code } = await keyhold(['domain', 'verify-transcript', file])
    assert.equal(code, exitCodes.notValid)
  })
})

function firstPlace(file: Buffer) {
  using fresh = new OfferedShares()
  return fresh.add(new Secret(encodeOfferedShare(file, { privateKey: alice })))
}

/** Whether this letter is of the name of a member of the outer JSON, which strict reading refuses. */
function isMemberName(text: string, at: number): boolean {
  const start = text.lastIndexOf('\n', at) + 1
  const end = text.indexOf(':', start)
  return /^ *"\w+":/.test(text.slice(start)) && at < end
}

function exported(key: KeyObject, passphrase: string | undefined): string {
  const form = { type: 'pkcs8', format: 'pem' } as const
  if (passphrase === undefined) return key.export(form).toString()
  return key.export({ ...form, cipher: 'aes-256-cbc', passphrase }).toString()
}

test('docs/ceremony.md: the file in it is one', async () => {
  const text = readFileSync(path.join(import.meta.dirname, '../../docs/ceremony.md'), 'utf8')
  const [, json = ''] = /^```json\n([\s\S]*?)^```$/m.exec(text) ?? []
  const place = newFolder()
  const file = path.join(place, 'ceremony.json')
  writeFileSync(file, json)
  const carol = new XWingPrivateKey(Buffer.alloc(32, 2)).publicKey
  for (const [name, key] of Object.entries({ alice: alice.publicKey, carol })) {
    writeFileSync(path.join(place, `${name}.key.pub`), encodeCustodianPublicKey(key))
  }
  for (const name of ['olga', 'otto']) {
    const pem = readFileSync(path.join(folder, `${name}.pem`))
    writeFileSync(path.join(place, `${name}.key.pub`), pem)
  }
  const read = await readPlan(file)
  assert.equal(read.custodians?.people.length, 3)
  const data = path.join(newFolder(), 'data')
  const ceremony = await CeremonyFolder.begin(newFolder(), read, data)
  await conduct(ceremony, async () => new ScratchModule(data), attendants())
  assert.equal(verified(await readTranscript(ceremony.transcriptFile)).domainState.level, 2)
})
