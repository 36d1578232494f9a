/**
 * The one call of c2sp.org/tlog-witness, without HTTP around it: a checkpoint that its log has signed is cosigned if it
 * goes on from the last one that was; of each log there is one history that this witness ever signs.
 */

import { hash } from 'node:crypto'
import { parseCheckpointText } from '../hsm/contract/checkpoint.ts'
import { cosignedAt } from '../hsm/contract/cosignature.ts'
import { HsmError } from '../hsm/contract/errors.ts'
import { hashBytes } from '../hsm/contract/merkle.ts'
import {
  encodeNote,
  isSignedBy,
  type Note,
  type NoteKey,
  type NoteSignature,
  noteBytesMax,
  noteKeyId,
  parseNote,
} from '../hsm/contract/signed-note.ts'
import { verifyConsistency } from '../tlog/merkle-proof.ts'
import type { WitnessKey } from './key.ts'
import type { Cosigned, WitnessStore } from './store.ts'

const proofHashesMax = 63
export const bodyBytesMax = noteBytesMax + 4 * 1024

export interface WitnessAnswer {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422
  readonly type: 'text/plain; charset=utf-8' | 'text/x.tlog.size'
  readonly body: string
}

export interface Witness {
  readonly key: WitnessKey
  readonly store: WitnessStore
  /** Seconds since 1970. */
  readonly now: () => number
}

/** @throws WitnessError WITNESS_DAMAGED */
export function addCheckpoint(body: Uint8Array, { key, store, now }: Witness): WitnessAnswer {
  const asked = parseRequest(body)
  if (!asked) return refused(400, 'not a request as c2sp.org/tlog-witness has it')
  const { old, proof, note, head } = asked
  const keys = store.keysOf(head.origin)
  if (keys.length === 0) return refused(404, 'no log of this origin is known here')
  const signed = signedBy(note, keys)
  if (signed === undefined) return refused(403, 'no key of this log has signed the checkpoint')
  if (old > head.size) return refused(400, 'the old size is beyond the checkpoint')
  return store.atomically(() => {
    const last = store.cosigned(head.origin) ?? nothing
    if (old !== last.size) return conflict(last)
    if (head.size === last.size && !equal(head.root, last.root)) {
      store.keepConflict(head.origin, encodeNote(signed))
      return conflict(last)
    }
    if (!verifyConsistency(last, head, proof)) {
      return refused(422, 'the proof does not lead from the last checkpoint to this one')
    }
    // Never before the last one, so that of two cosignatures the later is of the larger tree.
    const lines = key.cosign(note.text, Math.max(now(), last.time))
    store.putCosigned(head.origin, `${encodeNote(signed)}${lines}`)
    return { status: 200, type: 'text/plain; charset=utf-8', body: lines }
  })
}

const nothing: Cosigned = { size: 0, root: hash('sha256', '', 'buffer'), time: 0 }

function conflict({ size }: Cosigned): WitnessAnswer {
  return { status: 409, type: 'text/x.tlog.size', body: `${size}\n` }
}

function refused(status: 400 | 403 | 404 | 422, reason: string): WitnessAnswer {
  return { status, type: 'text/plain; charset=utf-8', body: `${reason}\n` }
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}

/** With the signatures of these keys alone. One is enough, but none may be wrong: undefined then. */
function signedBy(note: Note, keys: readonly NoteKey[]): Note | undefined {
  try {
    const theirs = keys.filter((key) => hasSigned(key, note)).map(noteKeyId)
    if (theirs.length === 0) return undefined
    const { text, signatures } = note
    const isTheirs = ({ name, keyId }: NoteSignature) =>
      name === keys[0]?.name && theirs.some((id) => id.equals(keyId))
    return { text, signatures: signatures.filter(isTheirs) }
  } catch (error) {
    if (error instanceof HsmError) return undefined
    throw error
  }
}

/** As c2sp.org/tlog-checkpoint has it, a log may sign with a key of cosignatures. */
function hasSigned(key: NoteKey, note: Note): boolean {
  return key.type.endsWith('-cosignature')
    ? cosignedAt(key, note) !== undefined
    : isSignedBy(key, note)
}

interface Asked {
  readonly old: number
  readonly proof: readonly Uint8Array[]
  readonly note: Note
  readonly head: ReturnType<typeof parseCheckpointText>
}

const oldPattern = /^old (0|[1-9][0-9]{0,15})$/
const hashPattern = /^[A-Za-z0-9+/]{43}=$/

/** Undefined for what is none. */
function parseRequest(body: Uint8Array): Asked | undefined {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length)
  const end = bytes.indexOf('\n\n')
  if (end < 0 || bytes.length > bodyBytesMax) return undefined
  const [oldLine = '', ...hashes] = bytes.toString('latin1', 0, end).split('\n')
  const old = Number(oldPattern.exec(oldLine)?.[1] ?? Number.NaN)
  const proof = hashes.map((line) => exactHash(line))
  if (!Number.isSafeInteger(old) || proof.length > proofHashesMax) return undefined
  if (!proof.every((each) => each !== undefined)) return undefined
  try {
    const note = parseNote(bytes.subarray(end + 2))
    return { old, proof, note, head: parseCheckpointText(note.text) }
  } catch (error) {
    if (error instanceof HsmError) return undefined
    throw error
  }
}

/** Base64 in its one form. */
function exactHash(line: string): Buffer | undefined {
  const bytes = Buffer.from(hashPattern.test(line) ? line : '', 'base64')
  return bytes.length === hashBytes && bytes.toString('base64') === line ? bytes : undefined
}
