/**
 * What the module's process holds, and the moves between its states (design section 4):
 *
 *   uninitialised ─ found ──▶ operational ─ lock ──▶ the end of the process
 *   uninitialised ─ stage ─▶ locked ─ unlock ─▶ operational
 *   operational ─ a tamper signal ─▶ tampered ─ an officer ─▶ operational
 *   operational, tampered ─ a tamper signal, an officer ─▶ zeroised: the end of the process
 *   any ─ a self-test that fails ─▶ failed
 *
 * The state is what is there, not a variable beside it. Nothing here knows frames or JSON.
 */

import assert from 'node:assert/strict'
import type { CheckedApprovals } from './approvals.ts'
import { BegunUses } from './begun-uses.ts'
import { Challenges } from './challenges.ts'
import { sourceUnverified } from './contract/attestation.ts'
import type { ModuleState } from './contract/commands.ts'
import type { SecurityLevel } from './contract/domain-state.ts'
import { HsmError } from './contract/errors.ts'
import { leavesUnstoredMax } from './contract/limits.ts'
import type { Argon2idCost } from './contract/passphrase-key.ts'
import type { Domain } from './domain.ts'
import { destroyedRevision } from './floor.ts'
import { Freshness } from './freshness.ts'
import { type LoadedKey, LoadedKeys } from './keys/loaded.ts'
import { type Rewrapped, rewrap, unwrap } from './keys/wrapped.ts'
import { assertSealPermitted, assertStanding, type ProfileSeal } from './levels.ts'
import { Logins } from './logins.ts'
import type { KeyReference } from './parse.ts'
import { type FailedSource, failedSources, hasHealthyHardwareSource } from './random.ts'
import { type Clock, type LeafSink, Prelude, wallClock } from './record.ts'
import { SelfTests } from './self-tests.ts'
import { OfferedShares } from './shares.ts'
import { stateChange } from './state-change.ts'
import { Tamper } from './tamper.ts'
import type { TransportKey } from './transport.ts'
import { type OpenModule, Staged } from './unlock.ts'
import { UseCounts } from './use-counts.ts'

export interface ModuleOptions {
  readonly clock: Clock
  /** Only looked at to see whether it goes back; the system's when left out. */
  readonly wallClock?: Clock
  /** Of Argon2id for PINs; tests have it cheaper. */
  readonly pinCost?: Argon2idCost
  /** Undefined where there was no generator to make it: such a module has failed. */
  readonly transport: TransportKey | undefined
  /** What status says of the wall. */
  readonly wall: string
  /** What attestations say of the source (attestation.ts). */
  readonly sourceManifest?: string
  /** Of the module's own sources, unless a test says otherwise. */
  readonly hasHardwareEntropy?: () => boolean
  readonly failedSources?: () => readonly FailedSource[]
  readonly selfTests?: SelfTests
}

export class Module implements Disposable {
  readonly clock: Clock
  readonly wallClock: Clock
  readonly wall: string
  readonly sourceManifest: string
  readonly hasHardwareEntropy: () => boolean
  readonly failedSources: () => readonly FailedSource[]
  readonly selfTests: SelfTests
  readonly keys = new LoadedKeys()
  readonly prelude: Prelude
  readonly challenges = new Challenges()
  /** Of custodians, while it is locked. */
  readonly offered = new OfferedShares()
  /** Of the command that is being begun; it is asked in the same turn (`gate.ts`). */
  approvals: CheckedApprovals | undefined
  readonly logins: Logins
  readonly tamper = new Tamper(this)
  readonly useCounts = new UseCounts(this)
  readonly usesBegun = new BegunUses()
  readonly freshness = new Freshness()
  /** Of the sealed state, from no command: they go with the next answer. */
  readonly changesWaiting: Uint8Array[] = []
  readonly #transport: TransportKey | undefined
  #staged = new Staged()
  #open: OpenModule | undefined
  /** The next epoch, ready to take the place of the one in force. */
  #next: OpenModule | undefined
  #failure = ''
  #isLocking = false
  /** Whether a command that moves the state is at work. */
  #isMoving = false

