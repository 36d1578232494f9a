/**
 * ML-DSA, SLH-DSA and ML-KEM in both directions against an implementation that shares nothing with this one:
 * @noble/post-quantum, in JavaScript. The system's openssl is older than 3.5 and has neither. Keys are made
 * there from a seed; here they arrive as PKCS#8 and SubjectPublicKeyInfo, and leave as the latter. The one
 * step that the system's openssl takes is SHAKE256, which makes the mu of ML-DSA (FIPS 204 algorithm 7,
 * line 6).
 */

import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js'
import { ml_kem512, ml_kem768, ml_kem1024 } from '@noble/post-quantum/ml-kem.js'
import {
  slh_dsa_sha2_128f,
  slh_dsa_sha2_192f,
  slh_dsa_sha2_256f,
  slh_dsa_shake_128f,
  slh_dsa_shake_192f,
  slh_dsa_shake_256f,
} from '@noble/post-quantum/slh-dsa.js'
import { base64, bytesOf, keysPath } from '../rest/people.ts'
import { Bench } from './openssl.ts'

let bench: Bench
before(async () => {
  bench = await Bench.start()
})
after(() => bench?.[Symbol.asyncDispose]())

const message = Buffer.from('a message to be signed\n')
const altered = Buffer.from('a message to be signed!')

/** The raw public key stands at the end of a SubjectPublicKeyInfo (RFC 9881, RFC 9935). */
async function exportedKey(key: string, { lengths }: { lengths: { publicKey?: number } }) {
  const place = `${keysPath}/${key}/public-key?format=spki`
  const { body } = await bench.installation.server.ok('GET', place)
  return bytesOf(body.spki).subarray(-Number(lengths.publicKey))
}

/** The forms in which a key that noble made from this seed comes here, and noble's own. */
function madeOutside(
  type: string,
  maker: { keygen(seed: Uint8Array): { secretKey: Uint8Array; publicKey: Uint8Array } },
  seedBytes: number,
) {
  const seed = randomBytes(seedBytes)
  const asymmetricKeyType = type.toLowerCase() as NonNullable<KeyObject['asymmetricKeyType']>
  const privateKey = createPrivateKey({ key: seed, format: 'raw-seed', asymmetricKeyType })
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  const outside = maker.keygen(seed)
  assert.deepEqual(spki.subarray(-outside.publicKey.length), Buffer.from(outside.publicKey))
  return { ...outside, pkcs8: privateKey.export({ format: 'der', type: 'pkcs8' }), spki }
}

function shake256(bytes: Uint8Array): Buffer {
  return bench.openssl(['dgst', '-shake256', '-xoflen', '64', '-binary'], bytes)
}

suite('ML-DSA', { timeout: 60_000 }, () => {
  const both = ['sign', 'verify']
  const sets = { 'ML-DSA-44': ml_dsa44, 'ML-DSA-65': ml_dsa65, 'ML-DSA-87': ml_dsa87 } as const

  for (const [type, noble] of Object.entries(sets)) {
    const shape = { type, algorithms: [type], uses: both }
    const contexts = [Buffer.alloc(0), randomBytes(255)]

    test(`${type}: what is signed here verifies outside under the exported public key`, async () => {
      const key = await bench.installation.makeKey(shape, both)
      const publicKey = await exportedKey(key, noble)
      for (const context of contexts) {
        const input = { data: base64(message), context: base64(context) }
        const signature = bytesOf((await bench.use(key, 'sign', input)).signature)
        assert(noble.verify(signature, message, publicKey, { context }))
        assert(!noble.verify(signature, altered, publicKey, { context }))
        const other = Buffer.from('another context')
        assert(!noble.verify(signature, message, publicKey, { context: other }))
      }
    })

    test(`${type}: what is signed outside verifies here by either half`, async () => {
      const { pkcs8, spki, secretKey, publicKey } = madeOutside(type, noble, 32)
      const pair = await bench.importKey(pkcs8, { ...shape, class: 'private' }, both)
      const half = { ...shape, class: 'public', uses: ['verify'] }
      const keys = [pair, await bench.importKey(spki, half, ['verify'])]
      for (const context of contexts) {
        const signature = base64(noble.sign(message, secretKey, { context }))
        for (const [data, valid] of [
          [message, true],
          [altered, false],
        ] as const) {
          const input = { data: base64(data), context: base64(context), signature }
          for (const key of keys) {
            assert.equal((await bench.use(key, 'verify', input)).valid, valid)
          }
        }
      }
      const signature = bytesOf(
        (await bench.use(pair, 'sign', { data: base64(message) })).signature,
      )
      assert(noble.verify(signature, message, publicKey))
    })

    test(`${type}: a signature over openssl's mu is one over message and context`, async () => {
      const key = await bench.installation.makeKey(shape, both)
      const publicKey = await exportedKey(key, noble)
      for (const context of contexts) {
        const prefix = Buffer.from([0, context.length])
        const mu = shake256(Buffer.concat([shake256(publicKey), prefix, context, message]))
        const input = { mu: base64(mu) }
        const { signature } = await bench.use(key, 'sign', input)
        assert(noble.verify(bytesOf(signature), message, publicKey, { context }))
        assert.equal((await bench.use(key, 'verify', { ...input, signature })).valid, true)
      }
    })
  }
})

