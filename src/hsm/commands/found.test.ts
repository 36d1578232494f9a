/**
 * Foundings with people, rules and custodians, through the door; and the way back by shares: what a custodian
 * opens with his own key or passphrase, offered for a challenge of the locked module, as many as it takes.
 */

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { suite, test } from 'node:test'
import type { AlgorithmName } from '../contract/algorithms.ts'
import { openDomainStatement, verifyAttestation } from '../contract/attestation.ts'
import { encodeCustodianPublicKey } from '../contract/custodian-key.ts'
import { openSignedDomainState, ruleNames } from '../contract/domain-state.ts'
import { passphrasesFor } from '../contract/sealed-part.ts'
import { decodeList, encodeList, encodeOfferedShare, type ShareKey } from '../contract/share.ts'
import { type Transcript, transcriptFormat, verifyTranscript } from '../contract/transcript.ts'
import { sealToTransportKey } from '../contract/transport.ts'
import { XWingPrivateKey } from '../contract/x-wing.ts'
import { Caller, type ItemAnswer, newKeyId, template } from '../door.testing.ts'

const secret = Buffer.alloc(32, 7)
const passphrase = Buffer.from('correct horse battery staple')
const keys = [1, 2].map((value) => new XWingPrivateKey(Buffer.alloc(32, value)))
const keeper = (name: string, index: number) => {
  const publicKey = encodeCustodianPublicKey(keys[index]?.publicKey ?? secret)
  return { name, kind: 'key', publicKey }
}
const custodians = {
  threshold: 2,
  people: [keeper('Ada', 0), keeper('Bert', 1), { name: 'Cleo', kind: 'passphrase' }],
}
const opens: readonly ShareKey[] = [...keys.map((privateKey) => ({ privateKey })), { passphrase }]

function officer(name: string) {
  const { publicKey } = generateKeyPairSync('ed25519')
  const spki = publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
  return { name, roles: ['officer'], credential: { kind: 'ed25519', publicKey: spki } }
}

const people = ['Olga', 'Omar', 'Otto'].map(officer)
const twoOf = { approvals: 2, roles: ['officer'], excludeRequester: false }
const rules = Object.fromEntries(ruleNames.map((name) => [name, twoOf]))
const founding = { level: 2, people, rules, tamper: {} }

function found(caller: Caller, more: object = {}, parts: Record<string, Uint8Array> = {}) {
  const passphrases = caller.sealedFor(passphrasesFor('found'), encodeList([passphrase]))
  const args = { development: false, founding, custodians, ...more }
  return caller.one({ command: 'found', arguments: args, parts: { passphrases, ...parts } })
}

/** A module that was started again with what a host has kept of the founding. */
async function restarted(founded: ItemAnswer): Promise<Caller> {
  const caller = new Caller()
  const data = founded.parts.snapshot
  assert(data)
  await caller.ok({ command: 'stage', arguments: { kind: 'snapshot' }, parts: { data } })
  return caller
}

async function challengeOf(caller: Caller): Promise<string> {
  const ask = { command: 'getChallenge', arguments: { command: 'offerShare' } }
  return String((await caller.ok(ask)).result.challenge)
}

function offer(caller: Caller, challenge: string, file: Uint8Array, by: ShareKey) {
  const share = sealToTransportKey(
    caller.module.transport.publicKey,
    'offered share',
    encodeOfferedShare(file, by),
    Buffer.from(challenge, 'hex'),
  )
  return caller.one({ command: 'offerShare', arguments: { challenge }, parts: { share } })
}

