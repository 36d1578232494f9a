/**
 * Passkeys: the W3C's own assertions, the same keys with everything altered that a relying party has to
 * look at, and approvals by passkeys through the door.
 */

import assert from 'node:assert/strict'
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  hkdfSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { suite, test } from 'node:test'
import { hex, readText } from '../../tests/vectors/files.ts'
import {
  approved,
  enrol,
  refusesAndRecords,
  type Signer,
  twoOfficers,
} from './approvals.testing.ts'
import { type PasskeyAssertion, verifyPasskey } from './contract/passkey.ts'
import { type Ask, Caller, newKeyId } from './door.testing.ts'

interface Vector {
  readonly section: string
  readonly info: string
  readonly kind: 'p-256' | 'ed25519'
  readonly challengeSalt: string
  readonly challenge: string
  readonly authenticatorData: string
  readonly clientDataJSON: string
  readonly signature: string
}

const { vectors } = JSON.parse(readText('webauthn/assertions.json')) as {
  readonly vectors: readonly Vector[]
}
const relyingParty = 'example.org'
const origin = 'https://example.org'

function derived(salt: string, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', 'WebAuthn test vectors', hex(salt), info, 32))
}

/** The private key that section 16 derives for a vector. */
function privateKeyOf({ kind, info }: Vector): KeyObject {
  const raw = derived('01', info)
  return kind === 'ed25519'
    ? createPrivateKey({ key: raw, format: 'raw-private', asymmetricKeyType: 'ed25519' })
    : createPrivateKey({
        ...{ key: raw, format: 'raw-private', asymmetricKeyType: 'ec', namedCurve: 'P-256' },
      })
}

function credentialOf(key: KeyObject, place: object = {}) {
  const der = createPublicKey(key).export({ format: 'der', type: 'spki' })
  const publicKey = der.toString('base64')
  return { ...{ kind: 'passkey' as const, publicKey, relyingParty, origin }, ...place }
}

/** Signed as an authenticator does it: authenticator data, then the hash of the client data. */
function assertion(
  key: KeyObject,
  authenticatorData: Buffer,
  clientData: Buffer,
): PasskeyAssertion {
  const signed = Buffer.concat([authenticatorData, hash('sha256', clientData, 'buffer')])
  const digest = key.asymmetricKeyType === 'ec' ? 'sha256' : null
  return { authenticatorData, clientData, signature: sign(digest, signed, key) }
}

function authenticatorDataOf({ party = relyingParty, flags = 0x05, more = '' } = {}): Buffer {
  const end = Buffer.from([flags, 0, 0, 0, 0])
  return Buffer.concat([hash('sha256', party, 'buffer'), end, Buffer.from(more, 'hex')])
}

function clientDataOf(challenge: Uint8Array, members: object = {}): Buffer {
  const text = Buffer.from(challenge).toString('base64url')
  const data = { type: 'webauthn.get', challenge: text, origin, crossOrigin: false, ...members }
  return Buffer.from(JSON.stringify(data))
}

