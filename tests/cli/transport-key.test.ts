/**
 * A secret is sealed to the module that the domain's statement names, whatever the server hands on: its own
 * key, one of an earlier start, an attestation of another module or of another time.
 */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { Command } from 'commander'
import { sealedPin } from '../../src/cli/commands/domain.ts'
import { newEpoch } from '../../src/cli/commands/epochs.ts'
import { sealedSecret } from '../../src/cli/commands/seals.ts'
import { groups } from '../../src/cli/program.ts'
import { sealingKeyFor } from '../../src/cli/transport-key.ts'
import type { Client } from '../../src/client/client.ts'
import { openDomainStatement } from '../../src/hsm/contract/attestation.ts'
import { Caller } from '../../src/hsm/door.testing.ts'

interface Answers {
  readonly transportKey: Caller
  readonly attestation: Caller
  readonly nonce?: string
}

const challenge = 'ab'.repeat(32)

/** A server that hands on what these modules say. */
function server({ transportKey, attestation, nonce }: Answers): Client {
  const call = async (name: string, request: { query?: { nonce?: string; command?: string } }) => {
    if (name === 'getStatus') return { development: false }
    if (name === 'getChallenge') return { challenge }
    if (name === 'getTransportKey') {
      return { publicKey: transportKey.module.transport.publicKey, challenge }
    }
    assert.equal(name, 'attestModule')
    const args = { nonce: nonce ?? request.query?.nonce }
    const { parts } = await attestation.ok({ command: 'attest', arguments: args })
    return JSON.parse(Buffer.from(parts.attestation ?? []).toString())
  }
  return { call } as unknown as Client
}

async function statementOf(caller: Caller) {
  const { parts } = await caller.ok({ command: 'getDomainStatement' })
  return openDomainStatement(parts.statement ?? Buffer.alloc(0))
}

suite('the transport key', () => {
  test('is the one that the member of the domain attests', async () => {
    const [module, other] = [await Caller.founded(), await Caller.founded()]
    const domain = await statementOf(module)
    const { publicKey } = module.module.transport
    const right = { transportKey: module, attestation: module }
    assert.deepEqual(await sealingKeyFor(server(right), 'importKey', domain), {
      publicKey,
      challenge,
    })
    const refused = async (answers: Answers, code: string) =>
      assert.rejects(sealingKeyFor(server(answers), 'importKey', domain), { code })
    await refused({ ...right, transportKey: other }, 'TRANSPORT_KEY_INVALID')
    await refused({ transportKey: other, attestation: other }, 'ATTESTATION_INVALID')
    await refused({ ...right, nonce: '00'.repeat(32) }, 'ATTESTATION_INVALID')
  })

  test('is the word of the server without the statement of the domain', async () => {
    const other = await Caller.founded()
    const answers = { transportKey: other, attestation: other }
    const { publicKey } = other.module.transport
    assert.deepEqual(await sealingKeyFor(server(answers), 'importKey'), { publicKey, challenge })
  })
})

suite('what people type is sealed with --domain to nobody but its member', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-transport-'))
  const at = (name: string) => path.join(folder, name)
  after(() => rmSync(folder, { recursive: true, force: true }))
  let member: Caller
  let other: Caller

  before(async () => {
    ;[member, other] = [await Caller.founded(), await Caller.founded()]
    const { parts } = await member.ok({ command: 'getDomainStatement' })
    writeFileSync(at('domain.json'), parts.statement ?? '')
    writeFileSync(at('secret'), 'a secret of many words\n', { mode: 0o600 })
  })

  const [domain, passphraseFile, pinFile] = [at('domain.json'), at('secret'), at('secret')]
  const ways: readonly [string, (client: Client) => Promise<unknown>][] = [
    ['domain pin', (client) => sealedPin(client, 'setPin', { pinFile, domain })],
    ['domain login', (client) => sealedPin(client, 'login', { pinFile, domain })],
    ['domain add-seal', (client) => sealedSecret(client, { passphraseFile, domain })],
    ['domain shred', (client) => newEpoch(client, { passphraseFile, domain })],
    ['approval request pin', (client) => sealedPin(client, 'setPin', { pinFile, domain })],
    ['approval request add-seal', (client) => sealedSecret(client, { passphraseFile, domain })],
    ['approval request shred', (client) => newEpoch(client, { passphraseFile, domain })],
  ]
  for (const [words, seal] of ways) {
    test(words, async () => {
      const program = new Command('keyhold')
      for (const { add } of groups) await add(program)
      const command = words
        .split(' ')
        .reduce<Command | undefined>(
          (above, word) => above?.commands.find((one) => one.name() === word),
          program,
        )
      assert(command?.options.some(({ long }) => long === '--domain'))
      await seal(server({ transportKey: member, attestation: member }))
      const lying = server({ transportKey: other, attestation: member })
      await assert.rejects(seal(lying), { code: 'TRANSPORT_KEY_INVALID' })
    })
  }
})
