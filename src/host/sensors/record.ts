/**
 * Whether the record is still there and still what it was, while the server runs: a file that is gone, another or
 * shorter shows at the next look; one that somebody wrote into is read then, leaf for leaf, and hashed up to the last
 * head. Beside that a record that grows is read again and again at leisure, because what is written between our own
 * appends shows by nothing else. In memory is a page of leaves and one of heads.
 */

import { setImmediate } from 'node:timers/promises'
import { leafHash, MerkleTree } from '../../hsm/contract/merkle.ts'
import { messageOf } from '../errors.ts'
import type { RecordReader } from '../record-files.ts'
import { noteSize } from '../stored-head.ts'
import type { Finding, Sensor } from './sensor.ts'

const pageLeaves = 1_000
/** Of the record at its leisure, at each look. */
const pagesInALook = 4
const lookMsMax = 10_000

export function recordSensor(record: RecordReader, everyMs = 1_000): Sensor {
  let pass: Pass | undefined
  let isUrgent = false
  /** The head up to which all was read last, with nobody at the files since then. */
  let checked: string | undefined
  /** What was found in the contents stays wrong. */
  let broken: Finding | undefined
  const look = async (): Promise<readonly Finding[]> => {
    const { broken: gone, isTouched } = await record.foreignChanges()
    if (gone.length > 0) return gone.map((what) => finding(what, what))
    if (isTouched) [isUrgent, checked, pass] = [true, undefined, undefined]
    const endMs = performance.now() + lookMsMax
    for (let page = 0; ; page += 1) {
      const head = record.shownHead
      const isEnough = isUrgent ? performance.now() > endMs : page >= pagesInALook
      if (isEnough || (pass === undefined && (head === undefined || head === checked))) return []
      pass ??= new Pass(record, head ?? '')
      if (!(await pass.readPage())) {
        checked = pass.head
        ;[isUrgent, pass] = [false, undefined]
      }
      await setImmediate()
    }
  }
  return {
    name: 'record',
    everyMs,
    look: async () => {
      if (broken) return [broken]
      try {
        return await look()
      } catch (error) {
        broken = finding('contents', messageOf(error))
        return [broken]
      }
    },
  }
}

function finding(about: string, what: string): Finding {
  return { signal: 'record-broken', about, detail: `record: ${what}` }
}

/** Once over all leaves and heads up to a head that was shown when it began. */
class Pass {
  readonly head: string
  readonly #record: RecordReader
  readonly #tree = new MerkleTree()
  #heads: readonly string[] = []
  #nextHead: number | undefined = 0

  constructor(record: RecordReader, head: string) {
    this.#record = record
    this.head = head
  }

  /** @returns whether there is more. @throws Error that says what is not as it was */
  async readPage(): Promise<boolean> {
    const from = this.#tree.size
    const rest = noteSize(this.head) - from
    await this.#checkHeads()
    if (rest === 0) {
      this.#assertRoot(this.head)
      return false
    }
    const { leaves } = await this.#record.readLeaves(from, Math.min(pageLeaves, rest))
    if (leaves.length === 0) throw new Error(`leaf ${from} is missing`)
    for (const leaf of leaves) {
      this.#tree.append(leafHash(leaf))
      await this.#checkHeads()
    }
    return true
  }

  #assertRoot(head: string): void {
    const root = this.#tree.root().toString('base64')
    const isHere = noteSize(head) === this.#tree.size && head.split('\n')[2] === root
    if (!isHere) throw new Error(`the leaves up to ${noteSize(head)} are not those of their head`)
  }

  /** The heads of the size that the tree has now. */
  async #checkHeads(): Promise<void> {
    for (;;) {
      if (this.#heads.length === 0) {
        if (this.#nextHead === undefined) return
        const page = await this.#record.readHeads(this.#nextHead, pageLeaves)
        this.#heads = page.heads
        this.#nextHead = page.next
        if (page.heads.length === 0) return
      }
      const [head = ''] = this.#heads
      if (noteSize(head) > this.#tree.size) return
      this.#assertRoot(head)
      this.#heads = this.#heads.slice(1)
    }
  }
}
