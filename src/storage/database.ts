/**
 * The database: all tables, brought up to date when it is opened; reads as they come; and writes in
 * groups. A group is one transaction, so that many changes that wait together cost one write to the
 * disk; each change stands behind a savepoint of its own and fails alone. What write() answers is
 * durable.
 */

import assert from 'node:assert/strict'
import { type ControlledTransaction, type Dialect, Kysely, Migrator } from 'kysely'
import type { AnswersTable } from './answers.ts'
import type { Engine } from './engine.ts'
import type { GrantsTable } from './grants.ts'
import type { IdentitiesTable } from './identities.ts'
import type { IntentsTable } from './intents.ts'
import type { KeyNamesTable } from './key-names.ts'
import type { KeyVersionsTable } from './key-versions.ts'
import type { KeysTable } from './keys.ts'
import { migrations } from './migrations/migrations.ts'
import type { NamespacesTable } from './namespaces.ts'
import type { RolesTable } from './roles.ts'
import type { SettingsTable } from './settings.ts'
import { sqliteDialect, sqliteEngine } from './sqlite.ts'
import type { TokensTable } from './tokens.ts'

export interface Tables {
  answers: AnswersTable
  grants: GrantsTable
  identities: IdentitiesTable
  intents: IntentsTable
  keyNames: KeyNamesTable
  keyVersions: KeyVersionsTable
  keys: KeysTable
  namespaces: NamespacesTable
  roles: RolesTable
  settings: SettingsTable
  tokens: TokensTable
}

/** What a statement runs on: the database itself, or a change that is going on. */
export type Query = Kysely<Tables>

type GroupTransaction = ControlledTransaction<Tables>

interface Write {
  readonly run: (transaction: Query) => Promise<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
}

/** Changes in one transaction. */
const groupWritesMax = 256

/** Opens the file, makes it when it is missing, and runs the migrations that it has not seen. */
export async function openDatabase(path: string): Promise<Database> {
  return Database.open(sqliteDialect(path), sqliteEngine)
}

export class Database implements AsyncDisposable {
  /** For reading. Statements see what has been committed. */
  readonly query: Query
  readonly #waiting: Write[] = []
  #writing: Promise<void> | undefined
  #closed = false

  private constructor(query: Query) {
    this.query = query
  }

  static async open(dialect: Dialect, engine: Engine): Promise<Database> {
    const kysely = new Kysely<Tables>({ dialect })
    const migrator = new Migrator({
      db: kysely,
      provider: { getMigrations: async () => migrations(engine) },
    })
    const { error } = await migrator.migrateToLatest()
    if (error) {
      await kysely.destroy()
      throw new Error('the database cannot be brought up to date; a newer release made it?', {
        cause: error,
      })
    }
    return new Database(kysely)
  }

  /** Runs one change, wholly or not at all; it is on the disk when this resolves. */
  write<T>(run: (transaction: Query) => Promise<T>): Promise<T> {
    assert(!this.#closed, 'the database is closed')
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#waiting.push({ run, resolve, reject })
    this.#writing ??= this.#writeGroups()
    return promise as Promise<T>
  }

  /** Writes what is waiting, then closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await this.#writing
    await this.query.destroy()
  }

  async #writeGroups(): Promise<void> {
    // A turn later, so that changes that are asked for together go together.
    await Promise.resolve()
    while (this.#waiting.length > 0) await this.#writeGroup(this.#waiting.splice(0, groupWritesMax))
    this.#writing = undefined
  }

  async #writeGroup(writes: readonly Write[]): Promise<void> {
    const answers: (() => void)[] = []
    try {
      const transaction = await this.query.startTransaction().execute()
      try {
        for (const write of writes) answers.push(await writeOne(transaction, write))
        await transaction.commit().execute()
      } catch (error) {
        if (!transaction.isCommitted) await transaction.rollback().execute()
        throw error
      }
    } catch (error) {
      for (const { reject } of writes) reject(error)
      return
    }
    for (const answer of answers) answer()
  }
}

/** The answer to one change, to be given once its group is committed. */
async function writeOne(transaction: GroupTransaction, write: Write): Promise<() => void> {
  const behind = await transaction.savepoint('change').execute()
  try {
    const value = await write.run(behind)
    await behind.releaseSavepoint('change').execute()
    return () => write.resolve(value)
  } catch (error) {
    await behind.rollbackToSavepoint('change').execute()
    return () => write.reject(error)
  }
}
