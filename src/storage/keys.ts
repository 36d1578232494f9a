/**
 * Keys: what is known of a key beyond its bytes. The row stays when the key is destroyed. Lists and
 * labels are JSON, flags 0 or 1, times milliseconds since 1970.
 */

import type { Query } from './database.ts'
import type { EndStates } from './key-versions.ts'

export interface KeysTable {
  keyId: string
  namespace: string
  name: string
  owner: string
  purpose: string
  labels: string
  type: string
  class: string
  algorithms: string
  uses: string
  state: string
  exportable: number
  externalIv: number
  plaintextRelease: number
  approvals: number
  canary: number
  /** 0 for no limit. */
  usesMax: number
  /** Of a generic secret; 0 for every other type. */
  lengthBytes: number
  currentVersion: number
  /** The highest number that was ever given to a version; none is given twice. */
  lastVersion: number
  revision: number
  created: number
  updated: number
  notBefore: number
  notAfter: number
  destructionDue: number | null
}

const columns = [
  'keyId',
  'namespace',
  'name',
  'owner',
  'purpose',
  'labels',
  'type',
  'class',
  'algorithms',
  'uses',
  'state',
  'exportable',
  'externalIv',
  'plaintextRelease',
  'approvals',
  'canary',
  'usesMax',
  'lengthBytes',
  'currentVersion',
  'lastVersion',
  'revision',
  'created',
  'updated',
  'notBefore',
  'notAfter',
  'destructionDue',
] as const

export async function insertKey(query: Query, row: KeysTable): Promise<void> {
  await query.insertInto('keys').values(row).execute()
}

export async function findKey(query: Query, keyId: string): Promise<KeysTable | undefined> {
  return query.selectFrom('keys').select(columns).where('keyId', '=', keyId).executeTakeFirst()
}

export type KeyChanges = Partial<
  Pick<
    KeysTable,
    'owner' | 'purpose' | 'labels' | 'state' | 'currentVersion' | 'lastVersion' | 'destructionDue'
  >
> & { readonly updated: number }

/** False when the row is no longer at this revision. */
export async function updateKeyRow(
  query: Query,
  { keyId, revision }: { keyId: string; revision: number },
  change: KeyChanges,
): Promise<boolean> {
  const { numUpdatedRows } = await query
    .updateTable('keys')
    .set({ ...change, revision: revision + 1 })
    .where('keyId', '=', keyId)
    .where('revision', '=', revision)
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

export interface KeyRowFilter {
  readonly namespace: string
  readonly after: string
  readonly limit: number
  readonly state?: string | undefined
  readonly type?: string | undefined
  readonly prefix?: string | undefined
}

/** In the order of their names, from behind `after`. */
export async function pageOfKeys(query: Query, filter: KeyRowFilter): Promise<KeysTable[]> {
  let select = query
    .selectFrom('keys')
    .select(columns)
    .where('namespace', '=', filter.namespace)
    .where('name', '>', filter.after)
  if (filter.state !== undefined) select = select.where('state', '=', filter.state)
  if (filter.type !== undefined) select = select.where('type', '=', filter.type)
  if (filter.prefix !== undefined) {
    // No character of a name stands behind "~" in the order of bytes.
    select = select.where('name', '>=', filter.prefix).where('name', '<', `${filter.prefix}~`)
  }
  return select.orderBy('name').limit(filter.limit).execute()
}

/** Keys whose waiting period has ended, the oldest first. */
export async function keysDue(
  query: Query,
  { now, limit }: { now: number; limit: number },
): Promise<{ keyId: string }[]> {
  return query
    .selectFrom('keys')
    .select('keyId')
    .where('destructionDue', 'is not', null)
    .where('destructionDue', '<=', now)
    .orderBy('destructionDue')
    .limit(limit)
    .execute()
}

/** Of these keys, those without a wrapped version: their end. */
export async function endKeys(
  query: Query,
  keyIds: readonly string[],
  { states, now }: { readonly states: EndStates; readonly now: number },
): Promise<void> {
  for (const { from, to } of states) {
    await query
      .updateTable('keys')
      .set(({ eb }) => ({
        ...{ state: to, destructionDue: null, updated: now },
        revision: eb('revision', '+', 1),
      }))
      .where('keyId', 'in', keyIds)
      .where('state', '=', from)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('keyVersions')
              .select('version')
              .whereRef('keyVersions.keyId', '=', 'keys.keyId')
              .where('wrapped', 'is not', null),
          ),
        ),
      )
      .execute()
  }
}

export async function countKeysDue(query: Query, now: number): Promise<number> {
  const { count } = await query
    .selectFrom('keys')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('destructionDue', 'is not', null)
    .where('destructionDue', '<=', now)
    .executeTakeFirstOrThrow()
  return count
}
