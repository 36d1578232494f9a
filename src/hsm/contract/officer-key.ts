/**
 * The key with which an officer approves (docs/formats/approval.md section 6): Ed25519, P-256 or ML-DSA-65,
 * in a file under a passphrase. It is made on the officer's own machine; the domain knows the public half.
 */

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomFillSync,
} from 'node:crypto'
import type { Credential } from './domain-state.ts'
import { HsmError } from './errors.ts'
import { openOnce, sealOnce } from './once.ts'
import {
  costBytes,
  decodeCost,
  encodeCost,
  keyFileCost,
  passphraseKey,
  saltBytes,
} from './passphrase-key.ts'

/** In the order of their numbers in a file, from 1. */
export const officerKeyKinds = ['ed25519', 'p-256', 'ml-dsa-65'] as const
export type OfficerKeyKind = (typeof officerKeyKinds)[number]

const magic = Buffer.from('KHOK')
const version = 1
/** Magic, version, kind, Argon2id's costs, salt. */
const headerBytes = 4 + 1 + 1 + costBytes + saltBytes
/** PKCS#8 of an ML-DSA-65 key with its seed has about 4,100 bytes. */
export const officerKeyFileBytesMax = 8 * 1024

export interface NewOfficerKey {
  /** For a file that only its owner can read. */
  readonly file: Buffer
  readonly credential: Credential
}

/** The passphrase stays the caller's. */
export function makeOfficerKey(kind: OfficerKeyKind, passphrase: Uint8Array): NewOfficerKey {
  const { privateKey } = generate(kind)
  const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' })
  const salt = randomFillSync(Buffer.alloc(saltBytes))
  const number = officerKeyKinds.indexOf(kind) + 1
  const start = Buffer.concat([magic, Buffer.from([version, number]), encodeCost(keyFileCost)])
  const header = Buffer.concat([start, salt])
  const key = passphraseKey(passphrase, { salt, cost: keyFileCost })
  const file = Buffer.concat([header, sealOnce(key, header, pkcs8)])
  key.fill(0)
  pkcs8.fill(0)
  return { file, credential: credentialOf(privateKey) }
}

/** Whether the file is one, as far as its first bytes say. */
export function isOfficerKeyFile(file: Uint8Array): boolean {
  return magic.equals(file.subarray(0, magic.length))
}

/**
 * A wrong passphrase and one changed bit are one and the same refusal.
 * @throws HsmError CIPHERTEXT_INVALID
 */
export function openOfficerKey(file: Uint8Array, passphrase: Uint8Array): KeyObject {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  const isLong = bytes.length > headerBytes && bytes.length <= officerKeyFileBytesMax
  const cost = isLong ? decodeCost(bytes.subarray(6, 6 + costBytes)) : undefined
  if (!cost || !magic.equals(bytes.subarray(0, 4)) || bytes[4] !== version) throw invalid()
  const header = bytes.subarray(0, headerBytes)
  const key = passphraseKey(passphrase, { salt: header.subarray(6 + costBytes), cost })
  const pkcs8 = openOnce(key, header, bytes.subarray(headerBytes))
  key.fill(0)
  if (!pkcs8) throw invalid()
  try {
    return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  } catch {
    throw invalid()
  } finally {
    pkcs8.fill(0)
  }
}

/** What the domain is to know of a key: its kind, and the public half as SPKI in base64. */
export function credentialOf(privateKey: KeyObject): Credential {
  const { asymmetricKeyType } = privateKey
  const kind = asymmetricKeyType === 'ec' ? 'p-256' : asymmetricKeyType
  const known = officerKeyKinds.find((name) => name === kind)
  if (!known) throw invalid()
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  return { kind: known, publicKey: spki.toString('base64') }
}

function generate(kind: OfficerKeyKind): { readonly privateKey: KeyObject } {
  if (kind === 'p-256') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return kind === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ml-dsa-65')
}

function invalid(): HsmError {
  const reason = "the officer's key does not open with this passphrase, or was changed"
  return new HsmError('CIPHERTEXT_INVALID', reason)
}
