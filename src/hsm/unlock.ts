/**
 * From locked to operational, and from nothing to a new domain: puts together what the seal, the sealed
 * state and the record say, and refuses unless all of it belongs together. Both functions run in one
 * go, without waiting for anything, so that the caller enters the new state in the same breath and no
 * command falls in between; what has to be waited for (openSeal, makeSeal) comes before. What was
 * staged is only read: after a refusal another secret may be tried.
 */

import type { Commands } from './contract/commands.ts'
import { openSignedDomainState } from './contract/domain-state.ts'
import { HsmError, type HsmErrorCode } from './contract/errors.ts'
import { chunkBytesMax, stagedBytesMax } from './contract/limits.ts'
import type { Domain } from './domain.ts'
import { Floor } from './floor.ts'
import { type Counter, Ledger, type StoredDomainState, sealsCounter } from './ledger.ts'
import { type Clock, ModuleRecord, type Prelude, type StoredRecord } from './record.ts'
import { domainIdOf, openSealedState, SealedState, type StoredState } from './sealed-state.ts'
import type { OpenedSeal } from './seals.ts'

/** What an operational module holds of its domain. */
export interface OpenModule {
  readonly domain: Domain
  readonly floor: Floor
  readonly ledger: Ledger
  readonly sealedState: SealedState
  readonly record: ModuleRecord
}

export type StagedKind = Commands['stage']['arguments']['kind']

/**
 * What the host handed over, in order and bounded, not looked into before unlocking. A snapshot comes
 * one piece at a time; of changes, groups and prelude one `stage` holds as many as fit, each behind its
 * u32 length, so that handing over thousands does not fill the prelude.
 */
export class Staged implements StoredState, StoredRecord {
  readonly snapshot: Uint8Array[] = []
  readonly #chunks: Record<'change' | 'group' | 'prelude', Uint8Array[]> = {
    change: [],
    group: [],
    prelude: [],
  }
  #head: Uint8Array | undefined
  #frontier: Uint8Array | undefined
  #bytes = 0
  #preludeBytes = 0

  /** False as long as there is no snapshot: then there is nothing to unlock. */
  get complete(): boolean {
    return this.snapshot.length > 0
  }

  /** What the snapshot says, which nobody has authenticated; undefined without one. */
  get domainId(): Uint8Array | undefined {
    const [first] = this.snapshot
    return first && domainIdOf(first)
  }

  get changes(): Iterable<Uint8Array> {
    return cutRecords(this.#chunks.change, 'STATE_INVALID')
  }

  get head(): string | undefined {
    return this.#head && Buffer.from(this.#head).toString('utf8')
  }

  get frontier(): Uint8Array {
    return this.#frontier ?? new Uint8Array()
  }

  get groups(): Iterable<Uint8Array> {
    return cutRecords(this.#chunks.group, 'RECORD_INVALID')
  }

  get prelude(): Iterable<Uint8Array> {
    return cutRecords(this.#chunks.prelude, 'RECORD_INVALID')
  }

  /**
   * Keeps a reference to the bytes, or a copy where they are a small piece of a large frame, which
   * would be kept with them. Answers the number of bytes staged so far.
   * @throws HsmError ARGUMENT_INVALID when it is too much or there is one already; nothing is kept then
   */
  add(kind: StagedKind, given: Uint8Array): number {
    if (this.#bytes + given.length > stagedBytesMax) throw refused('too much to stage')
    const bytes = given.length * 2 < given.buffer.byteLength ? Uint8Array.from(given) : given
    if (kind === 'snapshot') this.snapshot.push(bytes)
    else if (kind === 'head') {
      if (this.#head) throw refused('there is one head')
      this.#head = bytes
    } else if (kind === 'frontier') {
      if (this.#frontier) throw refused('there is one frontier')
      this.#frontier = bytes
    } else {
      if (kind === 'prelude') this.#preludeBytes = this.#preludeWith(bytes)
      this.#chunks[kind].push(bytes)
    }
    this.#bytes += bytes.length
    return this.#bytes
  }

  /** The prelude becomes part of one answer: it has to fit. */
  #preludeWith(bytes: Uint8Array): number {
    const total = this.#preludeBytes + bytes.length
    if (total > chunkBytesMax) throw refused('too long a prelude')
    return total
  }
}

/**
 * Takes over the root key, also when it refuses. The record begins with the leaves of the prelude.
 * @throws HsmError STATE_INVALID, RECORD_INVALID
 */
export function openState(
  { domainId, root }: OpenedSeal,
  staged: Staged,
  prelude: Prelude,
  clock: Clock,
): OpenModule {
  const { domain, floor, ledger, position } = openSealedState(root, domainId, staged)
  using owned = new DisposableStack()
  owned.use(domain)
  assertDomainState(domain, ledger.signedDomainState)
  const record = ModuleRecord.resume(domain, staged, position.record, clock)
  record.takePrelude(staged.prelude, prelude)
  owned.move()
  return {
    domain,
    floor,
    ledger,
    sealedState: new SealedState({ domain, floor, ledger }, record, position),
    record,
  }
}

/** That the document is of this domain and made by a member of it. @throws HsmError STATE_INVALID */
function assertDomainState(domain: Domain, stored: StoredDomainState): void {
  const state = openSignedDomainState(stored)
  if (
    state?.domain !== domain.domainId.toString('hex') ||
    state.development !== domain.development ||
    state.epoch !== domain.epoch ||
    domain.stateMac(Buffer.from(stored.statement)) !== stored.mac
  ) {
    throw new HsmError('STATE_INVALID', 'the domain state is not of this domain')
  }
}

interface Founded {
  readonly domain: Domain
  readonly domainState: StoredDomainState
  /** Seals of the root that were made, by kind. */
  readonly seals: Counter
}

/**
 * A module of the new domain, of which no snapshot was taken yet. The record begins with the leaves of the
 * prelude.
 * @throws HsmError RECORD_INVALID when what was staged as prelude is none
 */
export function foundState(
  { domain, domainState, seals }: Founded,
  staged: Staged,
  prelude: Prelude,
  clock: Clock,
): OpenModule {
  const floor = new Floor()
  const record = ModuleRecord.start(domain, clock)
  record.takePrelude(staged.prelude, prelude)
  const ledger = new Ledger(domainState, null, [[sealsCounter, seals]])
  const sealedState = new SealedState({ domain, floor, ledger }, record)
  return { domain, floor, ledger, sealedState, record }
}

/** Cuts u32 length and bytes, again and again; all of each chunk must be used. @throws HsmError */
function* cutRecords(chunks: readonly Uint8Array[], code: HsmErrorCode): Generator<Uint8Array> {
  for (const chunk of chunks) {
    const lengths = new DataView(chunk.buffer, chunk.byteOffset, chunk.length)
    for (let offset = 0; offset < chunk.length; ) {
      const start = offset + 4
      const end = start > chunk.length ? start : start + lengths.getUint32(offset)
      if (end === start || end > chunk.length) throw new HsmError(code, 'what was staged is torn')
      yield chunk.subarray(start, end)
      offset = end
    }
  }
}

function refused(message: string): HsmError {
  return new HsmError('ARGUMENT_INVALID', message)
}
