/** Opens the manager: the database brought up to date, empty caches, and no change half-done. */

import path from 'node:path'
import { openDatabase } from '../storage/database.ts'
import { AgedCache } from './aged-cache.ts'
import { KeyLocks } from './keys/locks.ts'
import type { Kms, LogEntry, ModuleHost } from './kms.ts'
import {
  cacheAgeMs,
  cachedGrantsPerIdentityMax,
  cachedIdentitiesMax,
  cachedKeysMax,
  cachedTokensMax,
  cachedWrappedKeysMax,
  destructionDaysMin,
} from './limits.ts'
import { recover } from './recovery.ts'

export interface KmsOptions {
  /** The data folder, which the host has locked. */
  readonly folder: string
  readonly host: ModuleHost
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly log: (entry: LogEntry) => void
}

const databaseFile = 'keyhold.db'

/** @throws Error when the database was made by a newer release, or cannot be read */
export async function openKms({ folder, host, now, log }: KmsOptions): Promise<Kms> {
  const db = await openDatabase(path.join(folder, databaseFile))
  const cache = <V>(entriesMax: number) => new AgedCache<V>({ entriesMax, ageMs: cacheAgeMs }, now)
  const kms: Kms = {
    ...{ db, host, now, log, destructionDaysMin },
    caches: {
      tokens: cache(cachedTokensMax),
      access: cache(cachedIdentitiesMax),
      grants: cache(cachedGrantsPerIdentityMax),
      keyNames: cache(cachedKeysMax),
      keys: cache(cachedKeysMax),
      wrapped: cache(cachedWrappedKeysMax),
    },
    keyLocks: new KeyLocks(),
    [Symbol.asyncDispose]: () => db[Symbol.asyncDispose](),
  }
  try {
    await recover(kms)
  } catch (error) {
    await db[Symbol.asyncDispose]()
    throw error
  }
  return kms
}
