/** What a browser hands in for a new passkey, made here by hand: only what the module would accept is enrolled. */

import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { suite, test } from 'node:test'
import { freePort } from '../../../tests/cli/free-port.ts'
import { approveInBrowser, enrolInBrowser } from './ask.ts'

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const spkiOf = ({ publicKey }: { readonly publicKey: KeyObject }) =>
  base64(publicKey.export({ format: 'der', type: 'spki' }))
const id = base64(Buffer.alloc(16, 1))

interface Given {
  /** User present and verified, and whatever else. */
  readonly flags?: number
  readonly client?: object
  readonly more?: object
}

/** As WebAuthn level 3 sections 5.8.1 and 6.1 say. */
function answerTo(challenge: Buffer, origin: string, { flags = 0x05, client, more }: Given) {
  const party = createHash('sha256').update('localhost').digest()
  const authenticatorData = Buffer.concat([party, Buffer.from([flags, 0, 0, 0, 1])])
  const asked = { type: 'webauthn.get', challenge: challenge.toString('base64url'), origin }
  const clientData = Buffer.from(JSON.stringify({ ...asked, crossOrigin: false, ...client }))
  const digest = createHash('sha256').update(clientData).digest()
  const signature = sign('sha256', Buffer.concat([authenticatorData, digest]), pair.privateKey)
  const signed = { authenticatorData, clientData, signature }
  const texts = Object.entries(signed).map(([name, bytes]) => [name, base64(bytes)])
  return { id, publicKey: spkiOf(pair), ...Object.fromEntries(texts), ...more }
}

async function enrol(given: Given): ReturnType<typeof enrolInBrowser> {
  const port = await freePort()
  const { promise: told, resolve: tell } = Promise.withResolvers<string>()
  const enrolled = enrolInBrowser('<anna>', {
    port,
    seconds: 10,
    signal: AbortSignal.any([]),
    tell,
  })
  const url = await told
  const { origin } = new URL(url)
  const page = await (await fetch(url)).text()
  assert(!page.includes('<anna>'), 'nothing that was given is markup')
  const [, challenge = ''] = /challenge&quot;:&quot;([^&]+)/.exec(page) ?? []
  const body = JSON.stringify(answerTo(Buffer.from(challenge, 'base64'), origin, given))
  const headers = { origin, 'content-type': 'application/json' }
  const sent = fetch(`${url}answer`, { method: 'POST', headers, body })
  const [made] = await Promise.allSettled([enrolled, sent])
  if (made.status === 'rejected') throw made.reason
  return made.value
}

suite('a passkey from the browser', () => {
  test('that has signed, its user verified, is enrolled', async () => {
    const { passkey, isSynchronisable } = await enrol({})
    assert.deepEqual(passkey, {
      id,
      credential: {
        ...{ kind: 'passkey', publicKey: spkiOf(pair), relyingParty: 'localhost' },
        origin: passkey.credential.origin,
      },
    })
    assert.equal(isSynchronisable, false)
    assert.equal((await enrol({ flags: 0x0d })).isSynchronisable, true)
  })

  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const refusals: readonly [string, Given, string?][] = [
    ['without its user verified', { flags: 0x01 }],
    ['without its user present', { flags: 0x04 }],
    ['for another challenge', { client: { challenge: 'AAAA' } }],
    ['on a page of somewhere else', { client: { origin: 'http://localhost:1' } }],
    ['in a frame of somewhere else', { client: { crossOrigin: true } }],
    ['by another key', { more: { publicKey: spkiOf(other) } }],
    ['by a key of another kind', { more: { publicKey: spkiOf(rsa) } }, 'ARGUMENT_INVALID'],
    ['with an id that is too long', { more: { id: base64(Buffer.alloc(1_024)) } }],
    ['with something more', { more: { transports: [] } }],
    ['with something less', { more: { signature: undefined } }],
  ]
  for (const [what, given, code = 'ANSWER_INVALID'] of refusals) {
    test(`${what}: refused`, () => assert.rejects(enrol(given), { code }))
  }

  test('that answers to pages of somewhere else is not asked here', () => {
    const place = { relyingParty: 'example.org', origin: 'https://example.org' }
    const credential = { kind: 'passkey', publicKey: spkiOf(pair), ...place } as const
    const where = { seconds: 1, signal: AbortSignal.any([]), tell: assert.fail }
    const ask = () => approveInBrowser([], { person: 'anna', passkey: { id, credential } }, where)
    assert.throws(ask, { code: 'FILE_INVALID' })
  })
})
