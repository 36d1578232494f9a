/**
 * ML-DSA and ML-KEM in both directions, on public keys as they are exported. The system's openssl
 * is older than 3.5 and has neither; none of this project's packages has another implementation,
 * and none was found in Debian 12. So the other side is node:crypto in this process: the OpenSSL
 * that the module calls too. This shows that keys, contexts, signatures and ciphertexts travel in
 * the forms that others read; that the arithmetic is right, the published vectors show
 * (tests/vectors). The one step that the system's openssl takes is SHAKE256, which makes the mu of
 * ML-DSA (FIPS 204 algorithm 7, line 6).
 */

import assert from 'node:assert/strict'
import {
  createPublicKey,
  decapsulate,
  encapsulate,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { base64, bytesOf, keysPath } from '../rest/people.ts'
import { Bench } from './openssl.ts'

let bench: Bench
before(async () => {
  bench = await Bench.start()
})
after(() => bench?.[Symbol.asyncDispose]())

const message = Buffer.from('a message to be signed\n')
const altered = Buffer.from('a message to be signed!')
const encodings = {
  publicKeyEncoding: { format: 'der', type: 'spki' },
  privateKeyEncoding: { format: 'der', type: 'pkcs8' },
} as const

async function exportedKey(key: string): Promise<KeyObject> {
  const place = `${keysPath}/${key}/public-key?format=pem`
  const { body } = await bench.installation.server.ok('GET', place)
  return createPublicKey(String(body.pem))
}

function shake256(bytes: Uint8Array): Buffer {
  return bench.openssl(['dgst', '-shake256', '-xoflen', '64', '-binary'], bytes)
}

suite('ML-DSA', { timeout: 60_000 }, () => {
  const both = ['sign', 'verify']

  for (const bits of [44, 65, 87] as const) {
    const type = `ML-DSA-${bits}`
    const shape = { type, algorithms: [type], uses: both }
    const contexts = [Buffer.alloc(0), randomBytes(255)]

    test(`${type}: what is signed here, the exported public key verifies outside`, async () => {
      const key = await bench.installation.makeKey(shape, both)
      const publicKey = await exportedKey(key)
      for (const context of contexts) {
        const input = { data: base64(message), context: base64(context) }
        const signature = bytesOf((await bench.use(key, 'sign', input)).signature)
        assert(verify(null, message, { key: publicKey, context }, signature))
        assert(!verify(null, altered, { key: publicKey, context }, signature))
        const other = Buffer.from('another context')
        assert(!verify(null, message, { key: publicKey, context: other }, signature))
      }
    })

    test(`${type}: what is signed outside verifies here by either half`, async () => {
      const { publicKey, privateKey } = generateKeyPairSync(`ml-dsa-${bits}`)
      const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' })
      const spki = publicKey.export({ format: 'der', type: 'spki' })
      const pair = await bench.importKey(pkcs8, { ...shape, class: 'private' }, both)
      const half = { ...shape, class: 'public', uses: ['verify'] }
      const keys = [pair, await bench.importKey(spki, half, ['verify'])]
      for (const context of contexts) {
        const signature = base64(sign(null, message, { key: privateKey, context }))
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
      assert(verify(null, message, publicKey, signature))
    })

    test(`${type}: a signature over openssl's mu is one over message and context`, async () => {
      const key = await bench.installation.makeKey(shape, both)
      const publicKey = await exportedKey(key)
      const raw = publicKey.export({ format: 'raw-public' })
      for (const context of contexts) {
        const prefix = Buffer.from([0, context.length])
        const mu = shake256(Buffer.concat([shake256(raw), prefix, context, message]))
        const input = { mu: base64(mu) }
        const { signature } = await bench.use(key, 'sign', input)
        assert(verify(null, message, { key: publicKey, context }, bytesOf(signature)))
        assert.equal((await bench.use(key, 'verify', { ...input, signature })).valid, true)
      }
    })
  }
})

suite('ML-KEM', { timeout: 60_000 }, () => {
  for (const bits of [512, 768, 1024] as const) {
    const type = `ML-KEM-${bits}`
    const shape = { type, algorithms: [type], plaintextRelease: true }

    test(`${type}: what is encapsulated outside to the exported public key opens here`, async () => {
      const key = await bench.installation.makeKey({ ...shape, uses: ['decapsulate'] }, [
        'decapsulate',
      ])
      const { sharedKey, ciphertext } = encapsulate(await exportedKey(key))
      const opened = await bench.use(key, 'decapsulate', { ciphertext: base64(ciphertext) })
      assert.deepEqual(bytesOf(opened.secret), Buffer.from(sharedKey))
    })

    test(`${type}: what is encapsulated here to a key from outside opens there`, async () => {
      const made = generateKeyPairSync(`ml-kem-${bits}`, encodings)
      const half = { ...shape, class: 'public', uses: ['encapsulate'] }
      const key = await bench.importKey(made.publicKey, half, ['encapsulate'])
      const { secret, ciphertext } = await bench.use(key, 'encapsulate', {})
      const privateKey = { key: made.privateKey, format: 'der', type: 'pkcs8' } as const
      assert.deepEqual(Buffer.from(decapsulate(privateKey, bytesOf(ciphertext))), bytesOf(secret))
      const whole = { ...shape, class: 'private', uses: ['decapsulate'] }
      const pair = await bench.importKey(made.privateKey, whole, ['decapsulate'])
      assert.equal((await bench.use(pair, 'decapsulate', { ciphertext })).secret, secret)
    })
  }
})
