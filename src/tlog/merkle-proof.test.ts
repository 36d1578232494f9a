/**
 * Merkle proofs: the published ones of transparency-dev/merkle with all the ways in which its own test makes them
 * wrong, and every proof of every tree up to 70 leaves.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { hex, readText } from '../../tests/vectors/files.ts'
import { leafHash, MerkleTree, nodeHash } from '../hsm/contract/merkle.ts'
import {
  consistencyProof,
  type InclusionClaim,
  inclusionProof,
  type Tree,
  verifyConsistency,
  verifyInclusion,
} from './merkle-proof.ts'

const published = JSON.parse(readText('tlog/merkle.json')) as {
  readonly leaves: readonly string[]
  readonly roots: readonly string[]
  readonly someHash: string
  readonly inclusion: readonly { leaf: number; size: number; proof: string[] }[]
  readonly consistency: readonly { size1: number; size2: number; proof: string[] }[]
}
const leaves = published.leaves.map(hex)
const roots = published.roots.map(hex)
const some = hex(published.someHash)
const none = new Uint8Array()
const emptyRoot = new MerkleTree().root()

function at<T>(items: readonly T[], index: number): T {
  const item = items[index]
  assert(item !== undefined)
  return item
}

/** MTH by the definition of RFC 6962 section 2.1, over hashes of leaves. */
function mth(hashes: readonly Buffer[]): Buffer {
  if (hashes.length === 0) return emptyRoot
  if (hashes.length === 1) return at(hashes, 0)
  let middle = 1
  while (middle * 2 < hashes.length) middle *= 2
  return nodeHash(mth(hashes.slice(0, middle)), mth(hashes.slice(middle)))
}

function subtreesOver(hashes: readonly Buffer[]) {
  return (height: number, index: number) => {
    const row = hashes.slice(index * 2 ** height, (index + 1) * 2 ** height)
    assert.equal(row.length, 2 ** height, 'a subtree that the tree does not have')
    return Promise.resolve(mth(row))
  }
}

/** What their test does to a proof itself: bits, removed and added components. */
function alteredProofs(proof: readonly Buffer[], root: Buffer, bit: number): Uint8Array[][] {
  return [
    [...proof, none],
    [...proof, root],
    [none, ...proof],
    [root, ...proof],
    ...proof.map((_, place) =>
      proof.map((hash, other) => {
        const altered = Buffer.from(hash)
        if (other === place) altered[0] = (altered[0] ?? 0) ^ bit
        return altered
      }),
    ),
    ...(proof.length > 0 ? [proof.slice(0, -1)] : []),
    ...(proof.length > 1 ? [[at(proof, 0), some, ...proof.slice(1)]] : []),
  ]
}

