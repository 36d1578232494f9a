/**
 * Checks that a record goes on from a head that was kept: by a consistency proof (RFC 9162 section 2.1.4) that is made
 * here from tiles of the log, without the leaves. What does not hold throws RECORD_BROKEN.
 */

import { clientError } from '../client/errors.ts'
import {
  type LogKeys,
  type VerifiedCheckpoint,
  verifyCheckpoint,
} from '../hsm/contract/checkpoint.ts'
import { HsmError } from '../hsm/contract/errors.ts'
import { consistencyProof, verifyConsistency } from '../tlog/merkle-proof.ts'
import { type ReadTile, subtreesOf } from '../tlog/tiles.ts'

export interface Growth {
  /** Signed notes. */
  readonly knownHead: string
  readonly head: string
  /** Tiles of the tree of that head. */
  readonly readTile: ReadTile
}

/** @throws ClientError RECORD_BROKEN */
export async function verifyGrowth(
  { knownHead, head, readTile }: Growth,
  trusted: { readonly keys: LogKeys; readonly origin: string },
): Promise<{ readonly before: VerifiedCheckpoint; readonly now: VerifiedCheckpoint }> {
  const open = (note: string, place: string) => {
    const found = named(place, () => verifyCheckpoint(note, trusted.keys))
    if (found.origin !== trusted.origin) throw broken(`${place}: is of another record`)
    return found
  }
  const before = open(knownHead, 'the kept head')
  const now = open(head, 'the head')
  if (before.size > now.size) {
    throw broken(`the record has ${now.size} leaves and once had ${before.size}: it was cut`)
  }
  const proof = await consistencyProof(before.size, now.size, subtreesOf(readTile)).catch(
    (cause) => {
      throw cause instanceof HsmError ? broken(cause.message, cause) : cause
    },
  )
  if (!verifyConsistency(before, now, proof)) {
    throw broken(`the record does not go on from the kept head (${before.size} leaves)`)
  }
  return { before, now }
}

function named<T>(place: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (!(cause instanceof HsmError)) throw cause
    throw broken(`${place}: ${cause.message}`, cause)
  }
}

function broken(message: string, cause?: unknown): Error {
  return clientError('RECORD_BROKEN', message, cause === undefined ? {} : { cause })
}
