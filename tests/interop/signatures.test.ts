/**
 * Signatures in both directions: what is signed here with keys that were generated here or made by
 * openssl verifies there, what openssl signs verifies here, and neither accepts what was altered.
 */

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { base64, bytesOf } from '../rest/people.ts'
import { Bench } from './openssl.ts'

let bench: Bench
before(async () => {
  bench = await Bench.start()
})
after(() => bench?.[Symbol.asyncDispose]())

interface Scheme {
  readonly algorithm: string
  readonly digest: string
  readonly options: readonly string[]
}

const pss = ['rsa_padding_mode:pss', 'rsa_pss_saltlen:digest'].flatMap((o) => ['-sigopt', o])

const rsaSchemes: readonly Scheme[] = ['256', '384', '512'].flatMap((bits) => [
  { algorithm: `RSASSA-PKCS1-v1_5-SHA-${bits}`, digest: `sha${bits}`, options: [] },
  { algorithm: `RSASSA-PSS-SHA-${bits}`, digest: `sha${bits}`, options: pss },
])
const ecSchemes: readonly Scheme[] = [
  ...['256', '384', '512'].map((bits) => ({
    ...{ algorithm: `ECDSA-SHA-${bits}`, digest: `sha${bits}`, options: [] },
  })),
  ...['256', '384', '512'].map((bits) => ({
    ...{ algorithm: `ECDSA-SHA3-${bits}`, digest: `sha3-${bits}`, options: [] },
  })),
]
const rsaKey = (bits: string) => ['-algorithm', 'RSA', '-pkeyopt', `rsa_keygen_bits:${bits}`]
const ecKey = (curve: string) => ['-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${curve}`]

/** Type of key here, how openssl makes one, and what it signs with. */
const types: Readonly<Record<string, { key: readonly string[]; schemes: readonly Scheme[] }>> = {
  'RSA-2048': { key: rsaKey('2048'), schemes: rsaSchemes },
  'RSA-3072': { key: rsaKey('3072'), schemes: rsaSchemes.slice(0, 2) },
  'RSA-4096': { key: rsaKey('4096'), schemes: rsaSchemes.slice(4, 6) },
  'P-256': { key: ecKey('P-256'), schemes: ecSchemes },
  'P-384': { key: ecKey('P-384'), schemes: ecSchemes },
  'P-521': { key: ecKey('P-521'), schemes: ecSchemes },
  secp256k1: { key: ecKey('secp256k1'), schemes: ecSchemes },
  brainpoolP256r1: { key: ecKey('brainpoolP256r1'), schemes: ecSchemes },
  brainpoolP384r1: { key: ecKey('brainpoolP384r1'), schemes: ecSchemes },
  brainpoolP512r1: { key: ecKey('brainpoolP512r1'), schemes: ecSchemes },
  Ed25519: {
    key: ['-algorithm', 'ED25519'],
    schemes: [{ algorithm: 'Ed25519', digest: '', options: [] }],
  },
}

const message = Buffer.from('a message to be signed\n')
const altered = Buffer.from('a message to be signed!')

/** The arguments with which openssl verifies this signature over this file. */
function verifyArguments(scheme: Scheme, publicKey: string, signature: string, file: string) {
  if (scheme.digest === '') {
    const input = ['-pubin', '-inkey', publicKey, '-sigfile', signature, '-in', file]
    return ['pkeyutl', '-verify', '-rawin', ...input]
  }
  const input = ['-verify', publicKey, '-signature', signature, file]
  return ['dgst', `-${scheme.digest}`, ...scheme.options, ...input]
}

function signArguments(scheme: Scheme, privateKey: string, file: string): readonly string[] {
  if (scheme.digest === '') return ['pkeyutl', '-sign', '-rawin', '-inkey', privateKey, '-in', file]
  return ['dgst', `-${scheme.digest}`, ...scheme.options, '-sign', privateKey, file]
}

/** Here to there: the message and its digest, by a key of this module. */
async function assertAcceptedThere(key: string, scheme: Scheme): Promise<void> {
  const publicKey = await bench.publicKeyFile(key)
  const { algorithm, digest } = scheme
  const inputs: Record<string, string>[] = [{ data: base64(message) }]
  if (digest !== '') {
    const hash = bench.openssl(['dgst', `-${digest}`, '-binary'], message)
    inputs.push({ digest: base64(hash) })
  }
  for (const input of inputs) {
    const { signature } = await bench.use(key, 'sign', { ...input, algorithm })
    const file = bench.file(bytesOf(signature))
    const accepts = (content: Uint8Array) =>
      bench.accepts(verifyArguments(scheme, publicKey, file, bench.file(content)))
    assert(accepts(message), `${algorithm} over ${Object.keys(input)}`)
    assert(!accepts(altered), `${algorithm}: an altered message`)
  }
}

/** There to here. */
async function assertAcceptedHere(key: string, scheme: Scheme, privateKey: string): Promise<void> {
  const signed = bench.openssl(signArguments(scheme, privateKey, bench.file(message)))
  const signature = base64(signed)
  for (const [data, valid] of [
    [message, true],
    [altered, false],
  ] as const) {
    const input = { data: base64(data), signature, algorithm: scheme.algorithm }
    assert.equal((await bench.use(key, 'verify', input)).valid, valid, scheme.algorithm)
  }
}

suite('signatures', { timeout: 120_000 }, () => {
  for (const [type, { key: keyArguments, schemes }] of Object.entries(types)) {
    const algorithms = schemes.map(({ algorithm }) => algorithm)

    test(`${type}: made by a key that was generated here, accepted by openssl`, async () => {
      const key = await bench.installation.makeKey({ type, algorithms }, ['sign', 'verify'])
      for (const scheme of schemes) await assertAcceptedThere(key, scheme)
    })

    test(`${type}: with a key of openssl's, each accepts what the other has signed`, async () => {
      const { pem, pkcs8, spki } = bench.newPrivateKey(keyArguments)
      const whole = { class: 'private', type, algorithms, uses: ['sign', 'verify'] }
      const pair = await bench.importKey(pkcs8, whole, ['sign', 'verify'])
      const half = { class: 'public', type, algorithms, uses: ['verify'] }
      const other = await bench.importKey(spki, half, ['verify'])
      for (const scheme of schemes) {
        await assertAcceptedThere(pair, scheme)
        await assertAcceptedHere(pair, scheme, pem)
        await assertAcceptedHere(other, scheme, pem)
      }
    })
  }

  test('P1363 is what openssl makes of its DER', async () => {
    const key = await bench.installation.makeKey({ type: 'P-256' }, ['sign'])
    const input = { data: base64(message), format: 'p1363' }
    const raw = bytesOf((await bench.use(key, 'sign', input)).signature)
    assert.equal(raw.length, 64)
    const numbers = [raw.subarray(0, 32), raw.subarray(32)].map((half) => half.toString('hex'))
    const text = `asn1=SEQUENCE:s\n[s]\nr=INTEGER:0x${numbers[0]}\ns=INTEGER:0x${numbers[1]}\n`
    const conf = bench.file(text)
    const der = bench.file('')
    bench.openssl(['asn1parse', '-genconf', conf, '-noout', '-out', der])
    const scheme = { algorithm: 'ECDSA-SHA-256', digest: 'sha256', options: [] }
    const publicKey = await bench.publicKeyFile(key)
    assert(bench.accepts(verifyArguments(scheme, publicKey, der, bench.file(message))))
  })
})
