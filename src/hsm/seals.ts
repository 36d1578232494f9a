/**
 * Seals: how a module gets the domain root key back at start (docs/formats/sealed-state.md section 1).
 * A passphrase goes through Argon2id (RFC 9106), a key file or what a TPM keeps, which must be random,
 * through HKDF-SHA-256 (RFC 5869); the key that comes out seals the root with XAES-256-GCM, and everything in front of it is
 * associated data. A wrong secret and an altered seal are one and the same refusal.
 *
 * The 32 MiB that Argon2id fills come from the secure heap of 64 MiB: one runs at a time.
 */

import { type Argon2Parameters, argon2, hkdfSync } from 'node:crypto'
import type { SealKind } from './contract/domain-commands.ts'
import { HsmError } from './contract/errors.ts'
import { sealSecretBytesMax } from './contract/limits.ts'
import type { Argon2idCost } from './contract/passphrase-key.ts'
import { randomBytes } from './random.ts'
import { SealingKey, sealingOverheadBytes } from './sealing.ts'
import { Secret } from './secret.ts'
import { argon2idTests } from './self-tests/argon2id.ts'
import { runKnownAnswers } from './self-tests/known-answer.ts'
import { Turns } from './turns.ts'

/** A passphrase shorter than this is not taken for a new seal. */
export const passphraseBytesMin = 12
/** A key file holds at least 256 bits. */
export const keyFileBytesMin = 32

const magic = Buffer.from('KHSL')
const version = 1
const saltBytes = 32
const rootBytes = 32
/** Magic, version, kind, domain id, memory (KiB), passes, lanes, salt. */
const headerBytes = 4 + 1 + 1 + 16 + 3 * 4 + saltBytes
export const sealBytes = headerBytes + rootBytes + sealingOverheadBytes

/** Number in a seal, and the secrets that a new seal takes. */
const kinds = {
  passphrase: { number: 1, secretBytesMin: passphraseBytesMin },
  'key-file': { number: 2, secretBytesMin: keyFileBytesMin, info: 'keyhold key-file seal v1' },
  // What a TPM keeps is as random as a key file (TpmSeal of the host).
  tpm: { number: 3, secretBytesMin: keyFileBytesMin, info: 'keyhold tpm seal v1' },
} as const satisfies Record<SealKind, object>

/** What a new passphrase seal costs to open, and the bounds of what is accepted from an old one. */
const cost: Argon2idCost = { memoryKib: 32 * 1024, passes: 4, lanes: 1 }
const costMin: Argon2idCost = { memoryKib: 8 * 1024, passes: 1, lanes: 1 }
const costMax: Argon2idCost = { memoryKib: 32 * 1024, passes: 16, lanes: 1 }
/** A key file has nothing to stretch. */
const noCost: Argon2idCost = { memoryKib: 0, passes: 0, lanes: 0 }

/** What a seal opened. */
export interface OpenedSeal {
  readonly domainId: Buffer
  /** Whoever takes it erases it. */
  readonly root: Secret
}

/**
 * sealBytes. The secret and the root stay the caller's.
 * @throws HsmError ARGUMENT_INVALID for a secret that is too short or too long, MODULE_BUSY while
 *   too many others wait, MODULE_FAILED when Argon2id failed its known answer
 */
export async function makeSeal(
  kind: SealKind,
  secret: Secret,
  { domainId, root }: { readonly domainId: Uint8Array; readonly root: Secret },
): Promise<Buffer> {
  const { number, secretBytesMin } = kinds[kind]
  if (secret.length < secretBytesMin || secret.length > sealSecretBytesMax) {
    const range = `${secretBytesMin} to ${sealSecretBytesMax}`
    throw new HsmError('ARGUMENT_INVALID', `a ${kind} has ${range} bytes`)
  }
  const { memoryKib, passes, lanes } = kind === 'passphrase' ? cost : noCost
  const header = Buffer.alloc(headerBytes)
  magic.copy(header)
  header.set([version, number], 4)
  header.set(domainId, 6)
  header.writeUInt32BE(memoryKib, 22)
  header.writeUInt32BE(passes, 26)
  header.writeUInt32BE(lanes, 30)
  header.set(randomBytes(saltBytes), 34)
  using key = await sealKey(kind, secret, header)
  using sealing = new SealingKey(key)
  return Buffer.concat([header, root.expose((bytes) => sealing.seal(header, bytes))])
}

