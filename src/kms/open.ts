/** Opens the manager: the database brought up to date, empty caches, and no change half-done. */

import { existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Database, openDatabase } from '../storage/database.ts'
import { AgedCache } from './aged-cache.ts'
import { Background } from './background.ts'
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

export const databaseFile = 'keyhold.db'
/** Empty; it says that there was a database, so that a lost one is not taken for a new folder. */
const markFile = 'keyhold.db.made'

/** @throws Error when the database is gone, was made by a newer release, or cannot be read */
export async function openKms({ folder, host, now, log }: KmsOptions): Promise<Kms> {
  const db = await openIn(folder)
  const cache = <V>(entriesMax: number) => new AgedCache<V>({ entriesMax, ageMs: cacheAgeMs }, now)
  const background = new Background(log)
  const kms: Kms = {
    ...{ db, host, now, log, destructionDaysMin },
    caches: {
      tokens: cache(cachedTokensMax),
      access: cache(cachedIdentitiesMax),
      grants: cache(cachedGrantsPerIdentityMax),
      keyNames: cache(cachedKeysMax),
      keys: cache(cachedKeysMax),
      level: cache(1),
      wrapped: cache(cachedWrappedKeysMax),
    },
    keyLocks: new KeyLocks(),
    background,
    [Symbol.asyncDispose]: async () => {
      await background[Symbol.asyncDispose]()
      await db[Symbol.asyncDispose]()
    },
  }
  try {
    await recover(kms)
  } catch (error) {
    await db[Symbol.asyncDispose]()
    throw error
  }
  return kms
}

/** A new database in place of a lost one would have no key, and an administrator that nobody chose. */
async function openIn(folder: string): Promise<Database> {
  const file = path.join(folder, databaseFile)
  const mark = path.join(folder, markFile)
  const isMade = existsSync(mark)
  if (isMade && !existsSync(file)) {
    throw new Error(`the database ${file} is gone: put it back where it was, or restore a copy.`)
  }
  const db = await openDatabase(file)
  if (!isMade) writeFileSync(mark, '', { mode: 0o600 })
  return db
}
