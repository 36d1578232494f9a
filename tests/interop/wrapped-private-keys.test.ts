/**
 * Private keys wrapped as PKCS#8 under AES-KWP (RFC 5649) and RSA-AES-KEY-WRAP, the way keys move between modules:
 * openssl unwraps a key that was generated here and reads the same key in it, and a key that
 * openssl made and wrapped signs or agrees here as its owner would.
 */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { assertProblem, base64, bytesOf } from '../rest/people.ts'
import { Bench } from './openssl.ts'
import { opensslOpen, opensslSeal } from './openssl-hpke.ts'

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
  return { key, kwp: kwpUnder(kek) }
}

/** That this is the private key, whole, as openssl reads it. */
async function assertPrivateKeyOf(key: string, pkcs8: Uint8Array): Promise<void> {
  const read = ['pkey', '-in', bench.file(pkcs8), '-inform', 'DER']
  const publicKey = ['pkey', '-pubin', '-in', await bench.publicKeyFile(key), '-outform', 'DER']
  assert.deepEqual(bench.openssl([...read, '-pubout', '-outform', 'DER']), bench.openssl(publicKey))
  assert(bench.accepts([...read, '-noout', '-check']))
}

const oaep = (hash: string) => [
  ...['-pkeyopt', 'rsa_padding_mode:oaep'],
  ...['-pkeyopt', `rsa_oaep_md:${hash}`, '-pkeyopt', `rsa_mgf1_md:${hash}`],
]
const kwpUnder = (key: Uint8Array) => {
  const hex = Buffer.from(key).toString('hex')
  return ['enc', '-id-aes256-wrap-pad', '-K', hex, '-iv', 'A65959A6']
}

suite('private keys behind an ephemeral key (RSA-AES-KEY-WRAP)', { timeout: 60_000 }, () => {
  for (const [type, modulusBytes, hash] of [
    ['RSA-2048', 256, 'SHA-256'],
    ['RSA-3072', 384, 'SHA-384'],
    ['RSA-4096', 512, 'SHA-512'],
  ] as const) {
    const algorithm = `RSA-AES-KEY-WRAP-${hash}`
    const rsa2048 = { type: 'RSA-2048', algorithms: ['RSASSA-PKCS1-v1_5-SHA-256'], uses: ['sign'] }
    const digest = hash.replace('-', '').toLowerCase()

    test(`${type} with ${hash}: openssl reads an RSA key that was wrapped here`, async () => {
      const { pem, spki } = bench.newPrivateKey([
        ...rsa.slice(0, 3),
        `rsa_keygen_bits:${type.slice(4)}`,
      ])
      const shape = { class: 'public', type, algorithms: [algorithm], uses: ['wrap'] }
      const key = await bench.importKey(spki, shape, ['wrap'])
      const target = await bench.installation.makeKey({ ...rsa2048, exportable: true }, ['sign'])
      const wrapped = bytesOf((await bench.use(key, 'wrap', { target })).wrapped)
      const decrypt = ['pkeyutl', '-decrypt', '-inkey', pem, ...oaep(digest)]
      const ephemeral = bench.openssl(decrypt, wrapped.subarray(0, modulusBytes))
      const kwp = kwpUnder(ephemeral)
      const pkcs8 = bench.openssl([...kwp, '-d'], wrapped.subarray(modulusBytes))
      await assertPrivateKeyOf(target, pkcs8)
    })

    test(`${type} with ${hash}: an RSA key that openssl made and wrapped signs here`, async () => {
      const { installation } = bench
      const shape = { type, algorithms: [algorithm], uses: ['unwrap'] }
      const key = await installation.makeKey(shape, ['unwrap'])
      const { pkcs8, spki } = bench.newPrivateKey(rsa)
      const ephemeral = randomBytes(32)
      const publicKey = await bench.publicKeyFile(key)
      const encrypt = ['pkeyutl', '-encrypt', '-pubin', '-inkey', publicKey, ...oaep(digest)]
      const wrapped = Buffer.concat([
        bench.openssl(encrypt, ephemeral),
        bench.openssl([...kwpUnder(ephemeral), '-e'], pkcs8),
      ])
      const into = { name: `un${key}`, owner: 'Ada', purpose: 'interop', ...rsa2048 }
      await bench.use(key, 'unwrap', { wrapped: base64(wrapped), class: 'private', into })
      await installation.grant(into.name, ['sign'])
      const { signature } = await bench.use(into.name, 'sign', { data: base64(message) })
      const signer = bench.openssl(['pkey', '-pubin', '-inform', 'DER'], spki)
      assert(verifies(bench.file(signer), bytesOf(signature), false))
    })
  }
})

test('HPKE: OpenSSL opens what was wrapped to its public key, and seals what is unwrapped here', async () => {
  const { installation } = bench
  const suite = { kem: 0x10, kdf: 1, aead: 1 }
  const given = { info: new Uint8Array(), aad: new Uint8Array() }
  const shape = { type: 'P-256', algorithms: ['HPKE-P-256-HKDF-SHA-256-AES-128-GCM'] }
  const { pkcs8, spki } = bench.newPrivateKey(ec('P-256'))
  const wrapper = await bench.importKey(spki, { ...shape, class: 'public', uses: ['wrap'] }, [
    'wrap',
  ])
  const signing = { type: 'Ed25519', algorithms: ['Ed25519'], uses: ['sign'] }
  const target = await installation.makeKey({ ...signing, exportable: true }, ['sign'])
  const bytes = bytesOf((await bench.use(wrapper, 'wrap', { target })).wrapped)
  const opened = opensslOpen(suite, pkcs8, given, { bytes, encBytes: 65 })
  await assertPrivateKeyOf(target, opened)
  const unwrapper = await installation.makeKey({ ...shape, uses: ['unwrap'] }, ['unwrap'])
  const publicKey = await installation.server.ok(
    'GET',
    `/v1/namespaces/acme/keys/${unwrapper}/public-key`,
  )
  const sealed = opensslSeal(suite, bytesOf(publicKey.body.spki).subarray(-65), given, opened)
  const into = { name: `un${unwrapper}`, owner: 'Ada', purpose: 'interop', ...signing }
  const input = { wrapped: base64(sealed), class: 'private', into }
  await bench.use(unwrapper, 'unwrap', input)
  await assertPrivateKeyOf(into.name, opened)
})

suite('wrapped private keys', { timeout: 60_000 }, () => {
  for (const { type, algorithm, made, raw } of types) {
    const shape = { type, algorithms: [algorithm], uses: ['sign'] }

    test(`${type}: openssl unwraps what was generated and wrapped here`, async () => {
      const { key, kwp } = await wrappingKey()
      const target = await bench.installation.makeKey({ ...shape, exportable: true }, ['sign'])
      const { wrapped } = await bench.use(key, 'wrap', { target })
      await assertPrivateKeyOf(target, bench.openssl([...kwp, '-d'], bytesOf(wrapped)))
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