suite('merkle proofs', () => {
  test('published inclusion proofs are made and verify; altered in any published way they do not', async () => {
    for (const vector of published.inclusion) {
      const [index, size] = [vector.leaf - 1, vector.size]
      const proof = vector.proof.map(hex)
      const root = at(roots, size - 1)
      const claim = { leaf: leafHash(at(leaves, index)), index, size, root }
      assert(verifyInclusion(claim, proof))
      const hashes = leaves.slice(0, size).map(leafHash)
      assert.deepEqual(await inclusionProof(index, size, subtreesOver(hashes)), proof)
      const wrong: InclusionClaim[] = [
        { ...claim, index: index - 1 },
        { ...claim, index: index + 1 },
        { ...claim, index: index ^ 2 },
        { ...claim, size: size * 2 },
        { ...claim, size: Math.floor(size / 2) },
        { ...claim, leaf: Buffer.from('WrongLeaf') },
        { ...claim, root: emptyRoot },
        { ...claim, root: some },
        { ...claim, root: none },
        { ...claim, leaf: none },
      ]
      for (const other of wrong) assert(!verifyInclusion(other, proof))
      for (const other of alteredProofs(proof, root, 8)) assert(!verifyInclusion(claim, other))
    }
    for (const [index, size] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [2, 1],
    ] as const) {
      const claim = { leaf: some, index, size, root: emptyRoot }
      assert(!verifyInclusion(claim, []))
    }
  })

  test('published consistency proofs are made and verify; altered in any published way they do not', async () => {
    for (const vector of published.consistency) {
      const proof = vector.proof.map(hex)
      const before = { size: vector.size1, root: at(roots, vector.size1 - 1) }
      const tree = { size: vector.size2, root: at(roots, vector.size2 - 1) }
      assert(verifyConsistency(before, tree, proof))
      const hashes = leaves.slice(0, tree.size).map(leafHash)
      assert.deepEqual(await consistencyProof(before.size, tree.size, subtreesOver(hashes)), proof)
      if (proof.length === 0) continue
      const wrong: [Tree, Tree][] = [
        [{ ...before, size: before.size - 1 }, tree],
        [{ ...before, size: before.size + 1 }, tree],
        [{ ...before, size: before.size ^ 2 }, tree],
        [before, { ...tree, size: tree.size * 2 }],
        [before, { ...tree, size: Math.floor(tree.size / 2) }],
        [{ ...before, root: Buffer.from('WrongRoot') }, tree],
        [before, { ...tree, root: Buffer.from('WrongRoot') }],
        [
          { ...before, root: tree.root },
          { ...tree, root: before.root },
        ],
      ]
      for (const [one, other] of wrong) assert(!verifyConsistency(one, other, proof))
      const altered = [
        ...alteredProofs(proof, before.root, 16),
        ...alteredProofs(proof, tree.root, 16),
        [],
        [at(proof, 0), ...proof],
      ]
      for (const other of altered) assert(!verifyConsistency(before, tree, other))
    }
  })

  test('consistency of sizes that need no proof', () => {
    const rows: [number, number, Buffer, Buffer, Buffer[], boolean][] = [
      [0, 0, some, some, [], true],
      [0, 1, some, emptyRoot, [], true],
      [1, 1, some, some, [], true],
      [0, 0, some, emptyRoot, [], false],
      [1, 1, some, emptyRoot, [], false],
      [1, 0, some, emptyRoot, [], false],
      [2, 1, some, emptyRoot, [], false],
      [1, 2, some, emptyRoot, [], false],
      [0, 0, emptyRoot, emptyRoot, [emptyRoot], false],
      [0, 1, emptyRoot, emptyRoot, [emptyRoot], false],
      [1, 1, emptyRoot, emptyRoot, [emptyRoot], false],
    ]
    for (const [size1, size2, root1, root2, proof, isConsistent] of rows) {
      const [before, tree] = [
        { size: size1, root: root1 },
        { size: size2, root: root2 },
      ]
      assert.equal(verifyConsistency(before, tree, proof), isConsistent, `${size1} to ${size2}`)
    }
  })

  test('invariant 6: every proof up to 70 leaves verifies, and with any one bit changed does not', async () => {
    const hashes = Array.from({ length: 70 }, (_, index) => leafHash(Buffer.from(`leaf ${index}`)))
    const treeRoots = Array.from({ length: 71 }, (_, size) => mth(hashes.slice(0, size)))
    let bit = 0
    for (let size = 1; size <= 70; size += 1) {
      const subtree = subtreesOver(hashes.slice(0, size))
      const root = at(treeRoots, size)
      for (let index = 0; index < size; index += 1) {
        const claim = { leaf: at(hashes, index), index, size, root }
        const proof = await inclusionProof(index, size, subtree)
        assert(verifyInclusion(claim, proof))
        bit = forEachFlip([claim.leaf, root, ...proof], bit, ([leaf, top, ...rest]) => {
          assert(!verifyInclusion({ ...claim, leaf: leaf ?? none, root: top ?? none }, rest))
        })
      }
      for (let old = 1; old <= size; old += 1) {
        const before = { size: old, root: at(treeRoots, old) }
        const proof = await consistencyProof(old, size, subtree)
        assert(verifyConsistency(before, { size, root }, proof))
        bit = forEachFlip([before.root, root, ...proof], bit, ([one, other, ...rest]) => {
          const roots = [
            { size: old, root: one ?? none },
            { size, root: other ?? none },
          ] as const
          assert(!verifyConsistency(roots[0], roots[1], rest))
        })
      }
    }
  })
})

/** All hashes with a bit of one of them changed, another bit each time; every single one in the long suite. */
function forEachFlip(
  hashes: readonly Uint8Array[],
  from: number,
  visit: (altered: readonly Uint8Array[]) => void,
): number {
  let bit = from
  for (const [place, hash] of hashes.entries()) {
    for (let count = process.env.KEYHOLD_LONG ? 256 : 1; count > 0; count -= 1) {
      bit = (bit + 1) % 256
      const altered = Buffer.from(hash)
      altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      visit(hashes.map((other, index) => (index === place ? altered : other)))
    }
  }
  return bit
}
