/**
 * Cosignatures (c2sp.org/tlog-cosignature): what a witness says of a log's head, that as of a time this was the largest
 * tree of that log that it saw, and that it goes on from all that it saw before. And verifier keys in their text form.
 */

import { type KeyObject, sign } from 'node:crypto'
import { parseCheckpointText } from './checkpoint.ts'
import { HsmError } from './errors.ts'
import {
  assertSignature,
  type Note,
  type NoteKey,
  type NoteKeyType,
  type NoteSignature,
  noteKeyId,
  noteKeyTypes,
  signaturesBy,
} from './signed-note.ts'

const timestampBytes = 8
/** By ML-DSA-44, with its time. */
export const cosignatureBytesMax = timestampBytes + 2_420
const nameBytesMax = 255

/**
 * @param text of the checkpoint, without its signatures
 * @param seconds since 1970
 */
export function cosign(
  text: string,
  { key, privateKey }: { readonly key: NoteKey; readonly privateKey: KeyObject },
  seconds: number,
): NoteSignature {
  const signature = sign(null, cosignedMessage(text, key, seconds), privateKey)
  return {
    name: key.name,
    keyId: noteKeyId(key),
    signature: Buffer.concat([uint64(seconds), signature]),
  }
}

/**
 * When the witness cosigned it last, in seconds since 1970; undefined if it did not.
 * @throws HsmError RECORD_INVALID when there is a cosignature of it that is not right
 */
export function cosignedAt(key: NoteKey, note: Note): number | undefined {
  const times = signaturesBy(key, note).map((bytes) => {
    if (bytes.length <= timestampBytes) throw invalid('a cosignature without a signature')
    const seconds = Number(bytes.readBigUInt64BE())
    if (!Number.isSafeInteger(seconds)) throw invalid('a cosignature out of time')
    const message = cosignedMessage(note.text, key, seconds)
    assertSignature(key, message, bytes.subarray(timestampBytes))
    return seconds
  })
  return times.length > 0 ? Math.max(...times) : undefined
}

/** Ed25519 signs the whole text; ML-DSA-44 the names and the tree. */
function cosignedMessage(text: string, { name, type }: NoteKey, seconds: number): Buffer {
  if (type === 'ed25519-cosignature') return Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`)
  if (type !== 'ml-dsa-44-cosignature') throw invalid(`${name} is not the key of a witness`)
  const { origin, size, root } = parseCheckpointText(text)
  return Buffer.concat([
    Buffer.from('subtree/v1\n\0'),
    behindLength(name),
    uint64(seconds),
    behindLength(origin),
    uint64(0),
    uint64(size),
    root,
  ])
}

/** The signed-note text for a key: name, key ID in hex, base64 of type and public key. */
export function encodeVerifierKey(key: NoteKey): string {
  const material = Buffer.concat([noteKeyTypes[key.type].mark, key.publicKey]).toString('base64')
  return `${key.name}+${noteKeyId(key).toString('hex')}+${material}`
}

const verifierKeyPattern = /^([^\s\u0085+]+)\+[0-9a-f]{8}\+([A-Za-z0-9+/]+={0,2})$/

/** @throws HsmError RECORD_INVALID */
export function parseVerifierKey(text: string): NoteKey {
  const [, name, material] = verifierKeyPattern.exec(text) ?? []
  const bytes = Buffer.from(material ?? '', 'base64')
  for (const type of Object.keys(noteKeyTypes) as NoteKeyType[]) {
    const { mark, keyBytes } = noteKeyTypes[type]
    const isOfType = bytes.subarray(0, mark.length).equals(mark)
    if (name === undefined || !isOfType || bytes.length !== mark.length + keyBytes) continue
    const key = { name, type, publicKey: bytes.subarray(mark.length) }
    if (encodeVerifierKey(key) === text) return key
  }
  throw invalid('not a verifier key (name+id+key)')
}

/** As parseVerifierKey, of a witness. @throws HsmError RECORD_INVALID */
export function parseWitnessKey(text: string): NoteKey {
  const key = parseVerifierKey(text)
  if (!key.type.endsWith('-cosignature')) throw invalid(`${key.name} is not the key of a witness`)
  return key
}

function behindLength(text: string): Buffer {
  const bytes = Buffer.from(text)
  if (bytes.length > nameBytesMax) throw invalid(`a name has up to ${nameBytesMax} bytes`)
  return Buffer.concat([Buffer.from([bytes.length]), bytes])
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

function invalid(message: string): HsmError {
  return new HsmError('RECORD_INVALID', message)
}
