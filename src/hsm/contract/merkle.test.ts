/**
 * The tree against the published test data of certificate-transparency (transparency-dev/merkle
 * log_verifier_test.go, Apache-2.0) and the recursive definition in RFC 6962 section 2.1.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { leafHash, MerkleTree, nodeHash } from './merkle.ts'

/** Leaf, and root of the tree up to it. */
const published = [
  ['', '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'],
  ['00', 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'],
  ['10', 'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77'],
  ['2021', 'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7'],
  ['3031', '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4'],
  ['40414243', '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef'],
  ['5051525354555657', 'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c'],
  [
    '606162636465666768696a6b6c6d6e6f',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ],
] as const

/** MTH(D[n]) word for word: the split is at the largest power of two below n. */
function rootOf(hashes: readonly Buffer[]): Buffer {
  const [first] = hashes
  if (!first) return new MerkleTree().root()
  if (hashes.length === 1) return first
  let split = 1
  while (split * 2 < hashes.length) split *= 2
  return nodeHash(rootOf(hashes.slice(0, split)), rootOf(hashes.slice(split)))
}

suite('Merkle tree', () => {
  test('the empty tree has the published root', () => {
    const root = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    assert.equal(new MerkleTree().root().toString('hex'), root)
  })

  test('growing leaf by leaf gives the published roots', () => {
    const tree = new MerkleTree()
    for (const [leaf, root] of published) {
      tree.append(leafHash(Buffer.from(leaf, 'hex')))
      assert.equal(tree.root().toString('hex'), root)
    }
    assert.equal(tree.size, published.length)
  })

  test('the root of every size is that of the definition', () => {
    const tree = new MerkleTree()
    const hashes: Buffer[] = []
    for (let size = 1; size <= 130; size += 1) {
      const hash = leafHash(Buffer.from([size]))
      hashes.push(hash)
      tree.append(hash)
      assert.deepEqual(tree.root(), rootOf(hashes))
    }
  })

  test('a tree resumed from its frontier goes on as if it had never stopped', () => {
    fc.assert(
      fc.property(fc.nat(70), fc.nat(70), (before, after) => {
        const whole = new MerkleTree()
        for (let index = 0; index < before; index += 1) whole.append(leafHash(Buffer.from([index])))
        const resumed = MerkleTree.resume(before, whole.frontier)
        for (let index = 0; index < after; index += 1) {
          whole.append(leafHash(Buffer.from([index])))
          resumed.append(leafHash(Buffer.from([index])))
        }
        assert.deepEqual(resumed.root(), whole.root())
        assert.equal(resumed.size, before + after)
      }),
      { numRuns: 50 },
    )
  })

  test('a frontier that does not fit the size is refused', () => {
    const hash = leafHash(Buffer.from('leaf'))
    const wrong: [number, Uint8Array[]][] = [
      [0, [hash]],
      [1, []],
      [3, [hash]],
      [4, [hash, hash]],
      [1, [hash.subarray(1)]],
      [-1, []],
      [0.5, []],
      [2 ** 53, [hash]],
    ]
    for (const [size, frontier] of wrong) {
      assert.throws(() => MerkleTree.resume(size, frontier), RangeError)
    }
  })
})
