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
  Ed448: {
    key: ['-algorithm', 'ED448'],
    schemes: [{ algorithm: 'Ed448', digest: '', options: [] }],
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

function digestOf(digest: string, content: Uint8Array): Buffer {
  return bench.openssl(['dgst', `-${digest}`, '-binary'], content)
}

/** By `openssl pkeyutl`, which is given the ready digest and takes RSA's options by another name. */
function signedDigest({ digest, options }: Scheme, privateKey: string): Buffer {
  const given = options.map((option) => (option === '-sigopt' ? '-pkeyopt' : option))
  const sign = ['pkeyutl', '-sign', '-inkey', privateKey, '-pkeyopt', `digest:${digest}`]
  return bench.openssl([...sign, ...given], digestOf(digest, message))
}

/** Here to there: the message and its digest, by a key of this module. */
async function assertAcceptedThere(key: string, scheme: Scheme): Promise<void> {
  const publicKey = await bench.publicKeyFile(key)
  const { algorithm, digest } = scheme
  const inputs: Record<string, string>[] = [{ data: base64(message) }]
  if (digest !== '') {
    inputs.push({ digest: base64(digestOf(digest, message)) })
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

/** There to here: what openssl signed over the message or over its digest, whichever is given here. */
async function assertAcceptedHere(key: string, scheme: Scheme, privateKey: string): Promise<void> {
  const { algorithm, digest } = scheme
  const signed = [bench.openssl(signArguments(scheme, privateKey, bench.file(message)))]
  if (digest !== '') signed.push(signedDigest(scheme, privateKey))
  const inputs: [Readonly<Record<string, string>>, boolean][] = [
    [{ data: base64(message) }, true],
    [{ data: base64(altered) }, false],
  ]
  if (digest !== '') {
    inputs.push([{ digest: base64(digestOf(digest, message)) }, true])
    inputs.push([{ digest: base64(digestOf(digest, altered)) }, false])
  }
  for (const signature of signed.map(base64)) {
    for (const [input, valid] of inputs) {
      const { valid: found } = await bench.use(key, 'verify', { ...input, signature, algorithm })
      assert.equal(found, valid, `${algorithm} over ${Object.keys(input)}`)
    }
  }
}

/** Bytes of one of the two integers, which have the length of the curve's order. */
const p1363Bytes: Readonly<Record<string, number>> = {
  ...{ 'P-256': 32, 'P-384': 48, 'P-521': 66, secp256k1: 32 },
  ...{ brainpoolP256r1: 32, brainpoolP384r1: 48, brainpoolP512r1: 64 },
}

/** @returns the file of the signature in DER, which openssl writes */
function derOf(p1363: Buffer): string {
  const half = p1363.length / 2
  const [r, s] = [p1363.subarray(0, half), p1363.subarray(half)].map((n) => n.toString('hex'))
  const conf = bench.file(`asn1=SEQUENCE:s\n[s]\nr=INTEGER:0x${r}\ns=INTEGER:0x${s}\n`)
  const der = bench.file('')
  bench.openssl(['asn1parse', '-genconf', conf, '-noout', '-out', der])
  return der
}

/** From the two integers that openssl reads in the DER. */
function p1363Of(der: Uint8Array, bytes: number): Buffer {
  const parsed = bench.openssl(['asn1parse', '-inform', 'DER'], der).toString()
  const integers = [...parsed.matchAll(/INTEGER +:([0-9A-F]+)/g)].map(([, digits]) => digits ?? '')
  assert.equal(integers.length, 2)
  return Buffer.from(integers.map((digits) => digits.padStart(2 * bytes, '0')).join(''), 'hex')
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

  for (const [type, bytes] of Object.entries(p1363Bytes)) {
    test(`${type}: P1363 made here is accepted as DER there, and the reverse`, async () => {
      const scheme = { algorithm: 'ECDSA-SHA-256', digest: 'sha256', options: [] }
      const { pem, pkcs8 } = bench.newPrivateKey(ecKey(type))
      const both = ['sign', 'verify']
      const { algorithm } = scheme
      const shape = { class: 'private', type, algorithms: [algorithm], uses: both }
      const key = await bench.importKey(pkcs8, shape, both)
      const publicKey = await bench.publicKeyFile(key)
      // Several: an integer with leading zeros is written shorter in DER, never in P1363.
      for (let round = 0; round < 8; round += 1) {
        const input = { data: base64(message), format: 'p1363' }
        const made = bytesOf((await bench.use(key, 'sign', input)).signature)
        assert.equal(made.length, 2 * bytes)
        const accepts = (content: Uint8Array) => {
          const der = derOf(made)
          return bench.accepts(verifyArguments(scheme, publicKey, der, bench.file(content)))
        }
        assert(accepts(message))
        assert(!accepts(altered))
        const theirs = bench.openssl(signArguments(scheme, pem, bench.file(message)))
        const signature = base64(p1363Of(theirs, bytes))
        assert.equal((await bench.use(key, 'verify', { ...input, signature })).valid, true)
        const other = { ...input, data: base64(altered), signature }
        assert.equal((await bench.use(key, 'verify', other)).valid, false)
      }
    })
  }
})