suite('founding', () => {
  test('with people, rules and custodians: what the module says of it holds', async () => {
    const caller = new Caller()
    const { error, result, parts } = await found(caller)
    assert.equal(error, undefined)
    assert.equal(parts.seal, undefined, 'no seal was asked for')
    const domainState = JSON.parse(Buffer.from(parts.state ?? []).toString())
    const state = openSignedDomainState(domainState)
    assert.partialDeepStrictEqual(state, {
      ...{ domain: result.domainId, version: 1, level: 2, development: false },
      custodians: { threshold: 2, names: ['Ada', 'Bert', 'Cleo'] },
    })
    assert.deepEqual(
      state?.people.map(({ name }) => name),
      ['Olga', 'Omar', 'Otto'],
    )
    const said = JSON.parse(Buffer.from(parts.founding ?? []).toString())
    const nobody = { events: [], signatures: [] }
    const transcript: Transcript = {
      format: transcriptFormat,
      founding: said,
      domainState,
      ...nobody,
    }
    const verified = verifyTranscript(transcript)
    assert(typeof verified !== 'string', String(verified))
    assert.equal(verified.statement.custodians?.shares.length, 3)
  })

  test('what cannot be founded is refused, and can be tried again', async () => {
    const caller = new Caller()
    const refusals: readonly [string, object][] = [
      ['ARGUMENT_INVALID', { custodians: undefined }],
      ['ARGUMENT_INVALID', { custodians: { ...custodians, threshold: 4 } }],
      ['ARGUMENT_INVALID', { custodians: { ...custodians, threshold: 1 } }],
      [
        'ARGUMENT_INVALID',
        { custodians: { threshold: 2, people: [keeper('A', 0), keeper('A', 1)] } },
      ],
      ['ARGUMENT_INVALID', { founding: { ...founding, people: [...people, people[0]] } }],
      ['ARGUMENT_INVALID', { founding: { ...founding, level: 5 } }],
      ['ARGUMENT_INVALID', { founding: { ...founding, tamper: { 'clock-back': 2 } } }],
      ['ARGUMENT_INVALID', { seal: 'passphrase' }],
      ['RULES_NOT_MET', { founding: { ...founding, people: people.slice(0, 1) } }],
      ['LEVEL_NOT_PERMITTED', { founding: { ...founding, rules: {} } }],
      ['LEVEL_NOT_PERMITTED', { development: true }],
      // No launcher has checked the source of a module in this process.
      ['LEVEL_NOT_PERMITTED', { founding: { ...founding, level: 3 } }],
    ]
    for (const [code, more] of refusals) {
      const { error } = await found(caller, more)
      assert.equal(error?.code, code, JSON.stringify(more).slice(0, 80))
      assert.equal(caller.module.state, 'uninitialised')
    }
    const sealed = caller.sealed('found', 'key-file', secret)
    const withKeyFile = await found(caller, { seal: 'key-file' }, { secret: sealed })
    assert.equal(withKeyFile.error?.code, 'LEVEL_NOT_PERMITTED', 'a key file is for level 1')
    assert.equal((await found(caller)).error, undefined)
  })

  test('a domain of level 2 holds its keys to that, attests it, and says who decides in it', async () => {
    const caller = new Caller()
    assert.equal((await found(caller)).error, undefined)
    const make = (algorithm: AlgorithmName) => {
      const of = template('AES-256', [algorithm], ['encrypt', 'decrypt'])
      const reference = { key: newKeyId(), version: 1 }
      return caller.one({ command: 'generateKey', arguments: { ...reference, template: of } })
    }
    assert.equal((await make('XAES-256-GCM')).error?.code, 'LEVEL_NOT_PERMITTED')
    assert.equal((await make('AES-256-GCM')).error, undefined)
    assert.equal((await caller.ok({ command: 'getStatus' })).result.level, 2)
    const nonce = 'ab'.repeat(16)
    const { attestation } = (await caller.ok({ command: 'attest', arguments: { nonce } })).parts
    const { statement } = (await caller.ok({ command: 'getDomainStatement' })).parts
    assert(attestation && statement)
    const domain = openDomainStatement(statement)
    assert.equal(verifyAttestation(attestation, domain, nonce).level, 2)
    assert.deepEqual(domain.people, people)
    assert.doesNotMatch(Buffer.from(statement).toString(), /"(pin|salt|hash)"/)
  })

  test('a seal beside the shares opens too', async () => {
    const caller = new Caller()
    const sealed = caller.sealed('found', 'passphrase', passphrase)
    const founded = await found(caller, { seal: 'passphrase' }, { secret: sealed })
    assert.equal(founded.error, undefined)
    const { seal } = founded.parts
    assert(seal)
    const again = await restarted(founded)
    const parts = { seal, secret: again.sealed('unlock', 'passphrase', passphrase) }
    await again.ok({ command: 'unlock', arguments: { seal: 'passphrase' }, parts })
    assert.equal(again.module.level, 2)
  })
})

