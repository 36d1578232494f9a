/**
 * docs/formats/transcript.json, checked with what the specification says and node:crypto alone, and by the
 * code: a change of the format fails here.
 */

import assert from 'node:assert/strict'
import { createHash, createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import { type Transcript, verifyTranscript } from '../../src/hsm/contract/transcript.ts'

const file = path.join(import.meta.dirname, '../../docs/formats/transcript.json')
const transcript = JSON.parse(readFileSync(file, 'utf8')) as Transcript
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

interface Signed {
  readonly statement: string
  readonly signature: { readonly ed25519: string; readonly mlDsa65: string }
}

function isSigned({ statement, signature }: Signed, member: Record<string, string>): boolean {
  const halves = [
    ['ed25519', member.ed25519, signature.ed25519],
    ['ml-dsa-65', member.mlDsa65, signature.mlDsa65],
  ] as const
  return halves.every(([asymmetricKeyType, key = '', text]) => {
    const raw = { key: Buffer.from(key, 'hex'), format: 'raw-public', asymmetricKeyType } as const
    return verify(null, Buffer.from(statement), createPublicKey(raw), Buffer.from(text, 'base64'))
  })
}

suite('docs/formats/transcript.json by the text alone', () => {
  const state = JSON.parse(transcript.domainState.statement)
  const statement = JSON.parse(transcript.founding.statement)

  test('the module signed its statement and the domain state, which belong together', () => {
    const [member] = state.members
    assert(isSigned(transcript.domainState, member))
    assert(isSigned(transcript.founding, member))
    assert.equal(statement.format, 'keyhold founding v1')
    assert.equal(statement.domainState, sha256(transcript.domainState.statement))
    assert.deepEqual([statement.domain, statement.module], [state.domain, state.maker])
    const { shareSet, threshold, shares } = statement.custodians
    assert.deepEqual(
      { shareSet, threshold, names: shares.map(({ name }: { name: string }) => name) },
      state.custodians,
    )
  })

  test('people signed it with what was noted, in the order of RFC 8785', () => {
    const events = transcript.events.map(
      ({ event, name, time }) => `{"event":"${event}","name":"${name}","time":${time}}`,
    )
    const founding = sha256(transcript.founding.statement)
    const message = `{"events":[${events.join(',')}],"format":"keyhold founding transcript v1","founding":"${founding}"}`
    const digests: Readonly<Record<string, string | null>> = {
      ed25519: null,
      'p-256': 'sha256',
      passkey: 'sha256',
    }
    for (const { name, signature, ...passkey } of transcript.signatures) {
      const { credential } = state.people.find((person: { name: string }) => person.name === name)
      const der = Buffer.from(credential.publicKey, 'base64')
      const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
      const signed = credential.kind === 'passkey' ? signedBy(passkey, message) : message
      const [digest, bytes] = [digests[credential.kind], Buffer.from(signature, 'base64')]
      assert(verify(digest, Buffer.from(signed), key, bytes), name)
    }
    assert.equal(transcript.signatures.length, 3)
  })
})

test('docs/formats/transcript.json is what the code checks', () => {
  const verified = verifyTranscript(transcript)
  assert(typeof verified !== 'string', String(verified))
  assert.deepEqual([verified.signed, verified.missing], [['olga', 'otto', 'petra'], []])
})

test('a passkey signs what it was asked for, and nothing else is taken for it', () => {
  const [olga, , petra] = transcript.signatures
  assert(olga && petra?.authenticatorData && petra.clientData)
  const { authenticatorData, clientData, ...bare } = petra
  const other = Buffer.from(clientData, 'base64')
    .toString()
    .replace('webauthn.get', 'webauthn.create')
  const unverified = Buffer.from(authenticatorData, 'base64')
  unverified[32] = 1
  const forged: readonly Transcript['signatures'][number][] = [
    bare,
    { ...petra, clientData: Buffer.from(other).toString('base64') },
    { ...petra, authenticatorData: unverified.toString('base64') },
    { ...petra, clientData: `${clientData} ` },
    { ...olga, authenticatorData, clientData },
  ]
  for (const one of forged) {
    const why = `the signature of ${one.name} is wrong`
    assert.equal(verifyTranscript({ ...transcript, signatures: [one] }), why)
  }
  const events = transcript.events.slice(1)
  const changed = verifyTranscript({ ...transcript, events, signatures: [petra] })
  assert.equal(changed, 'the signature of petra is wrong')
})

/** WebAuthn level 3 section 7.2, for what is in this file. */
function signedBy(
  { authenticatorData = '', clientData = '' }: Partial<Transcript['signatures'][number]>,
  message: string,
): Buffer {
  const [data, client] = [authenticatorData, clientData].map((text) => Buffer.from(text, 'base64'))
  assert(data && client)
  const { type, challenge, origin } = JSON.parse(client.toString())
  assert.deepEqual([type, origin], ['webauthn.get', 'http://localhost:4653'])
  assert.equal(Buffer.from(challenge, 'base64url').toString('hex'), sha256(message))
  assert.equal(data.subarray(0, 32).toString('hex'), sha256('localhost'))
  return Buffer.concat([data, createHash('sha256').update(client).digest()])
}