suite('SLH-DSA', { timeout: 120_000 }, () => {
  const both = ['sign', 'verify']
  // The small sets differ in their sizes alone, and take JavaScript a minute for a signature.
  const isLong = process.env.KEYHOLD_LONG !== undefined
  const sets = {
    'SLH-DSA-SHA2-128f': slh_dsa_sha2_128f,
    'SLH-DSA-SHA2-192f': slh_dsa_sha2_192f,
    'SLH-DSA-SHA2-256f': slh_dsa_sha2_256f,
    'SLH-DSA-SHAKE-128f': slh_dsa_shake_128f,
    ...(isLong && {
      'SLH-DSA-SHAKE-192f': slh_dsa_shake_192f,
      'SLH-DSA-SHAKE-256f': slh_dsa_shake_256f,
    }),
  }

  for (const [type, noble] of Object.entries(sets)) {
    const shape = { type, algorithms: [type], uses: both }

    test(`${type}: what is signed here verifies outside, and the reverse`, async () => {
      const key = await bench.installation.makeKey(shape, both)
      const publicKey = await exportedKey(key, noble)
      const context = randomBytes(7)
      const input = { data: base64(message), context: base64(context) }
      const signature = bytesOf((await bench.use(key, 'sign', input)).signature)
      assert(noble.verify(signature, message, publicKey, { context }))
      assert(!noble.verify(signature, altered, publicKey, { context }))

      const outside = noble.keygen()
      const asymmetricKeyType = type.toLowerCase() as 'slh-dsa-sha2-128f'
      const raw = { key: outside.secretKey, format: 'raw-private', asymmetricKeyType } as const
      const pkcs8 = createPrivateKey(raw).export({ format: 'der', type: 'pkcs8' })
      const pair = await bench.importKey(pkcs8, { ...shape, class: 'private' }, both)
      const theirs = {
        ...input,
        signature: base64(noble.sign(message, outside.secretKey, { context })),
      }
      assert.equal((await bench.use(pair, 'verify', theirs)).valid, true)
      const other = { ...theirs, data: base64(altered) }
      assert.equal((await bench.use(pair, 'verify', other)).valid, false)
    })
  }
})

suite('ML-KEM', { timeout: 60_000 }, () => {
  const sets = { 'ML-KEM-512': ml_kem512, 'ML-KEM-768': ml_kem768, 'ML-KEM-1024': ml_kem1024 }

  for (const [type, noble] of Object.entries(sets)) {
    const shape = { type, algorithms: [type], plaintextRelease: true }

    test(`${type}: what is encapsulated outside to the exported public key opens here`, async () => {
      const key = await bench.installation.makeKey({ ...shape, uses: ['decapsulate'] }, [
        'decapsulate',
      ])
      const { sharedSecret, cipherText } = noble.encapsulate(await exportedKey(key, noble))
      const opened = await bench.use(key, 'decapsulate', { ciphertext: base64(cipherText) })
      assert.deepEqual(bytesOf(opened.secret), Buffer.from(sharedSecret))
    })

    test(`${type}: what is encapsulated here to a key from outside opens there`, async () => {
      const { pkcs8, spki, secretKey } = madeOutside(type, noble, 64)
      const half = { ...shape, class: 'public', uses: ['encapsulate'] }
      const key = await bench.importKey(spki, half, ['encapsulate'])
      const { secret, ciphertext } = await bench.use(key, 'encapsulate', {})
      const opened = noble.decapsulate(bytesOf(ciphertext), secretKey)
      assert.deepEqual(Buffer.from(opened), bytesOf(secret))
      const whole = { ...shape, class: 'private', uses: ['decapsulate'] }
      const pair = await bench.importKey(pkcs8, whole, ['decapsulate'])
      assert.equal((await bench.use(pair, 'decapsulate', { ciphertext })).secret, secret)
    })

    test(`${type}: a ciphertext that was altered gives both sides the same other secret`, async () => {
      const { pkcs8, spki, secretKey } = madeOutside(type, noble, 64)
      const { cipherText } = noble.encapsulate(spki.subarray(-Number(noble.lengths.publicKey)))
      cipherText[0] = (cipherText[0] ?? 0) ^ 1
      const whole = { ...shape, class: 'private', uses: ['decapsulate'] }
      const pair = await bench.importKey(pkcs8, whole, ['decapsulate'])
      const { secret } = await bench.use(pair, 'decapsulate', { ciphertext: base64(cipherText) })
      assert.deepEqual(Buffer.from(noble.decapsulate(cipherText, secretKey)), bytesOf(secret))
    })
  }
})
