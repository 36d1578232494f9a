/**
 * What a witness knows: the keys of the logs that it accepts, and of each log the last checkpoint that it cosigned.
 * SQLite, synced before a change is acknowledged; to look at the last checkpoint and to put the next one in its place is
 * one transaction, also between two processes. What is read back is checked against the witness's own cosignature.
 */

import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parseCheckpointText } from '../hsm/contract/checkpoint.ts'
import { cosignedAt, encodeVerifierKey, parseVerifierKey } from '../hsm/contract/cosignature.ts'
import { type NoteKey, parseNote } from '../hsm/contract/signed-note.ts'
import type { Tree } from '../tlog/merkle-proof.ts'
import { WitnessError } from './errors.ts'

/** The last checkpoint of a log that was cosigned. */
export interface Cosigned extends Tree {
  /** Of the cosignature; seconds since 1970. */
  readonly time: number
}

const tables = `
  CREATE TABLE IF NOT EXISTS keys (vkey TEXT PRIMARY KEY, origin TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS cosigned (origin TEXT PRIMARY KEY, note TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS conflicts (origin TEXT PRIMARY KEY, note TEXT NOT NULL) STRICT, WITHOUT ROWID;`

export class WitnessStore implements Disposable {
  readonly #database: DatabaseSync
  /** The witness's own. */
  readonly #keys: readonly NoteKey[]

  constructor(folder: string, keys: readonly NoteKey[]) {
    this.#database = new DatabaseSync(path.join(folder, 'witness.db'), { timeout: 5_000 })
    this.#database.exec(`PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA; ${tables}`)
    this.#keys = keys
  }

  /** Accepts checkpoints that this key has signed; its name is the log's origin. */
  addLog(key: NoteKey): void {
    this.#database
      .prepare('INSERT OR IGNORE INTO keys (vkey, origin) VALUES (?, ?)')
      .run(encodeVerifierKey(key), key.name)
  }

  keysOf(origin: string): NoteKey[] {
    const rows = this.#database.prepare('SELECT vkey FROM keys WHERE origin = ?').all(origin)
    return rows.map(({ vkey }) => parseVerifierKey(String(vkey)))
  }

  /** For people. */
  logs(): { readonly vkey: string; readonly size: number; readonly hasConflict: boolean }[] {
    const rows = this.#database.prepare('SELECT vkey, origin FROM keys ORDER BY vkey').all()
    return rows.map(({ vkey, origin }) => ({
      vkey: String(vkey),
      size: this.cosigned(String(origin))?.size ?? 0,
      hasConflict: this.conflict(String(origin)) !== undefined,
    }))
  }

  /** @throws WitnessError WITNESS_DAMAGED */
  cosigned(origin: string): Cosigned | undefined {
    const row = this.#database.prepare('SELECT note FROM cosigned WHERE origin = ?').get(origin)
    if (row === undefined) return undefined
    try {
      const note = parseNote(String(row.note))
      const head = parseCheckpointText(note.text)
      const [time] = this.#keys.map((key) => cosignedAt(key, note))
      if (head.origin !== origin || time === undefined) throw new Error('not cosigned here')
      return { size: head.size, root: head.root, time }
    } catch (cause) {
      throw new WitnessError('WITNESS_DAMAGED', `the last checkpoint of ${origin}`, { cause })
    }
  }

  /** @param note the checkpoint with the log's signatures and the witness's own */
  putCosigned(origin: string, note: string): void {
    this.#database.prepare('INSERT OR REPLACE INTO cosigned VALUES (?, ?)').run(origin, note)
  }

  /** The first checkpoint of a log that has the size of the cosigned one and another tree: together they are proof. */
  keepConflict(origin: string, note: string): void {
    this.#database.prepare('INSERT OR IGNORE INTO conflicts VALUES (?, ?)').run(origin, note)
  }

  conflict(origin: string): string | undefined {
    const row = this.#database.prepare('SELECT note FROM conflicts WHERE origin = ?').get(origin)
    return row && String(row.note)
  }

  /** What the work changes is durable when this returns, wholly; or nothing is, when it throws. */
  atomically<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.#database.exec('COMMIT')
      return result
    } catch (error) {
      this.#database.exec('ROLLBACK')
      throw error
    }
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }
}
