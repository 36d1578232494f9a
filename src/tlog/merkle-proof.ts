/**
 * Proofs in the Merkle tree of RFC 6962 section 2.1: made from the hashes of its perfect subtrees, wherever
 * those are kept, and checked by the algorithms of RFC 9162 sections 2.1.3.2 and 2.1.4.2. Sizes and indices are
 * safe integers; hashes have 32 bytes.
 */

import { hashBytes, nodeHash } from '../hsm/contract/merkle.ts'

/** MTH of the 2^height leaves from index * 2^height on, all of which the tree has. */
export type SubtreeHash = (height: number, index: number) => Promise<Uint8Array>

/** RFC 6962 section 2.1.1: from the leaf's sibling up. @throws RangeError unless index < size */
export async function inclusionProof(
  index: number,
  size: number,
  subtree: SubtreeHash,
): Promise<Uint8Array[]> {
  if (!isPlace(index, size - 1) || !isPlace(size)) throw new RangeError('no such leaf in the tree')
  const proof: Uint8Array[] = []
  let [from, to] = [0, size]
  while (to - from > 1) {
    const middle = from + splitOf(to - from)
    const isLeft = index < middle
    proof.unshift(await rangeHash(isLeft ? middle : from, isLeft ? to : middle, subtree))
    if (isLeft) to = middle
    else from = middle
  }
  return proof
}

/** RFC 6962 section 2.1.2; empty from size 0 and from a size to itself. @throws RangeError unless before <= size */
export async function consistencyProof(
  before: number,
  size: number,
  subtree: SubtreeHash,
): Promise<Uint8Array[]> {
  if (!isPlace(before, size) || !isPlace(size)) throw new RangeError('no such tree before it')
  if (before === 0 || before === size) return []
  const proof: Uint8Array[] = []
  let [from, to, isKnown]: [number, number, boolean] = [0, size, true]
  while (to !== before) {
    const middle = from + splitOf(to - from)
    if (before <= middle) {
      proof.unshift(await rangeHash(middle, to, subtree))
      to = middle
    } else {
      proof.unshift(await rangeHash(from, middle, subtree))
      from = middle
      isKnown = false
    }
  }
  return isKnown ? proof : [await rangeHash(from, to, subtree), ...proof]
}

export interface InclusionClaim {
  readonly leaf: Uint8Array
  readonly index: number
  readonly size: number
  readonly root: Uint8Array
}

/** Whether the leaf with this hash is the one at the index, in the tree of this size and root. */
export function verifyInclusion(claim: InclusionClaim, proof: readonly Uint8Array[]): boolean {
  const { index, size, root } = claim
  if (!isPlace(index, size - 1) || !isPlace(size) || !areHashes([claim.leaf, root, ...proof])) {
    return false
  }
  let [node, last]: [number, number] = [index, size - 1]
  let hash = claim.leaf
  for (const other of proof) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(other, hash)
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)]
    } else {
      hash = nodeHash(hash, other)
    }
    ;[node, last] = [half(node), half(last)]
  }
  return last === 0 && areEqual(hash, root)
}

export interface Tree {
  readonly size: number
  readonly root: Uint8Array
}

/**
 * Whether the tree goes on from the one before: nothing of that one was changed, removed or moved. Every tree goes on
 * from the empty one, whose root is not looked at.
 */
export function verifyConsistency(before: Tree, tree: Tree, proof: readonly Uint8Array[]): boolean {
  if (!isPlace(before.size, tree.size) || !isPlace(tree.size)) return false
  if (!areHashes([before.root, tree.root, ...proof])) return false
  if (before.size === tree.size) return proof.length === 0 && areEqual(before.root, tree.root)
  if (before.size === 0) return proof.length === 0
  const path = isPowerOfTwo(before.size) ? [before.root, ...proof] : [...proof]
  let [node, last]: [number, number] = [before.size - 1, tree.size - 1]
  while (node % 2 === 1) [node, last] = [half(node), half(last)]
  const [first, ...others] = path
  if (!first) return false
  let [old, now]: [Uint8Array, Uint8Array] = [first, first]
  for (const other of others) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      old = nodeHash(other, old)
      now = nodeHash(other, now)
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)]
    } else {
      now = nodeHash(now, other)
    }
    ;[node, last] = [half(node), half(last)]
  }
  return last === 0 && areEqual(old, before.root) && areEqual(now, tree.root)
}

/** MTH of the leaves from `from` to before `to`, as the tree has it: `from` begins a subtree. */
export async function rangeHash(
  from: number,
  to: number,
  subtree: SubtreeHash,
): Promise<Uint8Array> {
  const count = to - from
  if (isPowerOfTwo(count)) return subtree(Math.log2(count), from / count)
  const middle = from + splitOf(count)
  return nodeHash(await rangeHash(from, middle, subtree), await rangeHash(middle, to, subtree))
}

/** The largest power of two below the count, which is at least 2. */
function splitOf(count: number): number {
  let split = 1
  while (split * 2 < count) split *= 2
  return split
}

function half(value: number): number {
  return Math.floor(value / 2)
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value))
}

function isPlace(value: number, max = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= max
}

function areHashes(hashes: readonly Uint8Array[]): boolean {
  return hashes.every(({ length }) => length === hashBytes)
}

function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}
