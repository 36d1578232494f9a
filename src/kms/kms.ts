/**
 * The manager as one value, handed to every call: the database, the host of the module, the clock, the
 * log, and the caches that keep the database off the hot path. `openKms` (open.ts) makes it.
 */

import type { LeafSpan } from '../host/door-client.ts'
import type { HostFreshness } from '../host/freshness.ts'
import type { EpochRequest } from '../host/options.ts'
import type { Seals } from '../host/seals.ts'
import type { EpochResult } from '../host/turn-epoch.ts'
import type { Call, Claim, Outcome } from '../hsm/contract/commands.ts'
import type { KeyId } from '../hsm/contract/keys.ts'
import type { Database } from '../storage/database.ts'
import type { Access } from './access/access.ts'
import type { Identity } from './access/identities.ts'
import type { Operation } from './access/operations.ts'
import type { KnownToken } from './access/tokens.ts'
import type { AgedCache } from './aged-cache.ts'
import type { Background } from './background.ts'
import type { KnownKey } from './keys/known-keys.ts'
import type { KeyLocks } from './keys/locks.ts'

export interface LogEntry {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly [member: string]: unknown
}

/** What the manager needs of the host of its module. */
export interface ModuleHost {
  /** One frame: an outcome for each call, in their order, after leaves and state are durable. */
  call(claim: Claim, calls: readonly Call[], leaves?: LeafSpan[]): Promise<Outcome[]>
  /** The next epoch of the domain, with its seal; calls wait meanwhile. */
  renewEpoch(claim: Claim, request: EpochRequest): Promise<EpochResult>
  /** What that asks the module first, for people to approve. */
  epochCall(request: EpochRequest): Promise<Call<'beginEpoch'>>
  readonly seals: Pick<Seals, 'list' | 'add' | 'prepareTpm' | 'remove'>
  readonly freshness: Pick<HostFreshness, 'pinCall' | 'pin'>
  /** Resolves when the module waits for what opens it. */
  lock(claim: Claim): Promise<void>
}

/** Who asks, and how: it goes into the record with every command. */
export interface Caller {
  readonly identity: Identity
  readonly requestId: string
  readonly protocol: string
  readonly address: string
  /** Takes in which leaves of the module's record were made for it. */
  readonly leaves?: LeafSpan[]
}

export interface Caches {
  /** By the SHA-256 of the token. */
  readonly tokens: AgedCache<KnownToken>
  /** By identity. */
  readonly access: AgedCache<Access>
  /** By identity "/" key id. */
  readonly grants: AgedCache<ReadonlySet<Operation>>
  /** By namespace "/" name or alias. */
  readonly keyNames: AgedCache<KeyId>
  /** By key id. */
  readonly keys: AgedCache<KnownKey>
  /** The domain's security level, under the empty name. */
  readonly level: AgedCache<number>
  /** By key id "/" version. */
  readonly wrapped: AgedCache<Uint8Array>
}

export interface Kms extends AsyncDisposable {
  readonly db: Database
  readonly host: ModuleHost
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly log: (entry: LogEntry) => void
  readonly caches: Caches
  readonly keyLocks: KeyLocks
  readonly background: Background
  /** The shortest waiting period before destruction that may be asked for. */
  readonly destructionDaysMin: number
}

/** With everything that creates: the same key and request get the same answer for a day. */
export interface Creation {
  readonly idempotencyKey?: string | undefined
}

/** With everything that changes: the ETag that the caller read, or "*". */
export interface Change {
  readonly ifMatch?: string | undefined
}

export interface PageRequest {
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

export interface Page<T> {
  readonly items: readonly T[]
  /** The cursor of the next page; absent on the last. */
  readonly next?: string
}