/**
 * The root key under a seal of this kind. The secret stays the caller's.
 * @throws HsmError SEAL_INVALID, MODULE_BUSY, MODULE_FAILED
 */
export async function openSeal(
  kind: SealKind,
  seal: Uint8Array,
  secret: Secret,
): Promise<OpenedSeal> {
  const bytes = Buffer.from(seal)
  const header = bytes.subarray(0, headerBytes)
  if (bytes.length !== sealBytes || !isHeader(kind, header)) throw invalid()
  if (secret.length === 0 || secret.length > sealSecretBytesMax) throw invalid()
  using key = await sealKey(kind, secret, header)
  using sealing = new SealingKey(key)
  try {
    const root = new Secret(sealing.open(header, bytes.subarray(headerBytes)))
    return { domainId: Buffer.from(header.subarray(6, 22)), root }
  } catch (cause) {
    throw invalid(cause)
  }
}

function isHeader(kind: SealKind, header: Buffer): boolean {
  const { memoryKib, passes, lanes } = costOf(header)
  const [min, max] = kind === 'passphrase' ? [costMin, costMax] : [noCost, noCost]
  return (
    magic.equals(header.subarray(0, 4)) &&
    header[4] === version &&
    header[5] === kinds[kind].number &&
    memoryKib >= min.memoryKib &&
    memoryKib <= max.memoryKib &&
    passes >= min.passes &&
    passes <= max.passes &&
    lanes >= min.lanes &&
    lanes <= max.lanes
  )
}

function costOf(header: Buffer): Argon2idCost {
  return {
    memoryKib: header.readUInt32BE(22),
    passes: header.readUInt32BE(26),
    lanes: header.readUInt32BE(30),
  }
}

async function sealKey(kind: SealKind, secret: Secret, header: Buffer): Promise<Secret> {
  const salt = header.subarray(34)
  if (kind === 'passphrase') return argon2idKey(secret, salt, costOf(header))
  const { info } = kinds[kind]
  return secret.expose(
    (bytes) => new Secret(new Uint8Array(hkdfSync('sha256', bytes, salt, info, 32))),
  )
}

/** Beside the one that is at work. */
const argon2idWaitingMax = 8
const argon2idTurns = new Turns(argon2idWaitingMax, 'passphrases')
let argon2idTested = false

/**
 * 32 bytes, for whoever keeps something under a passphrase. It waits for those before it.
 * @throws HsmError MODULE_BUSY while too many others wait, MODULE_FAILED
 */
export function argon2idKey(secret: Secret, salt: Buffer, stretch: Argon2idCost): Promise<Secret> {
  return argon2idTurn(() => stretchNow(secret, salt, stretch))
}

/**
 * For whoever has more to do in his turn than to stretch one secret, by `stretchNow`.
 * @throws HsmError MODULE_BUSY while too many others wait
 */
export function argon2idTurn<T>(work: () => Promise<T>): Promise<T> {
  return argon2idTurns.take(work)
}

/** Only within a turn. @throws HsmError MODULE_FAILED, SECURE_HEAP_FULL */
export async function stretchNow(
  secret: Secret,
  salt: Buffer,
  stretch: Argon2idCost,
): Promise<Secret> {
  if (!argon2idTested) await runKnownAnswers(argon2idTests)
  argon2idTested = true
  const { memoryKib: memory, passes, lanes: parallelism } = stretch
  const parameters = { nonce: salt, parallelism, tagLength: 32, memory, passes }
  return new Secret(await argon2id(secret, parameters))
}

/** On the thread pool. OpenSSL works on a copy of the secret of its own, made before this returns. */
function argon2id(secret: Secret, parameters: Omit<Argon2Parameters, 'message'>): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    secret.expose((message) =>
      argon2('argon2id', { message, ...parameters }, (error, key) => {
        if (error)
          reject(new HsmError('SECURE_HEAP_FULL', 'no memory for Argon2id', { cause: error }))
        else resolve(key)
      }),
    )
  })
}

function invalid(cause?: unknown): HsmError {
  const options = cause === undefined ? undefined : { cause }
  return new HsmError('SEAL_INVALID', 'the seal does not open with this secret', options)
}
