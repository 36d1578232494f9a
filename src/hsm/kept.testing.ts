/**
 * A module whose host keeps everything in memory, exactly as it came, so that a test can start another
 * one from there at any point.
 */

import assert from 'node:assert/strict'
import type { HsmErrorCode } from './contract/errors.ts'
import { HsmError } from './contract/errors.ts'
import { decodeLeafGroup } from './contract/leaf.ts'
import { leafHash, MerkleTree } from './contract/merkle.ts'
import { type Ask, Caller, type ItemAnswer, newKeyId, p256 } from './door.testing.ts'
import { fixedClock } from './restart.testing.ts'

export const keySecret = Buffer.alloc(32, 7)

/** What lies on the disk of a host. */
export interface OnDisk {
  readonly seal: Uint8Array
  readonly snapshot: readonly Uint8Array[]
  readonly changes: readonly Uint8Array[]
  readonly groups: readonly Uint8Array[]
  /** Signed when there were so many groups. */
  readonly heads: readonly { readonly note: Uint8Array; readonly groups: number }[]
}

/** A key that was made, as a manager has it. */
export interface MadeKey {
  readonly reference: { readonly key: string; readonly version: number }
  readonly wrapped: Uint8Array
}

export class KeptModule {
  readonly caller: Caller
  #seal: Uint8Array
  #snapshot: readonly Uint8Array[]
  #changes: Uint8Array[]
  readonly #groups: Uint8Array[]
  readonly #heads: OnDisk['heads'][number][]

  private constructor(caller: Caller, { seal, snapshot, changes, groups, heads }: OnDisk) {
    this.caller = caller
    this.#seal = seal
    this.#snapshot = snapshot
    this.#changes = [...changes]
    this.#groups = [...groups]
    this.#heads = [...heads]
  }

  static async founded(): Promise<KeptModule> {
    const caller = new Caller({ clock: fixedClock })
    const nothing = { seal: new Uint8Array(), snapshot: [], changes: [], groups: [], heads: [] }
    const kept = new KeptModule(caller, nothing)
    const { parts } = await kept.ok({
      command: 'found',
      arguments: { development: true, seal: 'key-file' },
      parts: { secret: caller.sealed('found', 'key-file', keySecret) },
    })
    assert(parts.seal && parts.snapshot)
    kept.replaceState(parts.seal, [parts.snapshot])
    return kept
  }

  /** Another module, started from what the host has. @throws HsmError what the module refuses */
  static async unlocked(disk: OnDisk, secret: Uint8Array = keySecret): Promise<KeptModule> {
    const caller = new Caller({ clock: fixedClock })
    const kept = new KeptModule(caller, disk)
    const staged = [
      ...disk.snapshot.map((piece) => stage('snapshot', piece)),
      ...(disk.changes.length > 0 ? [stage('change', behindLengths(disk.changes))] : []),
      ...stagedRecord(disk),
    ]
    for (const ask of staged) await caller.ok(ask)
    await kept.ok({
      command: 'unlock',
      arguments: { seal: 'key-file' },
      parts: { seal: disk.seal, secret: caller.sealed('unlock', 'key-file', secret) },
    })
    return kept
  }

  /** As it lies there now. */
  get disk(): OnDisk {
    return {
      seal: this.#seal,
      snapshot: this.#snapshot,
      changes: [...this.#changes],
      groups: [...this.#groups],
      heads: [...this.#heads],
    }
  }

  /** Of all leaves of the record, in hex. */
  get leafHashes(): string[] {
    return leafHashes(this.#groups).map((leaf) => leaf.toString('hex'))
  }

  restarted(secret?: Uint8Array): Promise<KeptModule> {
    return KeptModule.unlocked(this.disk, secret)
  }

  /** Another seal and snapshot: what came before is gone. */
  replaceState(seal: Uint8Array, snapshot: readonly Uint8Array[]): void {
    this.#seal = seal
    this.#snapshot = snapshot
    this.#changes = []
  }

  async one(ask: Ask): Promise<ItemAnswer> {
    const { group, changes, items } = await this.caller.ask(ask)
    const [item] = items
    assert(item)
    const { note } = item.parts
    if (note && !item.error) this.#heads.push({ note, groups: this.#groups.length })
    this.#groups.push(group)
    this.#changes.push(...changes)
    return item
  }

  /** @throws HsmError what the module refused */
  async ok(ask: Ask): Promise<ItemAnswer> {
    const item = await this.one(ask)
    if (item.error) throw new HsmError(item.error.code, item.error.message)
    return item
  }

  async refusal(ask: Ask): Promise<HsmErrorCode | undefined> {
    return (await this.one(ask)).error?.code
  }

  async generate(template: object = p256): Promise<MadeKey> {
    const reference = { key: newKeyId(), version: 1 }
    const ask = { command: 'generateKey', arguments: { ...reference, template } }
    const { wrapped } = (await this.ok(ask)).parts
    assert(wrapped)
    return { reference, wrapped }
  }
}

/** A command about a key that brings it. */
export function withKey(command: string, { reference, wrapped }: MadeKey, more: Ask['parts']): Ask {
  return { command, arguments: reference, parts: { wrapped, ...more } }
}

function stage(kind: string, data: Uint8Array): Ask {
  return { command: 'stage', arguments: { kind }, parts: { data } }
}

/** The last head, its frontier, and the groups behind it. */
function stagedRecord({ heads, groups }: OnDisk): Ask[] {
  const head = heads.findLast((each) => each.groups <= groups.length)
  if (!head) return [stage('group', behindLengths(groups))]
  const tree = new MerkleTree()
  for (const leaf of leafHashes(groups.slice(0, head.groups))) tree.append(leaf)
  return [
    stage('head', head.note),
    stage('frontier', Buffer.concat(tree.frontier)),
    stage('group', behindLengths(groups.slice(head.groups))),
  ]
}

function leafHashes(groups: readonly Uint8Array[]): Buffer[] {
  return groups.flatMap((group) => decodeLeafGroup(group).leaves.map(leafHash))
}

/** Each behind its length (u32), as `stage` takes them. */
function behindLengths(pieces: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    pieces.flatMap((piece) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(piece.length)
      return [length, piece]
    }),
  )
}