suite('the assertions of WebAuthn level 3 section 16', () => {
  /** Everything else in them is right, but we ask for a verified user and one origin. */
  const expected: Readonly<Record<string, boolean>> = { '16.6': true }

  for (const vector of vectors) {
    const { section, info, challengeSalt } = vector
    test(`${section} ${info}`, () => {
      const key = privateKeyOf(vector)
      const challenge = hex(vector.challenge)
      assert.deepEqual(derived(challengeSalt, info), challenge)
      const published = {
        authenticatorData: hex(vector.authenticatorData),
        clientData: hex(vector.clientDataJSON),
        signature: hex(vector.signature),
      }
      const { authenticatorData, clientData, signature } = published
      const signed = Buffer.concat([authenticatorData, hash('sha256', clientData, 'buffer')])
      const digest = vector.kind === 'p-256' ? 'sha256' : null
      assert(verify(digest, signed, createPublicKey(key), signature), 'the vector itself')
      const credential = credentialOf(key)
      assert.equal(verifyPasskey(credential, challenge, published), expected[section] ?? false)
      // The same key and challenge, with the user verified and in no frame.
      authenticatorData.writeUInt8((authenticatorData[32] ?? 0) | 0x04, 32)
      const client = Buffer.from(String(clientData).replace('n":true', 'n":false'))
      assert(verifyPasskey(credential, challenge, assertion(key, authenticatorData, client)))
    })
  }

  test('invariant 6: no bit of a published assertion can change', () => {
    const vector = vectors.find(({ section }) => section === '16.6')
    assert(vector)
    const credential = credentialOf(privateKeyOf(vector))
    const challenge = hex(vector.challenge)
    const published = {
      authenticatorData: hex(vector.authenticatorData),
      clientData: hex(vector.clientDataJSON),
      signature: hex(vector.signature),
    }
    for (const bytes of Object.values(published)) {
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const at = bit >> 3
        const before = bytes[at] ?? 0
        bytes.writeUInt8(before ^ (1 << (bit & 7)), at)
        assert.equal(verifyPasskey(credential, challenge, published), false)
        bytes.writeUInt8(before, at)
      }
    }
    assert(verifyPasskey(credential, challenge, published))
  })
})

suite('what is looked at', () => {
  const { privateKey: ec } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { privateKey: ed } = generateKeyPairSync('ed25519')
  const challenge = hash('sha256', 'a statement', 'buffer')
  const client = clientDataOf(challenge)
  const other = hash('sha256', 'another', 'buffer')
  const right = authenticatorDataOf()

  const accepted: Readonly<Record<string, readonly [Buffer, Buffer]>> = {
    'present and verified': [right, client],
    'backed up': [authenticatorDataOf({ flags: 0x1d }), client],
    'no word of a frame': [right, clientDataOf(challenge, { crossOrigin: undefined })],
    'members of the future': [right, clientDataOf(challenge, { more: { a: 1 } })],
  }
  const refused: Readonly<Record<string, readonly [Buffer, Buffer]>> = {
    'user not present': [authenticatorDataOf({ flags: 0x04 }), client],
    'user not verified': [authenticatorDataOf({ flags: 0x01 }), client],
    'backed up, which it cannot be': [authenticatorDataOf({ flags: 0x15 }), client],
    'attested data that is not there': [authenticatorDataOf({ flags: 0x45 }), client],
    'extensions that are not there': [authenticatorDataOf({ flags: 0x85 }), client],
    extensions: [authenticatorDataOf({ flags: 0x85, more: 'a0' }), client],
    'too short': [right.subarray(0, 36), client],
    'another relying party': [authenticatorDataOf({ party: 'example.com' }), client],
    'another origin': [right, clientDataOf(challenge, { origin: 'https://evil.example.org' })],
    'another port': [right, clientDataOf(challenge, { origin: 'https://example.org:444' })],
    'a frame of another origin': [right, clientDataOf(challenge, { crossOrigin: true })],
    'a frame, in other words': [right, clientDataOf(challenge, { crossOrigin: 'true' })],
    'inside of another page': [right, clientDataOf(challenge, { topOrigin: 'https://a.example' })],
    'a registration': [right, clientDataOf(challenge, { type: 'webauthn.create' })],
    'no type': [right, clientDataOf(challenge, { type: undefined })],
    'another challenge': [right, clientDataOf(other)],
    'a challenge in hex': [
      right,
      clientDataOf(challenge, { challenge: challenge.toString('hex') }),
    ],
    'no JSON': [right, Buffer.from('{')],
    'not an object': [right, Buffer.from('[]')],
    null: [right, Buffer.from('null')],
    nothing: [right, Buffer.alloc(0)],
    'too long': [right, clientDataOf(challenge, { more: 'x'.repeat(4_096) })],
  }
  for (const key of [ec, ed]) {
    const kind = key.asymmetricKeyType
    for (const [name, [data, clientData]] of Object.entries(accepted)) {
      test(`${kind}: ${name}: accepted`, () => {
        assert(verifyPasskey(credentialOf(key), challenge, assertion(key, data, clientData)))
      })
    }
    for (const [name, [data, clientData]] of Object.entries(refused)) {
      test(`${kind}: ${name}: refused`, () => {
        const signed = assertion(key, data, clientData)
        assert.equal(verifyPasskey(credentialOf(key), challenge, signed), false)
      })
    }
  }

  test('by another key: refused', () => {
    for (const [by, of] of [
      [ec, ed],
      [ed, ec],
      [generateKeyPairSync('ed25519').privateKey, ed],
    ] as const) {
      assert.equal(verifyPasskey(credentialOf(of), challenge, assertion(by, right, client)), false)
    }
  })
})

