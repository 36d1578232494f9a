/**
 * The log of a module's starts: a Merkle tree with one random leaf for each time that it asked the pinned witness
 * (freshness.ts). It is a log of its own because the record, whose heads the witness cosigns too, says nothing of the
 * sealed state beside it: whoever kept the newest record and an older state could start a module with both.
 *
 * Kept as the tree that was cosigned last, by its frontier, and the leaves behind it: from these the host makes every
 * proof that a witness may want, whichever of the two it has seen.
 */

import { HsmError } from './contract/errors.ts'
import { hashBytes, leafHash, MerkleTree } from './contract/merkle.ts'
import { randomBytes } from './random.ts'

/** Starts in a row that no witness has confirmed. */
const unconfirmedMax = 1_024

/** In the ledger; hashes in hex. */
export interface StoredStarts {
  /** Leaves of the tree that was cosigned last. */
  readonly size: number
  readonly frontier: readonly string[]
  readonly unconfirmed: readonly string[]
}

const none: StoredStarts = { size: 0, frontier: [], unconfirmed: [] }

/** With a leaf that nobody knew before. @throws HsmError LEDGER_FULL */
export function withStart(before: StoredStarts = none): StoredStarts {
  if (before.unconfirmed.length >= unconfirmedMax) {
    throw new HsmError('LEDGER_FULL', `${unconfirmedMax} starts that no witness has confirmed`)
  }
  const leaf = leafHash(randomBytes(hashBytes)).toString('hex')
  return { ...before, unconfirmed: [...before.unconfirmed, leaf] }
}

/** The tree over all of them. */
export function treeOfStarts({ size, frontier, unconfirmed }: StoredStarts): MerkleTree {
  const tree = MerkleTree.resume(size, frontier.map(fromHex))
  for (const leaf of unconfirmed) tree.append(fromHex(leaf))
  return tree
}

/** All of them are confirmed. */
export function confirmedStarts(starts: StoredStarts): StoredStarts {
  const { size, frontier } = treeOfStarts(starts)
  return {
    size,
    frontier: frontier.map((hash) => Buffer.from(hash).toString('hex')),
    unconfirmed: [],
  }
}

/** For the host: the frontier, then the leaves. */
export function hashesOfStarts({ frontier, unconfirmed }: StoredStarts): Buffer {
  return Buffer.concat([...frontier, ...unconfirmed].map(fromHex))
}

function fromHex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}