  constructor(options: ModuleOptions) {
    const { clock, transport, wall } = options
    this.clock = clock
    this.wallClock = options.wallClock ?? wallClock
    this.logins = new Logins(this, options.pinCost)
    this.#transport = transport
    this.wall = wall
    this.sourceManifest = options.sourceManifest ?? sourceUnverified
    this.hasHardwareEntropy = options.hasHardwareEntropy ?? hasHealthyHardwareSource
    this.failedSources = options.failedSources ?? failedSources
    this.prelude = new Prelude(clock)
    this.selfTests = options.selfTests ?? new SelfTests({ now: () => this.now() })
    this.selfTests.failed = (reason) => this.fail(reason)
  }

  get state(): ModuleState {
    if (this.#failure !== '') return 'failed'
    if (this.tamper.isZeroised) return 'uninitialised'
    if (this.#open && !this.#isLocking) {
      return this.freshness.isStopped(this.#open.ledger) ? 'tampered' : 'operational'
    }
    return this.#isLocking || this.#staged.complete ? 'locked' : 'uninitialised'
  }

  /** Why the state is failed or tampered; empty otherwise. */
  get reason(): string {
    const { tamper } = this.#open?.ledger ?? {}
    const stopped = tamper ? `${tamper.signal}: ${tamper.detail}` : ''
    return this.#failure || stopped || this.freshness.reason(this.#open?.ledger)
  }

  get transport(): TransportKey {
    assert(this.#transport, 'only a failed module has no transport key')
    return this.#transport
  }

  /** True from `lock` on: the module answers what it has begun, and ends. */
  get isLocking(): boolean {
    return this.#isLocking
  }

  get staged(): Staged {
    return this.#staged
  }

  /** Domain, floor, sealed state and record; undefined before the module is unlocked. */
  get opened(): OpenModule | undefined {
    return this.#open
  }

  /** As opened, for commands that exist only then. */
  get open(): OpenModule {
    assert(this.#open, 'only an operational module has a domain')
    return this.#open
  }

  /** Of the domain; 1 before there is one. */
  get level(): SecurityLevel {
    return this.#open?.ledger.domainState.level ?? 1
  }

  /** Where leaves go now. */
  get leaves(): LeafSink {
    return this.#open?.record ?? this.prelude
  }

  /** Milliseconds since 1970. */
  now(): number {
    return Math.floor(this.clock() / 1000)
  }

  /** @throws HsmError RECORD_NOT_STORED rather than work unrecorded */
  assertRecordable(): void {
    if (!this.#open || this.#open.record.unstored <= leavesUnstoredMax) return
    throw new HsmError('RECORD_NOT_STORED', 'too much of the record is not stored yet')
  }

  /** For a frame as a whole: not even a refusal could be remembered. @throws HsmError RECORD_NOT_STORED */
  assertPreludeHasRoom(): void {
    if (this.#open || !this.prelude.full) return
    throw new HsmError('RECORD_NOT_STORED', 'too much was asked before unlocking; start again')
  }

  /**
   * Found, unlock and the like, one at a time. A self-test on the way that is not met ends in `failed`.
   * @throws HsmError MODULE_BUSY
   */
  async move<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isMoving) throw new HsmError('MODULE_BUSY', 'another change of state is at work')
    this.#isMoving = true
    try {
      return await work()
    } catch (error) {
      if (error instanceof HsmError && error.code === 'MODULE_FAILED') this.fail(error.message)
      throw error
    } finally {
      this.#isMoving = false
    }
  }

  /**
   * As move, for what is done in the turn in which it was asked: what it answers goes out before
   * everything that is asked later.
   * @throws HsmError MODULE_BUSY
   */
  moveNow<T>(work: () => T): T {
    if (this.#isMoving) throw new HsmError('MODULE_BUSY', 'another change of state is at work')
    return work()
  }

  /** The next epoch; undefined but between its preparation and the step into it. */
  get next(): OpenModule | undefined {
    return this.#next
  }

  /** Makes ready; until it is taken up or let go, the module does nothing else. Takes ownership. */
  prepareNext(next: OpenModule): void {
    assert(this.#open && !this.#next)
    this.#next = next
  }

  /** Into the next epoch; root, KEK and state key of the one before are overwritten. */
  takeUpNext(): OpenModule {
    const before = this.open
    const next = this.#next
    assert(next)
    this.#open = next
    this.#next = undefined
    next.record.useDomain(next.domain)
    before.sealedState[Symbol.dispose]()
    before.domain[Symbol.dispose]()
    return next
  }

  letGoOfNext(): void {
    this.#next?.sealedState[Symbol.dispose]()
    this.#next?.domain[Symbol.dispose]()
    this.#next = undefined
  }

  /**
   * The same domain with other KEKs takes the place of the one that is held, which is erased. Answers the
   * change, which is to be sealed and stored. Only inside of moveNow: whoever waits for something may
   * hold the domain that goes.
   */
  renewKeks(next: Domain): Uint8Array {
    const { domain, floor, ledger, sealedState, record } = this.open
    this.#open = { domain: next, floor, ledger, sealedState, record }
    sealedState.useDomain(next)
    record.useDomain(next)
    domain[Symbol.dispose]()
    if (!next.kekBefore) floor.endEpoch()
    using secrets = next.encode()
    return secrets.expose((bytes) => stateChange('secrets', bytes))
  }

  /**
   * Operational from here on; what was staged is let go. Takes ownership, also when it refuses.
   * @param seal by which the root key came
   * @throws HsmError MODULE_FAILED when a self-test was not met meanwhile, LEVEL_NOT_PERMITTED
   */
  enter(open: OpenModule, seal: ProfileSeal): void {
    assert(!this.#open)
    using refused = new DisposableStack()
    refused.use(open.domain)
    refused.use(open.sealedState)
    if (this.#failure !== '') throw failed()
    const { level } = open.ledger.domainState
    assertSealPermitted(level, seal)
    assertStanding(level, this)
    refused.move()
    this.#open = open
    this.#staged = new Staged()
    this.offered[Symbol.dispose]()
  }

  /** Takes no further command; the domain stays for the leaves of those that it has begun. */
  beginLock(): void {
    this.#isLocking = true
    this.keys[Symbol.dispose]()
  }

  /** No command but status and self-test from here on, and no answer to what was begun before. */
  fail(reason: string): void {
    assert(reason !== '')
    this.#failure ||= reason
    this.keys[Symbol.dispose]()
  }

  /**
   * That what a command came to may still go out: in `failed` nothing does, but for the commands that
   * are answered there.
   * @throws HsmError MODULE_FAILED
   */
  assertMayAnswer(states: readonly ModuleState[]): void {
    if (this.#failure !== '' && !states.includes('failed')) throw failed()
  }

  /**
   * The key of this id and version: the loaded one, or the one that its wrapped key brings, which is
   * loaded then.
   * @throws HsmError KEY_NOT_LOADED, KEY_DESTROYED, WRAPPED_KEY_INVALID, WRAPPED_KEY_OUTDATED
   */
  key(reference: KeyReference, wrapped: Uint8Array | undefined): LoadedKey {
    if (wrapped) return this.loadWrapped(reference, wrapped)
    if (!this.keys.has(reference)) this.#assertNotDestroyed(reference)
    return this.keys.get(reference)
  }

  /**
   * Loads a wrapped key, unless the same revision is loaded already.
   * @throws HsmError KEY_DESTROYED, WRAPPED_KEY_INVALID, WRAPPED_KEY_OUTDATED when the floor or a
   *   loaded key is beyond it
   */
  loadWrapped(reference: KeyReference, wrapped: Uint8Array): LoadedKey {
    this.#assertNotDestroyed(reference)
    const unwrapped = this.tamper.watchUnwrap(() => unwrap(this.open.domain, wrapped))
    using owned = new DisposableStack()
    owned.use(unwrapped.material)
    const { key, version, revision } = unwrapped.attributes
    if (key !== reference.key || version !== reference.version) throw ofAnother()
    const loaded = this.keys.has(reference) ? this.keys.get(reference) : undefined
    const lowest = this.open.floor.lowest(key, version)
    if (revision < Math.max(lowest, loaded?.attributes.revision ?? 0)) throw outdated()
    if (loaded?.attributes.revision === revision) return loaded
    owned.move()
    this.keys.put(unwrapped)
    return unwrapped
  }

  /**
   * A wrapped key under the KEK in force; it is not loaded for that.
   * @throws HsmError KEY_DESTROYED, WRAPPED_KEY_INVALID, WRAPPED_KEY_OUTDATED
   */
  rewrap(reference: KeyReference, wrapped: Uint8Array): Rewrapped {
    this.#assertNotDestroyed(reference)
    const rewrapped = this.tamper.watchUnwrap(() => rewrap(this.open.domain, wrapped))
    const { key, version, revision } = rewrapped.attributes
    if (key !== reference.key || version !== reference.version) throw ofAnother()
    if (revision < this.open.floor.lowest(key, version)) throw outdated()
    return rewrapped
  }

  /** That a new key can have this id and version. @throws HsmError KEY_EXISTS, KEY_DESTROYED */
  assertNew(reference: KeyReference): void {
    this.#assertNotDestroyed(reference)
    const isKnown = this.open.floor.lowest(reference.key, reference.version) > 0
    if (isKnown || this.keys.has(reference)) {
      throw new HsmError('KEY_EXISTS', 'there is a key of this id and version')
    }
  }

  /**
   * Loads a key that a command made or changed. Takes ownership unless it throws.
   * @throws HsmError KEY_EXISTS, KEY_DESTROYED, when that came to be so while the key was made
   */
  load({ loaded, isNew }: { readonly loaded: LoadedKey; readonly isNew: boolean }): void {
    if (isNew) this.assertNew(loaded.attributes)
    if (this.state === 'operational') this.keys.put(loaded)
    else loaded.material[Symbol.dispose]()
  }

  /**
   * Raises the floor and lets go of a loaded key that is below it then: so that none ever is.
   * @returns the change to be sealed, or nothing when the floor is there already
   * @throws HsmError FLOOR_FULL
   */
  raiseFloor(reference: KeyReference, revision: number): readonly Uint8Array[] {
    const { key, version } = reference
    const { floor } = this.open
    if (floor.lowest(key, version) >= revision) return []
    const change = stateChange('floor', floor.raise(key, version, revision))
    if (this.keys.has(reference) && this.keys.get(reference).attributes.revision < revision) {
      this.keys.drop(reference)
    }
    return [change]
  }

  /** Overwrites what the module can reach. */
  [Symbol.dispose](): void {
    this.offered[Symbol.dispose]()
    this.keys[Symbol.dispose]()
    this.letGoOfNext()
    this.#open?.sealedState[Symbol.dispose]()
    this.#open?.domain[Symbol.dispose]()
    this.#open = undefined
  }

  #assertNotDestroyed({ key, version }: KeyReference): void {
    if (this.open.floor.lowest(key, version) === destroyedRevision) {
      throw new HsmError('KEY_DESTROYED', 'the key was destroyed')
    }
  }
}

function failed(): HsmError {
  return new HsmError('MODULE_FAILED', 'a self-test was not met')
}

function ofAnother(): HsmError {
  return new HsmError('WRAPPED_KEY_INVALID', 'a wrapped key of another key or version')
}

function outdated(): HsmError {
  return new HsmError('WRAPPED_KEY_OUTDATED', 'a newer revision of the key is in force')
}
