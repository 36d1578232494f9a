/**
 * Work of every kind that the module does, for as long as it is told to: the thread pool, the worker,
 * garbage collection, code that V8 compiles and throws away, timers, dates, large and small memory. What
 * it shows is that none of it needs a system call that the wall refuses.
 */

import assert from 'node:assert/strict'
import {
  argon2,
  constants,
  createHash,
  generateKeyPair,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  randomBytes,
  randomFill,
  scrypt,
  sign,
  verify,
} from 'node:crypto'
import { promisify } from 'node:util'
import { NativeKey } from '../../src/hsm/native.ts'
import { callWorker } from '../../src/hsm/worker-pool.ts'

const argon2Async = promisify(argon2)
const generateKeyPairAsync = promisify(generateKeyPair)
const randomFillAsync = promisify(randomFill)
const scryptAsync = promisify(scrypt)

type Pair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject }

/** Resolves with the number of rounds, each of which checked what it computed. */
export async function mixedLoad(durationMs: number): Promise<number> {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const end = performance.now() + durationMs
  let rounds = 0
  while (performance.now() < end) {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    await Promise.all([poolWork(rounds), workerWork(rsa, ec), mainWork(ec, rounds)])
    rounds += 1
  }
  return rounds
}

async function poolWork(round: number): Promise<void> {
  await randomFillAsync(Buffer.alloc(64 * 1024))
  await scryptAsync('password', 'salt', 32)
  if (round % 4 === 0) {
    const pair = await generateKeyPairAsync('ml-dsa-65')
    assert.equal(pair.privateKey.type, 'private')
    const parameters = { parallelism: 1, tagLength: 32, memory: 32 * 1024, passes: 1 }
    const message = Buffer.from('password')
    const hash = await argon2Async('argon2id', { message, nonce: randomBytes(16), ...parameters })
    assert.equal(hash.length, 32)
  }
}

async function workerWork(rsa: Pair, ec: Pair): Promise<void> {
  const digest = createHash('sha384').update('message').digest()
  const scheme = { scheme: 'ecdsa', hash: 'sha384' } as const
  const signature = await callWorker({ kind: 'signDigest', key: ec.privateKey, scheme, digest })
  assert(verify('sha384', Buffer.from('message'), ec.publicKey, signature))
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  const plaintext = randomBytes(100)
  const ciphertext = publicEncrypt({ key: rsa.publicKey, padding, oaepHash: 'sha256' }, plaintext)
  const label = new Uint8Array()
  const job = { kind: 'oaepDecrypt', key: rsa.privateKey, hash: 'sha256', label } as const
  assert(plaintext.equals(await callWorker({ ...job, ciphertext })))
}

async function mainWork(ec: Pair, round: number): Promise<void> {
  using key = NativeKey.fromPkcs8(ec.privateKey.export({ format: 'der', type: 'pkcs8' }))
  const scheme = { scheme: 'ecdsa', hash: 'sha256' } as const
  const digest = randomBytes(32)
  assert(key.verifyDigest(scheme, digest, key.signDigest(scheme, digest)))
  assert.equal(sign('sha256', digest, ec.privateKey)[0], 0x30)
  // Garbage, in small pieces and in large ones, that lives for one round and for several.
  keep[round % keep.length] = Array.from({ length: 20_000 }, (_, index) => ({ index, round }))
  Buffer.alloc(8 * 1024 * 1024).fill(round)
  assert.equal(JSON.parse(JSON.stringify(keep[0])).length, keep[0]?.length)
  assert.match(new Date().toString(), /GMT/)
  assert.equal(typeof new Date().toLocaleString('en'), 'string')
  assert(process.resourceUsage().maxRSS > 0)
  assert(process.cpuUsage().user > 0)
  await new Promise((resolve) => setTimeout(resolve, 2))
  if (round % 16 === 0) globalThis.gc?.()
  await new Promise((resolve) => setImmediate(resolve))
}

const keep: object[][] = [[], [], [], [], []]
