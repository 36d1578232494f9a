/**
 * docs/formats/approval.json, read with what the specification says and node:crypto alone, and by the
 * code: a change of the format fails here.
 */

import assert from 'node:assert/strict'
import { createHash, createPrivateKey, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import { checkApprovals } from '../../src/hsm/approvals.ts'
import {
  type Approval,
  type Approvals,
  type ApprovalTerms,
  approvalStatement,
} from '../../src/hsm/contract/approval.ts'
import type { DomainState } from '../../src/hsm/contract/domain-state.ts'

const file = path.join(import.meta.dirname, '../../docs/formats/approval.json')
type Kind = 'ed25519' | 'p-256' | 'ml-dsa-65' | 'passkey'
const vector = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly seeds: Readonly<Record<Kind, string>>
  readonly people: Readonly<Record<Kind, string>>
  readonly publicKeys: Readonly<Record<Kind, string>>
  readonly relyingParty: string
  readonly origin: string
  readonly domain: string
  /** Stands for the document of which the predecessor is the digest. */
  readonly domainState: string
  readonly cases: readonly {
    readonly name: string
    readonly command: string
    readonly arguments: object
    readonly parts: Readonly<Record<string, string>>
    readonly terms: ApprovalTerms
    readonly statement: string
    readonly part: string
  }[]
}
const kinds = Object.keys(vector.people) as Kind[]

function privateKey(kind: Kind): KeyObject {
  const key = Buffer.from(vector.seeds[kind], 'hex')
  if (kind === 'ed25519') {
    return createPrivateKey({ key, format: 'raw-private', asymmetricKeyType: 'ed25519' })
  }
  if (kind === 'ml-dsa-65') {
    return createPrivateKey({ key, format: 'raw-seed', asymmetricKeyType: 'ml-dsa-65' })
  }
  return createPrivateKey({
    ...{ key, format: 'raw-private', asymmetricKeyType: 'ec', namedCurve: 'P-256' },
  })
}

function publicKey(kind: Kind): KeyObject {
  const key = Buffer.from(vector.publicKeys[kind], 'base64')
  return createPublicKey({ key, format: 'der', type: 'spki' })
}

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest()

suite('docs/formats/approval.json by the text alone', () => {
  test('public keys are those of the seeds', () => {
    for (const kind of kinds) {
      assert(createPublicKey(privateKey(kind)).equals(publicKey(kind)), kind)
    }
  })

  for (const { name, statement, part, parts, terms, ...said } of vector.cases) {
    test(name, () => {
      const value = JSON.parse(statement)
      assert.equal(JSON.stringify(value), statement)
      assert.deepEqual(Object.keys(value), Object.keys(value).toSorted())
      const { wrapped: _, ...others } = parts
      const digests = Object.entries(others).map(([key, hex]) => [
        key,
        sha256(Buffer.from(hex, 'hex')).toString('hex'),
      ])
      assert.deepEqual(value, {
        format: 'keyhold approval v1',
        domain: vector.domain,
        ...said,
        parts: Object.fromEntries(digests),
        ...terms,
      })
      const { approvals, ...partTerms } = JSON.parse(part) as Approvals
      assert.deepEqual(partTerms, terms)
      const bytes = Buffer.from(statement)
      for (const [index, kind] of kinds.entries()) {
        const approval = approvals[index]
        assert(approval)
        assert.equal(approval.person, vector.people[kind])
        const signature = Buffer.from(approval.signature, 'base64')
        const digest = kind === 'p-256' || kind === 'passkey' ? 'sha256' : null
        const signed = kind === 'passkey' ? assertionOf(approval, bytes) : bytes
        assert(verify(digest, signed, publicKey(kind), signature), kind)
      }
    })
  }
})

/** Section 2: what a passkey signed, after what has to be looked at. */
function assertionOf({ authenticatorData = '', clientData = '' }: Approval, statement: Buffer) {
  const data = Buffer.from(authenticatorData, 'base64')
  const client = Buffer.from(clientData, 'base64')
  assert.equal(data.length, 37)
  assert.deepEqual(data.subarray(0, 32), sha256(vector.relyingParty))
  assert.equal(data.readUInt8(32), 0x05)
  assert.deepEqual(JSON.parse(client.toString()), {
    type: 'webauthn.get',
    challenge: sha256(statement).toString('base64url'),
    origin: vector.origin,
    crossOrigin: false,
  })
  return Buffer.concat([data, sha256(client)])
}

suite('docs/formats/approval.json by the code', () => {
  for (const { name, statement, part, parts: hexParts, terms, ...said } of vector.cases) {
    const parts = Object.fromEntries(
      Object.entries(hexParts).map(([key, hex]) => [key, Buffer.from(hex, 'hex')]),
    )

    test(name, () => {
      assert.equal(String(approvalStatement(vector.domain, { ...said, parts }, terms)), statement)
      const people = kinds.map((kind) => {
        const place = { relyingParty: vector.relyingParty, origin: vector.origin }
        const publicKeyText = vector.publicKeys[kind]
        const credential = { kind, publicKey: publicKeyText, ...(kind === 'passkey' ? place : {}) }
        return { name: vector.people[kind], roles: ['officer'], credential, pin: null }
      })
      const signed = {
        statement: vector.domainState,
        signature: { ed25519: '', mlDsa65: '' },
        mac: '',
      }
      const question = {
        domain: {
          domainId: Buffer.from(vector.domain, 'hex'),
          moduleId: Buffer.from('bb'.repeat(16), 'hex'),
        },
        stored: signed,
        state: { people } as unknown as DomainState,
        ...said,
        parts: { ...parts, approvals: Buffer.from(part) },
        now: terms.notBefore,
        changesState: terms.predecessor !== '',
        isPresent: () => true,
        assertChallenge: (challenge: string) => assert.equal(challenge, terms.challenge),
      }
      assert.equal(checkApprovals(question)?.signers.length, kinds.length)
    })
  }
})
