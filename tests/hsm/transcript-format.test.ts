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
    const digests: Readonly<Record<string, string | null>> = { ed25519: null, 'p-256': 'sha256' }
    for (const { name, signature } of transcript.signatures) {
      const { credential } = state.people.find((person: { name: string }) => person.name === name)
      const der = Buffer.from(credential.publicKey, 'base64')
      const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
      const digest = digests[credential.kind]
      assert(verify(digest, Buffer.from(message), key, Buffer.from(signature, 'base64')), name)
    }
    assert.equal(transcript.signatures.length, 2)
  })
})

test('docs/formats/transcript.json is what the code checks', () => {
  const verified = verifyTranscript(transcript)
  assert(typeof verified !== 'string', String(verified))
  assert.deepEqual([verified.signed, verified.missing], [['olga', 'otto'], []])
})
