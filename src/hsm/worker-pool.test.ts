/** The worker gives the answers that the same job gives in place, and its line has an end. */

import assert from 'node:assert/strict'
import {
  constants,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import { suite, test } from 'node:test'
import { callWorker, startWorker, withOwnBytes, workerJobsMax } from './worker-pool.ts'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-521' })
const message = Buffer.from('message')
const label = Buffer.from('label')
const scheme = { scheme: 'ecdsa', hash: 'sha3-512' } as const
const digest = Buffer.alloc(64, 7)

async function everyJob(): Promise<void> {
  const signature = await callWorker({ kind: 'signDigest', key: ec.privateKey, scheme, digest })
  const verifyJob = { kind: 'verifyDigest', scheme, digest } as const
  assert.equal(await callWorker({ ...verifyJob, key: ec.publicKey, signature }), true)
  assert.equal(await callWorker({ ...verifyJob, key: ec.privateKey, signature }), true)
  const wrong = sign('sha256', message, ec.privateKey)
  assert.equal(await callWorker({ ...verifyJob, key: ec.publicKey, signature: wrong }), false)

  const padding = constants.RSA_PKCS1_OAEP_PADDING
  const encryption = { key: publicKey, padding, oaepHash: 'sha256', oaepLabel: label }
  const ciphertext = publicEncrypt(encryption, message)
  const job = { kind: 'oaepDecrypt', key: privateKey, hash: 'sha256', label } as const
  const plaintext = await callWorker({ ...job, ciphertext })
  assert.deepEqual(Buffer.from(plaintext), message)
  assert.equal(plaintext.buffer.byteLength, message.length, 'memory of its own')
  for (const bad of [randomBytes(256), Buffer.alloc(0), ciphertext.subarray(1)]) {
    await assert.rejects(callWorker({ ...job, ciphertext: bad }), { code: 'CIPHERTEXT_INVALID' })
  }
  const otherLabel = callWorker({ ...job, ciphertext, label: Buffer.alloc(0) })
  await assert.rejects(otherLabel, { code: 'CIPHERTEXT_INVALID' })

  assert.equal(await callWorker({ kind: 'checkKey', key: privateKey }), true)
  const unfit = callWorker({ kind: 'signDigest', key: publicKey, scheme, digest })
  await assert.rejects(unfit, { name: 'HsmError', code: 'ARGUMENT_INVALID' })
}

suite('worker', () => {
  test('without a worker every job runs in place', everyJob)

  test('with the worker every job gives the same', async () => {
    await startWorker()
    await everyJob()
    await assert.rejects(startWorker(), { code: 'ERR_ASSERTION' })
  })

  test('a job takes its own bytes along, and nothing of the frame that they came in', () => {
    const frame = Buffer.alloc(4 * 1024 * 1024, 1)
    const hash = 'sha256'
    const given = { ciphertext: frame.subarray(7, 263), label: frame.subarray(0, 0), hash } as const
    const job = withOwnBytes({ kind: 'oaepDecrypt', key: privateKey, ...given } as const)
    assert.deepEqual(job.ciphertext, Buffer.from(given.ciphertext))
    assert.equal(job.ciphertext.buffer.byteLength, 256)
    assert.equal(job.label.buffer.byteLength, 0)
    assert.equal(job.key, privateKey)
  })

  test('a full line refuses the next job, and answers those in it', async () => {
    const rsaScheme = { scheme: 'rsa-pkcs1', hash: 'sha256' } as const
    const short = Buffer.alloc(32)
    const job = { kind: 'verifyDigest', key: publicKey, scheme: rsaScheme } as const
    const signature = Buffer.alloc(256)
    const line = Array.from({ length: workerJobsMax }, () =>
      callWorker({ ...job, digest: short, signature }),
    )
    await assert.rejects(callWorker({ ...job, digest: short, signature }), { code: 'MODULE_BUSY' })
    assert.deepEqual(new Set(await Promise.all(line)), new Set([false]))
    assert(verify('sha256', message, publicKey, sign('sha256', message, privateKey)))
    assert.equal(await callWorker({ kind: 'checkKey', key: privateKey }), true)
  })
})
