/**
 * A published answer in the terms of the registry: a key, a command and what comes out. It becomes a
 * self-test that goes through the row's own implementation, as a command would. What OpenSSL makes with
 * randomness is made without it here (RFC 6979, the deterministic variants of FIPS 204 and 205, FIPS 203
 * algorithm 17); where there is no such form (RSA-PSS, OAEP, ECDSA of other curves) the other side is
 * tested. Of a signature or MAC that is verified, one changed bit must not verify.
 */

import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { algorithmFor, type Implementation, verifyMac } from '../algorithms.ts'
import type { AlgorithmName, KeyClass, KeyTypeName } from '../contract/algorithms.ts'
import type { DigestScheme, SignatureHash } from '../digest-scheme.ts'
import { KeyMaterial } from '../keys/material.ts'
import { p1363FromDer } from '../primitives/ecdsa-forms.ts'
import { Secret } from '../secret.ts'
import { callWorker } from '../worker-pool.ts'
import type { KnownAnswer } from './known-answer.ts'

export interface Answer {
  readonly algorithm: AlgorithmName
  /** Collection, file and number there. */
  readonly source: string
  readonly key: {
    readonly type: KeyTypeName
    readonly keyClass: KeyClass
    /** Canonical form. */
    readonly bytes: Buffer
  }
  /** Root: whether the root of an SLH-DSA key is that of its seeds. */
  readonly command: keyof Implementation | 'verifyMac' | 'signDeterministic' | 'root'
  readonly data?: Buffer
  readonly digest?: Buffer
  readonly mu?: Buffer
  readonly context?: Buffer
  readonly signature?: Buffer
  readonly format?: 'p1363'
  readonly mac?: Buffer
  readonly plaintext?: Buffer
  readonly ciphertext?: Buffer
  readonly iv?: Buffer
  readonly aad?: Buffer
  readonly target?: Buffer
  readonly peer?: Buffer
  /** The m of an encapsulation. */
  readonly randomness?: Buffer
  readonly salt?: Buffer
  readonly info?: Buffer
  readonly iterations?: number
  /** Left out where the answer is a verdict. */
  readonly expected?: Buffer
  /** SHA-256 of what is expected, where that is long. */
  readonly expectedDigest?: Buffer
}

/** A known answer of one row of the registry. */
export interface RowTest extends KnownAnswer {
  readonly algorithm: AlgorithmName
}

const none = Buffer.alloc(0)
/** Right is accepted, altered is not. */
const rightThenAltered = Buffer.from([1, 0])
const rightOnly = Buffer.from([1])

export function rowTest(answer: Answer): RowTest {
  const { algorithm, source, key, command } = answer
  const subject = key.type === algorithm ? algorithm : `${algorithm} with ${key.type}`
  const { expected = answer.expectedDigest ?? verdictsOf(answer) } = answer
  return {
    algorithm,
    name: `${subject}, ${command}, ${source}`,
    run: async () => {
      using bytes = Secret.copyOf(key.bytes)
      using material = KeyMaterial.fromBytes(key.type, key.keyClass, bytes)
      const made = await run(answer, material)
      return answer.expectedDigest ? hash('sha256', made, 'buffer') : made
    },
    expected,
  }
}

/** A small set takes too long to compute its root a second time. */
function verdictsOf({ command, key }: Answer): Buffer {
  return command === 'root' && key.type.endsWith('s') ? rightOnly : rightThenAltered
}

async function run(answer: Answer, key: KeyMaterial): Promise<Uint8Array> {
  const row = algorithmFor(answer.algorithm, key.typeName)
  const { data = none, iv = none, aad = none, plaintext = none, ciphertext = none } = answer
  switch (answer.command) {
    case 'encrypt':
      return (await has(row.encrypt)(key, plaintext, { iv, aad })).ciphertext
    case 'decrypt':
      return has(row.decrypt)(key, { iv, ciphertext, aad })
    case 'mac':
      return has(row.mac)(key, data).subarray(0, answer.expected?.length)
    case 'verifyMac': {
      const { mac: tag = none } = answer
      const verify = (each: Uint8Array) => verifyMac(has(row.mac), key, { data, tag: each })
      return verdicts(verify, tag)
    }
    case 'sign':
      return has(row.sign)(key, data, signing(answer))
    case 'verify': {
      const { signature = none, digest = data } = answer
      return verdicts((each) => has(row.verify)(key, digest, each, signing(answer)), signature)
    }
    case 'signDeterministic':
      return signDeterministic(answer, row, key)
    case 'root':
      return rootVerdicts(key)
    default:
      return secretOf(answer, row, key)
  }
}

