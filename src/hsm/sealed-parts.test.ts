/**
 * What comes in sealed comes in once: a manager who keeps every request that it carried brings back no key
 * that was destroyed (invariant 2), and no secret for another command than it was sealed for.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { refuses } from './commands.testing.ts'
import { approvalMsMax } from './contract/approval.ts'
import { type ImportTerms, sealKeyToImport } from './contract/import.ts'
import { passphrasesFor, sealForCommand, sealSecretFor } from './contract/sealed-part.ts'
import { encodeList } from './contract/share.ts'
import { type Ask, Caller, newKeyId, p256, template } from './door.testing.ts'
import { stagedAgain } from './restart.testing.ts'

const caller = await Caller.founded()
const bytes = Buffer.alloc(32, 7)
const aes = template('AES-256', ['AES-256-GCM'], ['encrypt'])
const anImport = (): ImportTerms => ({
  ...{ key: newKeyId(), version: 1 },
  ...{ template: aes, class: 'secret' },
})

const challengeFor = ({ module }: Caller, command: string) =>
  module.challenges.issue(command, module.now()).challenge

function importing(args: ImportTerms, to = caller): Ask {
  const parts = { sealed: to.sealedKey(args, bytes) }
  return { command: 'importKey', arguments: args, parts }
}

suite('a key that was imported', () => {
  test('does not come back by the same request, whatever became of it', async () => {
    const args = anImport()
    const reference = { key: args.key, version: 1 }
    const ask = importing(args)
    await caller.ok(ask)
    await caller.ok({ command: 'unloadKey', arguments: reference })
    await refuses(caller, 'CHALLENGE_INVALID', ask)
    await caller.ok({ command: 'destroyKey', arguments: reference })
    await refuses(caller, 'KEY_DESTROYED', ask)
    await caller.ok({
      command: 'beginEpoch',
      arguments: { seal: 'key-file' },
      parts: { secret: caller.sealed('beginEpoch', 'key-file', Buffer.alloc(32, 8)) },
    })
    await caller.ok({ command: 'commitEpoch' })
    await caller.ok({ command: 'retireKek' })
    // The floor knows nothing of it any more.
    await refuses(caller, 'CHALLENGE_INVALID', ask)
  })

  test('nor after a change of the domain that destroyed every key', async () => {
    const change = (asked: object): Ask => ({ command: 'changeDomain', arguments: asked })
    await caller.ok(change({ change: { tamper: { 'chassis-opened': 2 } } }))
    const ask = importing(anImport())
    await caller.ok(ask)
    await caller.ok(change({ change: { tamper: {}, destroysKeys: true } }))
    await refuses(caller, 'CHALLENGE_INVALID', ask)
    await caller.ok(importing(anImport()))
  })

  test('is imported once when it is asked for twice in one frame', async () => {
    const ask = importing(anImport())
    const { items } = await caller.ask(ask, ask)
    const codes = items.map(({ error }) => error?.code)
    assert.deepEqual(codes, [undefined, 'CHALLENGE_INVALID'])
  })
})

suite('the challenge of an import', () => {
  test('is one for this command, of this module, for seven days', async () => {
    let time = Date.now()
    const timed = await Caller.founded({ clock: () => time * 1_000 })
    const args = anImport()
    const asked = (challenge: string): Ask => {
      const sealed = sealKeyToImport(timed.module.transport.publicKey, challenge, args, bytes)
      return { command: 'importKey', arguments: args, parts: { sealed } }
    }
    const foreign = [challengeFor(caller, 'importKey'), challengeFor(timed, 'addSeal')]
    for (const challenge of [...foreign, '0'.repeat(64)]) {
      await refuses(timed, 'CHALLENGE_INVALID', asked(challenge))
    }
    const late = asked(challengeFor(timed, 'importKey'))
    time += approvalMsMax
    await refuses(timed, 'CHALLENGE_INVALID', late)
    await timed.ok(asked(challengeFor(timed, 'importKey')))
  })

  test('cannot be put in front of what was sealed for another', async () => {
    const ask = importing(anImport())
    const other = Buffer.from(challengeFor(caller, 'importKey'), 'hex')
    const sealed = Buffer.concat([other, ask.parts?.sealed?.subarray(32) ?? other])
    await refuses(caller, 'CIPHERTEXT_INVALID', { ...ask, parts: { sealed } })
    await caller.ok(ask)
  })

  test('is given back by an import that failed', async () => {
    const args = { ...anImport(), template: p256, class: 'private' } as const
    const ask = importing(args)
    // The second time it is the key again that is refused, not the challenge.
    for (let times = 0; times < 2; times += 1) await refuses(caller, 'ARGUMENT_INVALID', ask)
  })
})

suite('the secret of a seal', () => {
  const secret = Buffer.alloc(32, 9)
  const adding = (sealed: Uint8Array, seal = 'key-file'): Ask => ({
    command: 'addSeal',
    arguments: { seal },
    parts: { secret: sealed },
  })

  test('makes one seal, of its kind, by the command that it was sealed for', async () => {
    const caller = new Caller()
    const sealed = caller.sealed('found', 'key-file', secret)
    const args = { development: true, seal: 'key-file' }
    const ask = { command: 'found', arguments: args, parts: { secret: sealed } }
    const other = caller.sealed('addSeal', 'key-file', secret)
    assert.equal(await caller.refusal({ ...ask, parts: { secret: other } }), 'CIPHERTEXT_INVALID')
    await caller.ok(ask)
    for (const seal of ['key-file', 'passphrase', 'tpm']) {
      await refuses(caller, 'CIPHERTEXT_INVALID', adding(sealed, seal))
    }
    await refuses(caller, 'CIPHERTEXT_INVALID', adding(other, 'passphrase'))
    await caller.ok(adding(other))
    await refuses(caller, 'CHALLENGE_INVALID', adding(other))
  })

  test('opens the domain once, and again after it was refused', async () => {
    const before = await Caller.founded()
    const { caller, seal } = await stagedAgain(before)
    const ask = (sealed: Uint8Array): Ask => ({
      command: 'unlock',
      arguments: { seal: 'key-file' },
      parts: { seal, secret: sealed },
    })
    const wrong = ask(caller.sealed('unlock', 'key-file', secret))
    for (let times = 0; times < 2; times += 1) {
      assert.equal(await caller.refusal(wrong), 'SEAL_INVALID')
    }
    const foreign = before.sealed('unlock', 'key-file', bytes)
    assert.equal(await caller.refusal(ask(foreign)), 'CIPHERTEXT_INVALID')
    await caller.ok(ask(caller.sealed('unlock', 'key-file', bytes)))
  })

  test('begins an epoch again that was let go, and none after one that was taken up', async () => {
    const caller = await Caller.founded()
    const sealed = caller.sealed('beginEpoch', 'key-file', secret)
    const ask = {
      command: 'beginEpoch',
      arguments: { seal: 'key-file' },
      parts: { secret: sealed },
    }
    await caller.ok(ask)
    await caller.ok({ command: 'abortEpoch' })
    await caller.ok(ask)
    await caller.ok({ command: 'commitEpoch' })
    await caller.ok({ command: 'retireKek' })
    await refuses(caller, 'CHALLENGE_INVALID', ask)
  })
})

suite('passphrases of custodians', () => {
  const list = encodeList([Buffer.from('correct horse battery staple')])
  const custodians = {
    threshold: 2,
    people: ['Ada', 'Bert'].map((name) => ({ name, kind: 'passphrase' })),
  }
  const found = (passphrases: Uint8Array): Ask => ({
    command: 'found',
    arguments: { development: true, custodians },
    parts: { passphrases },
  })

  test('are for one founding or epoch, and are no secret of a seal', async () => {
    const caller = new Caller()
    const { challenge } = caller.module.challenges.issue('found', caller.module.now())
    const { publicKey } = caller.module.transport
    const seal = sealForCommand(publicKey, challenge, sealSecretFor('found', 'passphrase'), list)
    assert.equal(await caller.refusal(found(seal)), 'CIPHERTEXT_INVALID')
    const epoch = caller.sealedFor(passphrasesFor('beginEpoch'), list)
    assert.equal(await caller.refusal(found(epoch)), 'CIPHERTEXT_INVALID')
    // One passphrase for two custodians: refused, and may be tried again.
    const sealed = caller.sealedFor(passphrasesFor('found'), list)
    for (let times = 0; times < 2; times += 1) {
      assert.equal(await caller.refusal(found(sealed)), 'ARGUMENT_INVALID')
    }
  })
})
