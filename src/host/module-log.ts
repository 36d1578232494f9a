/**
 * The module's record as a tiled transparency log (c2sp.org/tlog-tiles), and receipts from it (c2sp.org/tlog-proof).
 * Whatever is shown is durable.
 */

import { setTimeout } from 'node:timers/promises'
import { checkpointOrigin, parseCheckpointText } from '../hsm/contract/checkpoint.ts'
import type { Claim } from '../hsm/contract/commands.ts'
import { headIntervalMs } from '../hsm/contract/limits.ts'
import { hashBytes, leafHash } from '../hsm/contract/merkle.ts'
import { parseNote } from '../hsm/contract/signed-note.ts'
import { inclusionProof, type SubtreeHash, verifyInclusion } from '../tlog/merkle-proof.ts'
import { encodeProof } from '../tlog/proof.ts'
import {
  encodeEntryBundle,
  parseTilePath,
  subtreesOf,
  tileWidth,
  tileWidthIn,
} from '../tlog/tiles.ts'
import type { Host } from './host.ts'
import type { RecordFiles } from './record-files.ts'
import { call } from './start-up.ts'
import { isSignedByBoth, noteSize } from './stored-head.ts'
import type { WitnessedLog } from './witnesses/witness.ts'

export class ModuleLog implements WitnessedLog {
  /** The last head with cosignatures, if there are witnesses. */
  cosigned: () => string | undefined = () => undefined
  readonly #record: RecordFiles
  readonly #host: Pick<Host, 'run' | 'status'>
  #signing: Promise<void> | undefined

  constructor(record: RecordFiles, host: Pick<Host, 'run' | 'status'>) {
    this.#record = record
    this.#host = host
  }

  get origin(): string {
    const { domainId, moduleId } = this.#host.status()
    return checkpointOrigin(Buffer.from(domainId, 'hex'), Buffer.from(moduleId, 'hex'))
  }

  get size(): number {
    return this.#record.tiles.size
  }

  /** The last head that both keys have signed. */
  get head(): string | undefined {
    return this.#record.receiptHead
  }

  readonly subtree: SubtreeHash = (height, index) =>
    subtreesOf(this.#record.tiles.readIn(this.size))(height, index)

  /** The signed note of the record as it is now, durable. @throws HsmError, HostError */
  async signHead(claim: Claim): Promise<string> {
    const { parts } = await this.#host.run(claim, call('signHead', {}, {}))
    return Buffer.from(parts.note).toString('utf8')
  }

  /** The last head that is cosigned, or signed at least; a fresh one if there is none yet. @throws HsmError, HostError */
  async checkpoint(claim: Claim): Promise<string> {
    return this.cosigned() ?? this.#record.shownHead ?? this.signHead(claim)
  }

  /**
   * The bytes of a tile or of a bundle of entries by its path, "tile/…"; undefined when the record is not that long.
   * "malformed" when it is no path of a tile.
   */
  async tile(path: string): Promise<Uint8Array | 'malformed' | undefined> {
    const tile = parseTilePath(path)
    if (!tile) return 'malformed'
    const { level, index, width } = tile
    const { size } = this.#record.tiles
    if (width > tileWidthIn(size, tile)) return undefined
    if (level === 'entries') {
      const { leaves } = await this.#record.readLeaves(index * tileWidth, width)
      return encodeEntryBundle(leaves)
    }
    const bytes = await this.#record.tiles.readIn(size)(level, index)
    return bytes.subarray(0, width * hashBytes)
  }

  /**
   * The leaf with its proof in a head that both keys have signed; undefined when there is no such leaf. Waits up to two
   * seconds for a head that covers it.
   * @throws HsmError, HostError
   */
  async receipt(claim: Claim, index: number): Promise<string | undefined> {
    if (index >= this.#record.tiles.size) return undefined
    const checkpoint = await this.#headOver(claim, index)
    const size = noteSize(checkpoint)
    const hashes = await inclusionProof(index, size, subtreesOf(this.#record.tiles.readIn(size)))
    const [extra = new Uint8Array()] = (await this.#record.readLeaves(index, 1)).leaves
    const { root } = parseCheckpointText(parseNote(checkpoint).text)
    if (!verifyInclusion({ leaf: leafHash(extra), index, size, root }, hashes)) {
      throw new Error('the hashes beside the record are damaged: the next start makes them anew')
    }
    return encodeProof({ extra, index, hashes, checkpoint })
  }

  async #headOver(claim: Claim, index: number): Promise<string> {
    for (;;) {
      for (const head of [this.cosigned(), this.head]) {
        if (head !== undefined && noteSize(head) > index) return head
      }
      this.#signing ??= this.#signWithBoth(claim).finally(() => {
        this.#signing = undefined
      })
      await this.#signing
    }
  }

  /** The module signs with ML-DSA-65 once a second at most. */
  async #signWithBoth(claim: Claim): Promise<void> {
    if (isSignedByBoth(await this.signHead(claim))) return
    await setTimeout(headIntervalMs)
    await this.signHead(claim)
  }
}
