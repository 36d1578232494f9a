/**
 * A proof that an entry is in a log, as one text that verifies offline (c2sp.org/tlog-proof): the index, the inclusion
 * proof, and the checkpoint with whatever cosignatures it has. The entry itself travels as extra data.
 */

import {
  type LogKeys,
  type VerifiedCheckpoint,
  verifyCheckpoint,
} from '../hsm/contract/checkpoint.ts'
import { HsmError } from '../hsm/contract/errors.ts'
import { hashBytes, leafHash } from '../hsm/contract/merkle.ts'
import { noteBytesMax } from '../hsm/contract/signed-note.ts'
import { verifyInclusion } from './merkle-proof.ts'

const firstLine = 'c2sp.org/tlog-proof@v1'
const hashesMax = 63
/** An entry has up to 64 KiB (tlog-tiles), in base64. */
export const proofBytesMax = noteBytesMax + 96 * 1024

export interface Proof {
  /** Not authenticated until it is hashed into the proof. */
  readonly extra: Uint8Array | undefined
  readonly index: number
  /** From the leaf's sibling up. */
  readonly hashes: readonly Uint8Array[]
  /** The signed note as it is. */
  readonly checkpoint: string
}

export function encodeProof({ extra, index, hashes, checkpoint }: Proof): string {
  const lines = [
    firstLine,
    ...(extra ? [`extra ${Buffer.from(extra).toString('base64')}`] : []),
    `index ${index}`,
    ...hashes.map((hash) => Buffer.from(hash).toString('base64')),
  ]
  return `${lines.join('\n')}\n\n${checkpoint}`
}

/** What stands in it, nothing verified yet. @throws HsmError RECORD_INVALID */
export function parseProof(text: string): Proof {
  const end = text.indexOf('\n\n')
  const [first, ...lines] = text.slice(0, Math.max(0, end)).split('\n')
  if (text.length > proofBytesMax || first !== firstLine) throw invalid('not a proof')
  const extra = lines[0]?.startsWith('extra ') ? base64(lines.shift()?.slice(6) ?? '') : undefined
  const index = Number(/^index (0|[1-9][0-9]{0,15})$/.exec(lines.shift() ?? '')?.[1] ?? Number.NaN)
  const hashes = lines.map(base64)
  const isWhole =
    Number.isSafeInteger(index) &&
    hashes.length <= hashesMax &&
    hashes.every(({ length }) => length === hashBytes)
  if (!isWhole) throw invalid('not a proof')
  return { extra, index, hashes, checkpoint: text.slice(end + 2) }
}

export interface ProvenEntry {
  readonly entry: Uint8Array
  readonly index: number
  readonly checkpoint: VerifiedCheckpoint
}

/**
 * The entry that the proof carries, if the log with these keys has it. Whether the checkpoint is of the log that was
 * meant its origin says.
 * @throws HsmError RECORD_INVALID
 */
export function verifyProof(text: string, keys: LogKeys): ProvenEntry {
  const { extra: entry, index, hashes, checkpoint: note } = parseProof(text)
  if (!entry) throw invalid('the proof does not carry its entry')
  const checkpoint = verifyCheckpoint(note, keys)
  const claim = { leaf: leafHash(entry), index, size: checkpoint.size, root: checkpoint.root }
  if (!verifyInclusion(claim, hashes)) throw invalid('the log does not have this entry there')
  return { entry, index, checkpoint }
}

function base64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw invalid('not base64')
  return bytes
}

function invalid(message: string): HsmError {
  return new HsmError('RECORD_INVALID', message)
}
