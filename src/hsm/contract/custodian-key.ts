/**
 * A custodian's key pair (docs/formats/share.md section 3): X-Wing, from a seed that is kept in a file under a
 * passphrase. The public half is one line of text with a checksum; its fingerprint is what people
 * compare by voice. It is made on the custodian's own machine; the module sees the public half only.
 */

import { hash, randomFillSync } from 'node:crypto'
import { HsmError } from './errors.ts'
import { onceOverheadBytes, openOnce, sealOnce } from './once.ts'
import {
  costBytes,
  decodeCost,
  encodeCost,
  keyFileCost,
  passphraseKey,
  saltBytes,
} from './passphrase-key.ts'
import { secretMemory } from './secret-memory.ts'
import { transportPublicKeyBytes } from './transport.ts'
import { XWingPrivateKey, xWingSeedBytes } from './x-wing.ts'

const magic = Buffer.from('KHCK')
const version = 1
const digestBytes = 32
/** Magic, version, Argon2id's costs, salt, SHA-256 of the public key. */
const headerBytes = 4 + 1 + costBytes + saltBytes + digestBytes
const saltStart = 5 + costBytes
const digestStart = saltStart + saltBytes
export const custodianKeyFileBytes = headerBytes + xWingSeedBytes + onceOverheadBytes

const publicPrefix = 'keyhold-custodian-v1:'
const publicTextChecksumBytes = 4
const publicTextPattern = /^keyhold-custodian-v1:([A-Za-z0-9_-]+)$/

export interface NewCustodianKey {
  /** For a file that only its owner can read. */
  readonly file: Buffer
  readonly publicKey: Buffer
}

/** The passphrase stays the caller's. */
export function makeCustodianKey(passphrase: Uint8Array): NewCustodianKey {
  const seed = randomFillSync(secretMemory(xWingSeedBytes))
  const salt = randomFillSync(Buffer.alloc(saltBytes))
  const { publicKey } = new XWingPrivateKey(seed)
  const start = Buffer.concat([magic, Buffer.from([version]), encodeCost(keyFileCost)])
  const header = Buffer.concat([start, salt, hash('sha256', publicKey, 'buffer')])
  const key = passphraseKey(passphrase, { salt, cost: keyFileCost })
  const file = Buffer.concat([header, sealOnce(key, header, seed)])
  key.fill(0)
  seed.fill(0)
  return { file, publicKey }
}

/**
 * A wrong passphrase and one changed bit are one and the same refusal.
 * @throws HsmError CIPHERTEXT_INVALID
 */
export function openCustodianKey(file: Uint8Array, passphrase: Uint8Array): XWingPrivateKey {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  const isLong = bytes.length === custodianKeyFileBytes
  const cost = isLong ? decodeCost(bytes.subarray(5, saltStart)) : undefined
  if (!cost || !magic.equals(bytes.subarray(0, 4)) || bytes[4] !== version) throw invalid()
  const header = bytes.subarray(0, headerBytes)
  const salt = header.subarray(saltStart, digestStart)
  const key = passphraseKey(passphrase, { salt, cost })
  const seed = openOnce(key, header, bytes.subarray(headerBytes))
  key.fill(0)
  if (!seed) throw invalid()
  const opened = new XWingPrivateKey(seed)
  seed.fill(0)
  const digest = hash('sha256', opened.publicKey, 'buffer')
  if (!digest.equals(header.subarray(digestStart))) throw invalid()
  return opened
}

/** One line: prefix, then base64url of the key and 4 bytes of checksum. */
export function encodeCustodianPublicKey(publicKey: Uint8Array): string {
  const bytes = Buffer.concat([publicKey, checksum(publicKey)])
  return `${publicPrefix}${bytes.toString('base64url')}`
}

/** White space around it is no part of it. @throws HsmError ARGUMENT_INVALID */
export function parseCustodianPublicKey(text: string): Buffer {
  const encoded = publicTextPattern.exec(text.trim())?.[1] ?? ''
  const bytes = Buffer.from(encoded, 'base64url')
  const isWhole = bytes.toString('base64url') === encoded
  if (!isWhole || bytes.length !== transportPublicKeyBytes + publicTextChecksumBytes) {
    throw new HsmError(
      'ARGUMENT_INVALID',
      `a custodian's key is "${publicPrefix}" and 1,627 letters`,
    )
  }
  const publicKey = bytes.subarray(0, transportPublicKeyBytes)
  if (!checksum(publicKey).equals(bytes.subarray(transportPublicKeyBytes))) {
    throw new HsmError('ARGUMENT_INVALID', "the custodian's key has a wrong checksum")
  }
  return publicKey
}

/** The first 20 bytes of SHA-256 in 10 groups of hex. */
export function custodianFingerprint(publicKeyDigest: Uint8Array): string {
  const text = Buffer.from(publicKeyDigest).toString('hex', 0, 20)
  return text.replace(/(.{4})(?!$)/g, '$1 ')
}

function checksum(publicKey: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([Buffer.from(publicPrefix), publicKey]), 'buffer').subarray(
    0,
    publicTextChecksumBytes,
  )
}

function invalid(): HsmError {
  const reason = "the custodian's key does not open with this passphrase, or was changed"
  return new HsmError('CIPHERTEXT_INVALID', reason)
}
