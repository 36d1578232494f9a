/**
 * Pages of a list in the order of a unique name. A cursor is opaque: it holds the last name of the
 * page before and a digest of the filter that it belongs to. Because it names a place and not a
 * number, what is added or removed between two pages neither repeats nor hides anything else.
 */

import { createHash } from 'node:crypto'
import { KmsError } from './errors.ts'
import type { Page, PageRequest } from './kms.ts'
import { cursorCharactersMax, pageItemsDefault, pageItemsMax } from './limits.ts'

const cursorVersion = 1

/** Fetches one row more than asked for, to know whether there is a next page. */
export async function pageOf<R, T>(
  request: PageRequest,
  filter: object,
  fetch: (place: { after: string; limit: number }) => Promise<readonly R[]>,
  row: {
    readonly name: (row: R) => string
    readonly items: (rows: readonly R[]) => readonly T[] | Promise<readonly T[]>
  },
): Promise<Page<T>> {
  const limit = request.limit ?? pageItemsDefault
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > pageItemsMax) {
    throw new KmsError('ARGUMENT_INVALID', `limit must be 1 to ${pageItemsMax}`)
  }
  const digest = filterDigest(filter)
  const after = request.cursor === undefined ? '' : decodeCursor(request.cursor, digest)
  const rows = await fetch({ after, limit: limit + 1 })
  const shown = rows.slice(0, limit)
  const items = await row.items(shown)
  const last = shown.at(-1)
  if (rows.length <= limit || last === undefined) return { items }
  return { items, next: encodeCursor(row.name(last), digest) }
}

function filterDigest(filter: object): string {
  return createHash('sha256').update(JSON.stringify(filter)).digest('base64url').slice(0, 12)
}

function encodeCursor(after: string, digest: string): string {
  return Buffer.from(JSON.stringify([cursorVersion, digest, after])).toString('base64url')
}

function decodeCursor(cursor: string, digest: string): string {
  const refused = new KmsError('ARGUMENT_INVALID', 'the cursor does not belong to this list')
  if (cursor.length > cursorCharactersMax) throw refused
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
  } catch {
    throw refused
  }
  if (!Array.isArray(value) || value.length !== 3) throw refused
  const [version, filter, after] = value as readonly unknown[]
  if (version !== cursorVersion || filter !== digest || typeof after !== 'string') throw refused
  return after
}
