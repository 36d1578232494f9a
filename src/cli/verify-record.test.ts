/** Records that hold, and every way in which one may not: the first bad entry is named. */

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { checkpointOrigin, signCheckpoint } from '../hsm/contract/checkpoint.ts'
import { encodeLeaf, type Leaf } from '../hsm/contract/leaf.ts'
import { leafHash, MerkleTree } from '../hsm/contract/merkle.ts'
import { type RecordSource, verifyRecord } from './verify-record.ts'

const moduleId = Buffer.alloc(16, 2)
const origin = checkpointOrigin(Buffer.alloc(16, 1), moduleId)
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')

function leaf(sequence: number, changes: Partial<Leaf> = {}): Buffer {
  const texts = { key: '', identity: 'id', requestId: 'r', protocol: 'rest', address: 'a' }
  const time = 1_700_000_000_000_000 + sequence
  return encodeLeaf({
    ...{ flags: 0, sequence, timeMicros: time, moduleId, command: 'sign', outcome: 'OK' },
    ...{ ...texts, version: 1, argumentsDigest: Buffer.alloc(32, sequence), ...changes },
  })
}

const note = (size: number, root: Uint8Array, of = origin) =>
  signCheckpoint({ origin: of, size, root }, { ed25519: { publicKey: raw, privateKey } })

/** A record of so many leaves, with a head after every third one and at the end. */
class Example {
  readonly leaves: Buffer[] = []
  readonly heads: string[] = []

  constructor(size: number) {
    const tree = new MerkleTree()
    for (let index = 0; index < size; index += 1) {
      const bytes = leaf(index)
      this.leaves.push(bytes)
      tree.append(leafHash(bytes))
      if (index % 3 === 2 || index === size - 1) this.heads.push(note(tree.size, tree.root()))
    }
  }

  verify(changes: Partial<RecordSource> & { leaves?: AsyncIterable<Uint8Array> } = {}) {
    const source = {
      head: this.heads.at(-1) ?? '',
      heads: from(this.heads),
      leaves: from(this.leaves),
      ...changes,
    }
    return verifyRecord(source, { keys: { ed25519: raw }, origin })
  }
}

async function* from<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}

const refuses = (work: Promise<unknown>, message: RegExp) =>
  assert.rejects(work, { code: 'RECORD_BROKEN', message })

suite('verify a record', () => {
  test('one that is whole holds, and is counted', async () => {
    const { size, heads } = await new Example(10).verify()
    assert.deepEqual({ size, heads }, { size: 10, heads: 4 })
  })

  test('entries beyond the head do not matter, but a head from before must fit', async () => {
    const whole = new Example(10)
    const found = await whole.verify({ head: whole.heads[1] ?? '', knownHead: whole.heads[0] })
    assert.equal(found.size, 6)
    await refuses(
      whole.verify({ head: whole.heads[1] ?? '', knownHead: whole.heads[2] }),
      /has 6 leaves and once had 9: it was cut/,
    )
    const other = new Example(10)
    other.leaves[2] = leaf(2, { outcome: 'NO' })
    const tree = new MerkleTree()
    for (const bytes of other.leaves) tree.append(leafHash(bytes))
    const head = note(10, tree.root())
    await refuses(
      other.verify({ head, heads: from([head]), knownHead: whole.heads[1] }),
      /the kept head .* is not what the module signed/,
    )
  })

  test('the first bad leaf or head is named', async () => {
    const replaced = (index: number, bytes: Buffer) => {
      const { leaves } = new Example(10)
      leaves[index] = bytes
      return new Example(10).verify({ leaves: from(leaves) })
    }
    await refuses(replaced(4, leaf(4, { outcome: 'KEY_DESTROYED' })), /head 1 .*leaves 3 to 5 /)
    await refuses(replaced(9, leaf(9, { identity: 'x' })), /leaf 9 is not what/)
    await refuses(replaced(4, leaf(5)), /^leaf 4: says that it is leaf 5/)
    await refuses(replaced(4, leaf(4, { timeMicros: 5 })), /^leaf 4: is earlier/)
    await refuses(replaced(4, leaf(4, { moduleId: Buffer.alloc(16) })), /^leaf 4: is of another/)
    await refuses(replaced(4, Buffer.from('no leaf')), /^leaf 4: /)
    const { leaves, heads } = new Example(10)
    await refuses(
      new Example(10).verify({ leaves: from(leaves.slice(0, 7)) }),
      /^leaf 7 is missing/,
    )
    await refuses(
      new Example(10).verify({ leaves: from(leaves.toSpliced(4, 1)) }),
      /^leaf 4: says that it is leaf 5/,
    )
    const [first = '', second = ''] = heads
    await refuses(
      new Example(10).verify({ heads: from([second, first]) }),
      /^head 1: is smaller than the head before it/,
    )
    await refuses(
      new Example(10).verify({ heads: from([first, second.replace('\n6\n', '\n7\n')]) }),
      /^head 1: /,
    )
    await refuses(new Example(10).verify({ head: note(3, Buffer.alloc(32)) }), /^the head /)
    const foreign = note(3, Buffer.alloc(32), checkpointOrigin(Buffer.alloc(16, 9), moduleId))
    await refuses(
      new Example(10).verify({ heads: from([foreign]) }),
      /^head 0: is of another record/,
    )
  })

  test('one bit changed anywhere is noticed', async () => {
    const { leaves } = new Example(7)
    const place = fc.record({ index: fc.nat(6), bit: fc.nat() })
    await fc.assert(
      fc.asyncProperty(place, async ({ index, bit }) => {
        const altered = leaves.map((bytes) => Buffer.from(bytes))
        const bytes = altered[index]
        assert(bytes)
        const at = bit % (bytes.length * 8)
        bytes[at >> 3] = (bytes[at >> 3] ?? 0) ^ (1 << (at & 7))
        await refuses(new Example(7).verify({ leaves: from(altered) }), /./)
      }),
    )
  })
})
