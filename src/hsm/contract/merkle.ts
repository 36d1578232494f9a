/**
 * The Merkle tree of RFC 6962 section 2.1 over SHA-256, kept as its frontier: the roots of the full
 * subtrees from left to right, which is all that appending needs. Proofs are not made here.
 */

import assert from 'node:assert/strict'
import { hash } from 'node:crypto'

export const hashBytes = 32

/** MTH({d}) = SHA-256(0x00 || d). */
export function leafHash(leaf: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(1 + leaf.length)
  input[0] = 0
  input.set(leaf, 1)
  return hash('sha256', input, 'buffer')
}

/** SHA-256(0x01 || left || right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(1 + 2 * hashBytes)
  input[0] = 1
  input.set(left, 1)
  input.set(right, 1 + hashBytes)
  return hash('sha256', input, 'buffer')
}

export class MerkleTree {
  #size = 0
  /** One hash for each bit that is set in the size, the largest subtree first. */
  readonly #frontier: Buffer[] = []

  /** Goes on from a tree of the given size. @throws RangeError when the frontier does not fit it */
  static resume(size: number, frontier: readonly Uint8Array[]): MerkleTree {
    if (!Number.isSafeInteger(size) || size < 0 || frontier.length !== bitCount(size)) {
      throw new RangeError('frontier does not fit the size')
    }
    if (frontier.some((hash) => hash.length !== hashBytes)) throw new RangeError('hash length')
    const tree = new MerkleTree()
    tree.#size = size
    tree.#frontier.push(...frontier.map((hash) => Buffer.from(hash)))
    return tree
  }

  get size(): number {
    return this.#size
  }

  get frontier(): readonly Uint8Array[] {
    return this.#frontier
  }

  append(hash: Buffer): void {
    let node = hash
    for (let size = this.#size; size % 2 === 1; size = (size - 1) / 2) {
      const left = this.#frontier.pop()
      assert(left)
      node = nodeHash(left, node)
    }
    this.#frontier.push(node)
    this.#size += 1
  }

  /** MTH of all leaves so far; of none, SHA-256 of nothing. */
  root(): Buffer {
    const last = this.#frontier.at(-1)
    if (!last) return hash('sha256', new Uint8Array(), 'buffer')
    let node: Buffer = last
    for (let index = this.#frontier.length - 2; index >= 0; index -= 1) {
      const left = this.#frontier[index]
      assert(left)
      node = nodeHash(left, node)
    }
    return node
  }
}

function bitCount(size: number): number {
  let count = 0
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2
  return count
}