function passkeySigner(name: string, key: KeyObject): Signer {
  return {
    asked: { name, roles: ['officer'], credential: credentialOf(key) },
    approve: (statement) => {
      const challenge = hash('sha256', statement, 'buffer')
      const signed = assertion(key, authenticatorDataOf(), clientDataOf(challenge))
      const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
      return {
        person: name,
        signature: base64(signed.signature),
        authenticatorData: base64(signed.authenticatorData),
        clientData: base64(signed.clientData),
      }
    },
  }
}

suite('approvals by passkey', () => {
  const destroy = (): Ask => ({
    command: 'destroyKey',
    arguments: { key: newKeyId(), version: 1 },
  })

  test('the challenge is the digest of the statement', async () => {
    const caller = await Caller.founded()
    const anna = passkeySigner('anna', generateKeyPairSync('ed25519').privateKey)
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    const ben = passkeySigner('ben', ec)
    const people = [anna, ben].map(({ asked }) => asked)
    await enrol(caller, { people, rules: { officers: twoOfficers, destroy: twoOfficers } })
    await caller.ok(await approved(caller, destroy(), anna, ben))
    // A plain signature of the same key is none.
    const plain: Signer = {
      ...ben,
      approve: (statement) => ({
        person: 'ben',
        signature: sign('sha256', statement, ec).toString('base64'),
      }),
    }
    const ask = await approved(caller, destroy(), anna, plain)
    await refusesAndRecords(caller, 'APPROVAL_INVALID', ask)
    const { parts } = await approved(caller, destroy(), anna, ben)
    await refusesAndRecords(caller, 'APPROVAL_INVALID', { ...destroy(), parts: parts ?? {} })
  })

  test('has two factors, which level 4 asks of officers', async () => {
    const caller = await Caller.founded()
    const signers = ['anna', 'ben'].map((name) =>
      passkeySigner(name, generateKeyPairSync('ed25519').privateKey),
    )
    const people = signers.map(({ asked }) => asked)
    await enrol(caller, { people, rules: { officers: twoOfficers, destroy: twoOfficers } })
    const { ledger } = caller.module.open
    const state = { ...ledger.domainState, level: 4 }
    ledger.putDomainState({ ...ledger.signedDomainState, statement: JSON.stringify(state) })
    await caller.ok(await approved(caller, destroy(), ...signers))
  })

  test('enrolment: an origin of https, or of this machine, and a party of that origin', async () => {
    const caller = await Caller.founded()
    const { privateKey } = generateKeyPairSync('ed25519')
    const ask = (place: object): Ask => ({
      command: 'changeDomain',
      arguments: {
        change: {
          people: [
            { name: 'anna', roles: ['officer'], credential: credentialOf(privateKey, place) },
          ],
        },
      },
    })
    for (const place of [
      { origin: 'http://example.org' },
      { origin: 'https://example.org/' },
      { origin: 'https://EXAMPLE.org' },
      { origin: 'https://example.com' },
      { origin: 'https://notexample.org' },
      { origin: 'example.org' },
      { origin: undefined },
      { relyingParty: 'Example.org' },
      { relyingParty: undefined },
      { relyingParty: '' },
    ]) {
      await refusesAndRecords(caller, 'ARGUMENT_INVALID', ask(place))
    }
    await caller.ok(ask({ origin: 'https://keys.example.org:8443' }))
    await caller.ok(ask({ origin: 'http://localhost:8080', relyingParty: 'localhost' }))
  })
})
