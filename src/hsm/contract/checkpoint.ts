/**
 * Tree heads as checkpoints (c2sp.org/tlog-checkpoint): a signed note of three lines, origin, size and root hash. The
 * origin names domain and module, and is the name of the keys: the module signs with Ed25519 and with ML-DSA-65. Lines
 * of others, who cosigned it, are passed over here.
 */

import type { KeyObject } from 'node:crypto'
import { HsmError } from './errors.ts'
import { hashBytes } from './merkle.ts'
import { encodeNote, isSignedBy, type NoteKey, parseNote, signNote } from './signed-note.ts'

export interface Checkpoint {
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
}

/** "keyhold/" domain id "/" module id, both in lower-case hex. */
export function checkpointOrigin(domainId: Uint8Array, moduleId: Uint8Array): string {
  return `keyhold/${Buffer.from(domainId).toString('hex')}/${Buffer.from(moduleId).toString('hex')}`
}

/** The text that is signed; we write no extension lines. */
export function checkpointText({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${Buffer.from(root).toString('base64')}\n`
}

/** Raw public keys of a log; a verifier may know only the first. */
export interface LogKeys {
  readonly ed25519: Uint8Array
  readonly mlDsa65?: Uint8Array | undefined
}

export interface LogSigner {
  readonly publicKey: Uint8Array
  readonly privateKey: KeyObject
}

/** The signed note. ML-DSA-65 signs it too if it is given. */
export function signCheckpoint(
  checkpoint: Checkpoint,
  { ed25519, mlDsa65 }: { readonly ed25519: LogSigner; readonly mlDsa65?: LogSigner | undefined },
): string {
  const text = checkpointText(checkpoint)
  const name = checkpoint.origin
  const { publicKey, privateKey } = ed25519
  const signatures = [signNote(text, { name, type: 'ed25519', publicKey }, privateKey)]
  if (mlDsa65) {
    const key: NoteKey = { name, type: 'ml-dsa-65', publicKey: mlDsa65.publicKey }
    signatures.push(signNote(text, key, mlDsa65.privateKey))
  }
  return encodeNote({ text, signatures })
}

export interface VerifiedCheckpoint extends Checkpoint {
  /** Whether ML-DSA-65 has signed it besides Ed25519; false when that key is not known. */
  readonly isPostQuantum: boolean
}

/**
 * @throws HsmError RECORD_INVALID unless the note is a checkpoint that the log's Ed25519 key has signed, and its
 *   ML-DSA-65 key, if that is known, has signed rightly or not at all
 */
export function verifyCheckpoint(bytes: Uint8Array | string, keys: LogKeys): VerifiedCheckpoint {
  const note = parseNote(bytes)
  const checkpoint = parseCheckpointText(note.text)
  const name = checkpoint.origin
  if (!isSignedBy({ name, type: 'ed25519', publicKey: keys.ed25519 }, note)) {
    throw new HsmError('RECORD_INVALID', 'not a head that this module signed')
  }
  const { mlDsa65: publicKey } = keys
  const isPostQuantum = publicKey ? isSignedBy({ name, type: 'ml-dsa-65', publicKey }, note) : false
  return { ...checkpoint, isPostQuantum }
}

const textPattern = /^([^\n]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n(?:[^\n]+\n)*$/

/** Of a note that is verified. Extension lines of others are passed over. @throws HsmError RECORD_INVALID */
export function parseCheckpointText(text: string): Checkpoint {
  const [, origin, sizeText, rootText = ''] = textPattern.exec(text) ?? []
  const size = Number(sizeText)
  const root = Buffer.from(rootText, 'base64')
  const isExact = root.length === hashBytes && root.toString('base64') === rootText
  if (origin === undefined || !Number.isSafeInteger(size) || !isExact) {
    throw new HsmError('RECORD_INVALID', 'not a head of a record')
  }
  return { origin, size, root }
}