/** The commands whose outcome is a secret, or takes one in. */
async function secretOf(answer: Answer, row: Implementation, key: KeyMaterial): Promise<Buffer> {
  const { iv = none, ciphertext = none, aad = none, peer = none, target = none } = answer
  const { salt = none, info = none, iterations = 0, randomness = none } = answer
  switch (answer.command) {
    case 'wrap': {
      using bytes = Secret.copyOf(target)
      return Buffer.from((await has(row.wrap)(key, bytes)).ciphertext)
    }
    case 'unwrap':
      return copied(await has(row.unwrap)(key, { iv, ciphertext, info, aad }))
    case 'agree':
      return copied(await has(row.agree)(key, peer))
    case 'decapsulate':
      return copied(await has(row.decapsulate)(key, ciphertext))
    case 'encapsulate': {
      const made = key.native().encapsulateDerandomised(randomness)
      return Buffer.concat([made.ciphertext, made.sharedSecret])
    }
    default: {
      const lengthBytes = answer.expected?.length ?? 0
      const given = { salt, info, label: none, context: none, lengthBytes, iterations }
      return copied(await has(row.derive)(key, given))
    }
  }
}

/**
 * In the worker, because a signature of SLH-DSA takes it a tenth of a second. What comes out also has to
 * verify, by the way that commands go.
 */
async function signDeterministic(
  answer: Answer,
  row: Implementation,
  key: KeyMaterial,
): Promise<Uint8Array> {
  const { context = none, digest, mu, data = none, expected = none } = answer
  const input = digest ?? mu ?? data
  const job = { kind: 'signDigest', key: key.keyObject, digest: input } as const
  const scheme = schemeOf(answer, context)
  const made = await callWorker({ ...job, scheme, deterministic: true })
  const signature = digest ? p1363FromDer(made, expected.length / 2) : made
  const verified = await has(row.verify)(key, input, signature, signing(answer))
  return verified ? signature : none
}

function schemeOf({ algorithm, digest, mu }: Answer, context: Buffer): DigestScheme {
  if (mu) return { scheme: 'ml-dsa-mu' }
  if (!digest) return { scheme: 'slh-dsa', context }
  const name = algorithm.slice('ECDSA-'.length).toLowerCase().replace(/^sha-/, 'sha')
  return { scheme: 'ecdsa', hash: name as SignatureHash }
}

function signing({ digest, mu, format, context = none }: Answer) {
  const input = digest ? 'digest' : mu ? 'mu' : 'message'
  return { input, format: format ?? 'der', context } as const
}

async function rootVerdicts(key: KeyMaterial): Promise<Buffer> {
  const isRight = async (each: KeyMaterial) =>
    Number(await callWorker({ kind: 'checkKey', key: each.keyObject }))
  const right = await isRight(key)
  if (key.typeName.endsWith('s')) return Buffer.from([right])
  using bytes = key.toBytes()
  using altered = bytes.expose((exposed) => Secret.copyOf(withBitChanged(exposed, -1)))
  using other = KeyMaterial.fromBytes(key.typeName, 'private', altered)
  return Buffer.from([right, await isRight(other)])
}

async function verdicts(
  verify: (tag: Uint8Array) => boolean | Promise<boolean>,
  right: Buffer,
): Promise<Buffer> {
  return Buffer.from([Number(await verify(right)), Number(await verify(withBitChanged(right, 9)))])
}

function withBitChanged(bytes: Uint8Array, at: number): Buffer {
  const copy = Buffer.from(bytes)
  const place = at < 0 ? copy.length + at : Math.min(at, copy.length - 1)
  copy.writeUInt8(copy.readUInt8(place) ^ 1, place)
  return copy
}

function copied(secret: Secret): Buffer {
  using owned = secret
  return owned.expose((bytes) => Buffer.from(bytes))
}

function has<T>(operation: T | undefined): T {
  assert(operation, 'the algorithm has no such operation')
  return operation
}
