/**
 * Signed notes (c2sp.org/signed-note): a text, an empty line, and a line for each signature. A reader is given the
 * keys that it knows and ignores the lines of all others, so that a note can be signed by more than its reader knows.
 * What is not a note, and a signature of a known key that is not right, is RECORD_INVALID.
 */

import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { HsmError } from './errors.ts'

/** Room for 16 signatures of 5 kB in base64, which is the least that a reader has to take. */
export const noteBytesMax = 160 * 1024
const signaturesMax = 32
const keyIdBytes = 4

/**
 * Signature types: their identifier, the algorithm and the length of its public keys in bytes. No identifier is
 * assigned to ML-DSA-65: 0xff and a longer one of our own, as the specification wants it.
 */
export const noteKeyTypes = {
  ed25519: { mark: Buffer.from([0x01]), algorithm: 'ed25519', keyBytes: 32 },
  'ed25519-cosignature': { mark: Buffer.from([0x04]), algorithm: 'ed25519', keyBytes: 32 },
  'ml-dsa-44-cosignature': { mark: Buffer.from([0x06]), algorithm: 'ml-dsa-44', keyBytes: 1_312 },
  'ml-dsa-65': {
    mark: Buffer.from('\xffkeyhold.ml-dsa-65.v1', 'latin1'),
    algorithm: 'ml-dsa-65',
    keyBytes: 1_952,
  },
} as const
export type NoteKeyType = keyof typeof noteKeyTypes

export interface NoteKey {
  /** Without spaces and plus signs. */
  readonly name: string
  readonly type: NoteKeyType
  /** Raw, as long as its type says. */
  readonly publicKey: Uint8Array
}

export interface NoteSignature {
  readonly name: string
  readonly keyId: Buffer
  readonly signature: Buffer
}

export interface Note {
  /** With its final newline, without the empty line behind it. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

/** SHA-256(name || 0x0A || type || public key), its first four bytes. */
export function noteKeyId({ name, type, publicKey }: NoteKey): Buffer {
  const digest = createHash('sha256').update(`${name}\n`).update(noteKeyTypes[type].mark)
  return digest.update(publicKey).digest().subarray(0, keyIdBytes)
}

/** With its newline, as it stands in a note. */
export function encodeSignatureLine({ name, keyId, signature }: NoteSignature): string {
  return `\u2014 ${name} ${Buffer.concat([keyId, signature]).toString('base64')}\n`
}

export function encodeNote({ text, signatures }: Note): string {
  return `${text}\n${signatures.map(encodeSignatureLine).join('')}`
}

/** Over the text as it is: Ed25519 or ML-DSA-65. */
export function signNote(text: string, key: NoteKey, privateKey: KeyObject): NoteSignature {
  const signature = sign(null, Buffer.from(text), privateKey)
  return { name: key.name, keyId: noteKeyId(key), signature }
}

/** What stands in it, nothing verified yet. @throws HsmError RECORD_INVALID */
export function parseNote(bytes: Uint8Array | string): Note {
  const note = typeof bytes === 'string' ? bytes : decodeUtf8(bytes)
  const end = note.lastIndexOf('\n\n')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the specification forbids them
  const isText = note.isWellFormed() && !/[\x00-\x09\x0b-\x1f]/.test(note)
  if (!isText || note.length > noteBytesMax || end < 0 || !note.endsWith('\n')) {
    throw invalid('not a signed note')
  }
  const lines = note.slice(end + 2, -1).split('\n')
  if (lines.length > signaturesMax) throw invalid('a note with too many signatures')
  return { text: note.slice(0, end + 1), signatures: lines.map(parseSignatureLine) }
}

/** A space, for the specification, is what Unicode says is one; JavaScript leaves U+0085 out. */
const linePattern = /^\u2014 ([^\s\u0085+]+) ([A-Za-z0-9+/]+={0,2})$/

/** Without its newline. @throws HsmError RECORD_INVALID */
export function parseSignatureLine(line: string): NoteSignature {
  const [, name, text] = linePattern.exec(line) ?? []
  const bytes = Buffer.from(text ?? '', 'base64')
  if (name === undefined || bytes.toString('base64') !== text || bytes.length <= keyIdBytes) {
    throw invalid('not the line of a signature')
  }
  return { name, keyId: bytes.subarray(0, keyIdBytes), signature: bytes.subarray(keyIdBytes) }
}

/** The signatures in the note by this key. */
export function signaturesBy(key: NoteKey, { signatures }: Note): Buffer[] {
  const id = noteKeyId(key)
  return signatures
    .filter(({ name, keyId }) => name === key.name && id.equals(keyId))
    .map(({ signature }) => signature)
}

/**
 * Whether the key, which signs texts as they are, has signed this one.
 * @throws HsmError RECORD_INVALID when there is a signature of it that is not right
 */
export function isSignedBy(key: NoteKey, note: Note): boolean {
  const signatures = signaturesBy(key, note)
  for (const signature of signatures) {
    assertSignature(key, Buffer.from(note.text), signature)
  }
  return signatures.length > 0
}

/** @throws HsmError RECORD_INVALID */
export function assertSignature(key: NoteKey, message: Uint8Array, signature: Uint8Array): void {
  let isRight = false
  try {
    isRight = verify(null, message, publicKeyObject(key), signature)
  } catch (cause) {
    throw new HsmError('RECORD_INVALID', `not a key to verify with: ${key.name}`, { cause })
  }
  if (!isRight) throw invalid(`the signature of ${key.name} is not right`)
}

function publicKeyObject({ type, publicKey }: NoteKey): KeyObject {
  const asymmetricKeyType = noteKeyTypes[type].algorithm
  return createPublicKey({ key: Buffer.from(publicKey), format: 'raw-public', asymmetricKeyType })
}

function decodeUtf8(bytes: Uint8Array): string {
  if (bytes.length > noteBytesMax) throw invalid('a note that is too long')
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new HsmError('RECORD_INVALID', 'a note is UTF-8', { cause })
  }
}

function invalid(message: string): HsmError {
  return new HsmError('RECORD_INVALID', message)
}