suite('unlocking by shares', { timeout: 60_000 }, () => {
  test('any two of three, each once, for a challenge of this start', async () => {
    const first = new Caller()
    const founded = await found(first)
    const files = decodeList(founded.parts.shares ?? secret)
    for (const chosen of [
      [0, 1],
      [2, 0],
    ]) {
      const caller = await restarted(founded)
      let shareSet = ''
      for (const [count, index] of chosen.entries()) {
        const { result } = await offer(
          caller,
          await challengeOf(caller),
          files[index] ?? secret,
          opens[index] ?? { passphrase },
        )
        assert.partialDeepStrictEqual(result, {
          index: index + 1,
          offered: count + 1,
          threshold: 2,
        })
        shareSet = String(result.shareSet)
        const early = { command: 'unlock', arguments: { seal: 'shares', shareSet } }
        if (count === 0) assert.equal(await caller.refusal(early), 'SHARE_INVALID')
      }
      const unlock = { command: 'unlock', arguments: { seal: 'shares', shareSet } }
      const { result } = await caller.ok(unlock)
      assert.equal(result.domainId, founded.result.domainId)
      assert.equal(caller.module.state, 'operational')
    }
  })

  test('repeated, replayed, altered and foreign shares are refused, and nothing is lost', async () => {
    const founded = await found(new Caller())
    const files = decodeList(founded.parts.shares ?? secret)
    const [ada = secret, bert = secret] = files
    const [adaKey = { passphrase }, bertKey = { passphrase }] = opens
    const caller = await restarted(founded)
    const challenge = await challengeOf(caller)
    const { result } = await offer(caller, challenge, ada, adaKey)
    const replayed = await offer(caller, challenge, bert, bertKey)
    assert.equal(replayed.error?.code, 'CHALLENGE_INVALID', 'a challenge is good once')
    const twice = await offer(caller, await challengeOf(caller), ada, adaKey)
    assert.equal(twice.error?.code, 'SHARE_INVALID')
    const elsewhere = await offer(caller, '1'.repeat(64), bert, bertKey)
    assert.equal(elsewhere.error?.code, 'CHALLENGE_INVALID')

    const next = await challengeOf(caller)
    const context = Buffer.from(next, 'hex')
    const sealed = sealToTransportKey(
      caller.module.transport.publicKey,
      'offered share',
      encodeOfferedShare(bert, bertKey),
      context,
    )
    for (let bit = 0; bit < sealed.length * 8; bit += 97) {
      const share = Buffer.from(sealed)
      share.writeUInt8(share.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      const ask = { command: 'offerShare', arguments: { challenge: next }, parts: { share } }
      assert.equal(await caller.refusal(ask), 'CIPHERTEXT_INVALID')
    }
    // The challenge of a share that was refused is still good.
    const ask = { command: 'offerShare', arguments: { challenge: next }, parts: { share: sealed } }
    assert.equal((await caller.one(ask)).error, undefined)

    const other = await found(new Caller())
    const foreign = decodeList(other.parts.shares ?? secret)
    const [first] = opens
    assert(first)
    const strange = await offer(caller, await challengeOf(caller), foreign[0] ?? secret, first)
    assert.equal(strange.error?.code, 'SHARE_INVALID', 'a share of another domain')
    const right = { command: 'unlock', arguments: { seal: 'shares', shareSet: result.shareSet } }
    await caller.ok(right)
  })
})
