/**
 * Tree heads as C2SP tlog-checkpoint inside C2SP signed-note, signed with Ed25519: three lines
 * (origin, size, root hash), an empty line, one signature line. The origin names domain and module.
 */

import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { HsmError } from './errors.ts'
import { hashBytes } from './merkle.ts'

export interface Checkpoint {
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
}

/** "keyhold/" domain id "/" module id, both in lower-case hex. */
export function checkpointOrigin(domainId: Uint8Array, moduleId: Uint8Array): string {
  return `keyhold/${Buffer.from(domainId).toString('hex')}/${Buffer.from(moduleId).toString('hex')}`
}

function checkpointText({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${Buffer.from(root).toString('base64')}\n`
}

/** signed-note: key ID = SHA-256(name || 0x0A || 0x01 || public key), first four bytes. */
function noteKeyId(name: string, publicKey: Uint8Array): Buffer {
  return createHash('sha256').update(`${name}\n\x01`).update(publicKey).digest().subarray(0, 4)
}

/** The signed note. The key is Ed25519; publicKey its 32 bytes. */
export function signCheckpoint(
  checkpoint: Checkpoint,
  key: KeyObject,
  publicKey: Uint8Array,
): string {
  const text = checkpointText(checkpoint)
  const signature = Buffer.concat([
    noteKeyId(checkpoint.origin, publicKey),
    sign(null, Buffer.from(text), key),
  ])
  return `${text}\n\u2014 ${checkpoint.origin} ${signature.toString('base64')}\n`
}

const notePattern =
  /^([^\n]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n\n\u2014 ([^ \n]+) ([A-Za-z0-9+/]+={0,2})\n$/

/** @throws HsmError RECORD_INVALID unless the note is canonical and signed by this key (32 bytes) */
export function verifyCheckpoint(note: string, publicKey: Uint8Array): Checkpoint {
  const [, origin, sizeText, rootText, name, signatureText] = notePattern.exec(note) ?? []
  if (!origin || !sizeText || !rootText || !signatureText || name !== origin) throw invalid()
  const checkpoint = { origin, size: Number(sizeText), root: Buffer.from(rootText, 'base64') }
  const signature = Buffer.from(signatureText, 'base64')
  if (
    !Number.isSafeInteger(checkpoint.size) ||
    checkpoint.root.length !== hashBytes ||
    checkpoint.root.toString('base64') !== rootText ||
    signature.toString('base64') !== signatureText ||
    signature.length !== 4 + 64 ||
    !noteKeyId(origin, publicKey).equals(signature.subarray(0, 4)) ||
    !verify(
      null,
      Buffer.from(checkpointText(checkpoint)),
      ed25519PublicKey(publicKey),
      signature.subarray(4),
    )
  ) {
    throw invalid()
  }
  return checkpoint
}

/** RFC 8037 form of 32 raw bytes. */
function ed25519PublicKey(bytes: Uint8Array): KeyObject {
  const x = Buffer.from(bytes).toString('base64url')
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
}

function invalid(): HsmError {
  return new HsmError('RECORD_INVALID', 'not a head that this module signed')
}
