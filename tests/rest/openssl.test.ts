/**
 * Signatures made over REST with every algorithm are accepted by the system's openssl, and altered ones
 * are not. ML-DSA, which an openssl before 3.5 does not know, is left to the OpenSSL that Node carries.
 */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { verify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import {
  type AlgorithmName,
  type AlgorithmRow,
  algorithms,
  type KeyTypeName,
} from '../../src/hsm/contract/algorithms.ts'
import { base64, bytesOf, Installation, keysPath } from './people.ts'

let there: Installation
let folder: string
before(async () => {
  there = await Installation.start()
  folder = mkdtempSync(path.join(tmpdir(), 'keyhold-openssl-'))
})
after(async () => {
  rmSync(folder, { recursive: true })
  await there[Symbol.asyncDispose]()
})

const message = Buffer.from('a message that openssl reads from a file')

/** The digest in openssl's words; none for the schemes that hash by themselves. */
function digestOf(algorithm: AlgorithmName): string | undefined {
  const [, family, bits] = /SHA(3?)-(\d+)$/.exec(algorithm) ?? []
  if (bits === undefined) return undefined
  return family === '3' ? `sha3-${bits}` : `sha${bits}`
}

/** `openssl dgst` for what is hashed first, `openssl pkeyutl` for the rest. */
function acceptedByOpenssl(algorithm: AlgorithmName, signature: Uint8Array, pem: string): boolean {
  if (algorithm.startsWith('ML-DSA')) return verify(null, message, pem, signature)
  const file = (name: string, content: string | Uint8Array) => {
    const place = path.join(folder, name)
    writeFileSync(place, content)
    return place
  }
  const key = file('key.pem', pem)
  const signed = file('signature', signature)
  const data = file('message', message)
  const digest = digestOf(algorithm)
  const pss = ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest']
  const args =
    digest === undefined
      ? ['pkeyutl', '-verify', '-pubin', '-inkey', key, '-rawin', '-in', data, '-sigfile', signed]
      : [
          ...['dgst', `-${digest}`, '-verify', key, '-signature', signed],
          ...(algorithm.includes('PSS') ? pss : []),
          data,
        ]
  return spawnSync('openssl', args, { stdio: 'ignore' }).status === 0
}

const signing = (Object.entries(algorithms) as [AlgorithmName, AlgorithmRow][]).filter(
  ([, { uses }]) => uses.includes('sign'),
)
const types = [...new Set(signing.flatMap(([, { keyTypes }]) => keyTypes))]

suite('openssl accepts what is signed here', { timeout: 240_000 }, () => {
  for (const type of types) {
    test(type, () => signsWithEvery(type))
  }
})

async function signsWithEvery(type: KeyTypeName): Promise<void> {
  const names = signing.filter(([, { keyTypes }]) => keyTypes.includes(type)).map(([name]) => name)
  const key = await there.makeKey({ type, algorithms: names }, ['sign'])
  const { body } = await there.server.ok('GET', `${keysPath}/${key}/public-key?format=pem`)
  for (const algorithm of names) {
    const answer = await there.use(key, 'sign', { data: base64(message), algorithm })
    assert.equal(answer.status, 200, answer.text)
    const signature = bytesOf(answer.body.signature)
    assert(acceptedByOpenssl(algorithm, signature, String(body.pem)), `${type}, ${algorithm}`)
    const last = signature.length - 1
    signature[last] = (signature[last] ?? 0) ^ 1
    assert(!acceptedByOpenssl(algorithm, signature, String(body.pem)), `${type}, ${algorithm}`)
  }
}
