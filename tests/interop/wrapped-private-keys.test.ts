/**
 * Private keys wrapped as PKCS#8 under AES-KWP (RFC 5649), the way keys move between modules:
 * openssl unwraps a key that was generated here and reads the same key in it, and a key that
 * openssl made and wrapped signs or agrees here as its owner would.
 */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { assertProblem, base64, bytesOf } from '../rest/people.ts'
import { Bench } from './openssl.ts'

let bench: Bench
before(async () => {
  bench = await Bench.start()
})
after(() => bench?.[Symbol.asyncDispose]())

const message = Buffer.from('a message to be signed\n')
const rsa = ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048']
const ec = (curve: string) => ['-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${curve}`]

/** Type here, what it signs with, and how openssl makes one and verifies its signature. */
const types = [
  { type: 'RSA-2048', algorithm: 'RSASSA-PKCS1-v1_5-SHA-256', made: rsa, raw: false },
  { type: 'P-256', algorithm: 'ECDSA-SHA-256', made: ec('P-256'), raw: false },
  { type: 'P-521', algorithm: 'ECDSA-SHA-256', made: ec('P-521'), raw: false },
  { type: 'secp256k1', algorithm: 'ECDSA-SHA-256', made: ec('secp256k1'), raw: false },
  { type: 'brainpoolP384r1', algorithm: 'ECDSA-SHA-256', made: ec('brainpoolP384r1'), raw: false },
  { type: 'Ed25519', algorithm: 'Ed25519', made: ['-algorithm', 'ED25519'], raw: true },
] as const

function verifies(publicKey: string, signature: Uint8Array, raw: boolean): boolean {
  const [file, signed] = [bench.file(message), bench.file(signature)]
  return bench.accepts(
    raw
      ? [
          'pkeyutl',
          '-verify',
          '-rawin',
          '-pubin',
          '-inkey',
          publicKey,
          '-sigfile',
          signed,
          '-in',
          file,
        ]
      : ['dgst', '-sha256', '-verify', publicKey, '-signature', signed, file],
  )
}

/** A wrapping key here whose bytes are known there, and openssl's words for it. */
async function wrappingKey() {
  const kek = randomBytes(32)
  const shape = { class: 'secret', type: 'AES-256', algorithms: ['AES-256-KWP'] }
  const both = ['wrap', 'unwrap']
  const key = await bench.importKey(kek, { ...shape, uses: both }, both)
  const hex = kek.toString('hex')
  return { key, kwp: ['enc', '-id-aes256-wrap-pad', '-K', hex, '-iv', 'A65959A6'] }
}

suite('wrapped private keys', { timeout: 60_000 }, () => {
  for (const { type, algorithm, made, raw } of types) {
    const shape = { type, algorithms: [algorithm], uses: ['sign'] }

    test(`${type}: openssl unwraps what was generated and wrapped here`, async () => {
      const { key, kwp } = await wrappingKey()
      const target = await bench.installation.makeKey({ ...shape, exportable: true }, ['sign'])
      const { wrapped } = await bench.use(key, 'wrap', { target })
      const pem = bench.file(bench.openssl([...kwp, '-d'], bytesOf(wrapped)))
      const publicKey = await bench.publicKeyFile(target)
      const spki = bench.openssl([
        'pkey',
        '-in',
        pem,
        '-inform',
        'DER',
        '-pubout',
        '-outform',
        'DER',
      ])
      const ours = bench.openssl(['pkey', '-pubin', '-in', publicKey, '-outform', 'DER'])
      assert.deepEqual(spki, ours)
      assert(bench.accepts(['pkey', '-in', pem, '-inform', 'DER', '-noout', '-check']))
    })

    test(`${type}: what openssl made and wrapped signs here as that key`, async () => {
      const { key, kwp } = await wrappingKey()
      const { pkcs8, spki } = bench.newPrivateKey(made)
      const wrapped = bench.openssl([...kwp, '-e'], pkcs8)
      const into = { name: `un${key}`, owner: 'Ada', purpose: 'interop', ...shape }
      await bench.use(key, 'unwrap', { wrapped: base64(wrapped), class: 'private', into })
      await bench.installation.grant(into.name, ['sign'])
      const { signature } = await bench.use(into.name, 'sign', { data: base64(message) })
      const pem = bench.openssl(['pkey', '-pubin', '-inform', 'DER'], spki)
      assert(verifies(bench.file(pem), bytesOf(signature), raw))
    })
  }

  test('what openssl wrapped under another key, or altered, is refused and makes no key', async () => {
    const [{ key, kwp }, other] = [await wrappingKey(), await wrappingKey()]
    const { pkcs8 } = bench.newPrivateKey(ec('P-256'))
    const shape = { type: 'P-256', algorithms: ['ECDSA-SHA-256'], uses: ['sign'] }
    const into = { name: `un${key}`, owner: 'Ada', purpose: 'interop', ...shape }
    const foreign = bench.openssl([...other.kwp, '-e'], pkcs8)
    const altered = bench.openssl([...kwp, '-e'], pkcs8)
    altered[20] = (altered[20] ?? 0) ^ 1
    for (const wrapped of [foreign, altered].map(base64)) {
      const input = { wrapped, class: 'private', into }
      assertProblem(await bench.installation.use(key, 'unwrap', input), 422, 'CIPHERTEXT_INVALID')
    }
    const place = `/v1/namespaces/acme/keys/${into.name}`
    assertProblem(await bench.installation.server.call('GET', place), 404, 'KEY_NOT_FOUND')
  })
})
