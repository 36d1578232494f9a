/**
 * SQLite, as Node carries it, behind kysely: the one file that knows what is SQLite's alone. Every
 * commit is on the disk before it is answered (WAL with synchronous=FULL), foreign keys are enforced,
 * and a second process waits for the lock instead of failing. Prepared statements are kept and used
 * again. Everything else in this folder is written once, for every engine.
 */

import assert from 'node:assert/strict'
import { chmodSync, closeSync, openSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { type Dialect, type SqliteDatabase, SqliteDialect, type SqliteStatement, sql } from 'kysely'
import type { Engine } from './engine.ts'

const statementsMax = 256
const busyTimeoutMs = 5_000

/** What the migrations need to know of SQLite: its types, and that its tables are strict. */
export const sqliteEngine: Engine = {
  name: 'sqlite',
  bytes: 'blob',
  integer: 'integer',
  tableEnd: sql`strict`,
}

/** The dialect over one file; a missing file is made, readable by its owner alone. */
export function sqliteDialect(path: string): Dialect {
  if (path !== ':memory:') {
    closeSync(openSync(path, 'a', 0o600))
    chmodSync(path, 0o600)
  }
  const database = new DatabaseSync(path, {
    timeout: busyTimeoutMs,
    enableForeignKeyConstraints: true,
    enableDoubleQuotedStringLiterals: false,
  })
  database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma trusted_schema = off')
  return new SqliteDialect({ database: new PreparedDatabase(database) })
}

/** The face of a database that kysely's SQLite dialect expects, with a memory for statements. */
class PreparedDatabase implements SqliteDatabase {
  readonly #database: DatabaseSync
  /** In the order of their last use; the first goes when there are too many. */
  readonly #statements = new Map<string, SqliteStatement>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  prepare(text: string): SqliteStatement {
    let statement = this.#statements.get(text)
    if (statement) this.#statements.delete(text)
    else statement = prepared(this.#database.prepare(text))
    this.#statements.set(text, statement)
    if (this.#statements.size > statementsMax) {
      const [oldest] = this.#statements.keys()
      assert(oldest !== undefined)
      this.#statements.delete(oldest)
    }
    return statement
  }

  close(): void {
    this.#statements.clear()
    this.#database.close()
  }
}

function prepared(statement: StatementSync): SqliteStatement {
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...(parameters as SQLInputValue[])),
    run: (parameters) => statement.run(...(parameters as SQLInputValue[])),
    iterate: (parameters) => statement.iterate(...(parameters as SQLInputValue[])),
  }
}
