/** A log whose checkpoints a witness is given: its leaves are numbers, its key is made here. */

import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { checkpointText } from '../hsm/contract/checkpoint.ts'
import { leafHash, MerkleTree } from '../hsm/contract/merkle.ts'
import { encodeNote, type NoteKey, signNote } from '../hsm/contract/signed-note.ts'
import { consistencyProof, type SubtreeHash } from '../tlog/merkle-proof.ts'

export class LogOfTests {
  readonly origin: string
  readonly key: NoteKey
  readonly #privateKey: KeyObject
  readonly #leaves: Buffer[] = []

  /** @param of another one, which this one is a fork of, with the leaves that it has by now */
  constructor(origin: string, of?: LogOfTests, size = 0) {
    this.origin = origin
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    this.#privateKey = of ? of.#privateKey : privateKey
    const raw = publicKey.export({ format: 'raw-public' })
    this.key = of ? of.key : { name: origin, type: 'ed25519', publicKey: raw }
    if (of) this.#leaves.push(...of.#leaves.slice(0, size))
  }

  /** With leaves of this text until it has the size. */
  grow(size: number, text = 'leaf'): this {
    while (this.#leaves.length < size) {
      this.#leaves.push(leafHash(Buffer.from(`${text} ${this.#leaves.length}`)))
    }
    return this
  }

  text(size: number, extension = ''): string {
    return checkpointText({ origin: this.origin, size, root: this.#root(0, size) }) + extension
  }

  note(size: number, text = this.text(size)): string {
    return encodeNote({ text, signatures: [signNote(text, this.key, this.#privateKey)] })
  }

  readonly subtree: SubtreeHash = async (height, index) =>
    this.#root(index * 2 ** height, (index + 1) * 2 ** height)

  async proof(old: number, size: number): Promise<string[]> {
    const proof = await consistencyProof(old, size, this.subtree)
    return proof.map((hash) => Buffer.from(hash).toString('base64'))
  }

  /** The body of an add-checkpoint. */
  async request(old: number, size: number): Promise<string> {
    return body(old, await this.proof(Math.min(old, size), size), this.note(size))
  }

  #root(from: number, to: number): Buffer {
    const tree = new MerkleTree()
    for (const leaf of this.#leaves.slice(from, to)) tree.append(leaf)
    return tree.root()
  }
}

export function body(old: number | string, proof: readonly string[], note: string): string {
  return [`old ${old}`, ...proof, '', note].join('\n')
}
