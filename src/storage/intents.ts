/** Intents: what was going to be done, written before it is begun and gone when it is done or undone. */

import type { Query } from './database.ts'

export interface IntentsTable {
  intentId: string
  keyId: string
  /** JSON: the kind, and what is needed to finish or undo it. */
  body: string
  created: number
}

const columns = ['intentId', 'keyId', 'body', 'created'] as const

export async function insertIntent(query: Query, row: IntentsTable): Promise<void> {
  await query.insertInto('intents').values(row).execute()
}

/** The next step of the same intent. */
export async function updateIntent(
  query: Query,
  { intentId, body }: { intentId: string; body: string },
): Promise<void> {
  await query.updateTable('intents').set({ body }).where('intentId', '=', intentId).execute()
}

export async function deleteIntent(query: Query, intentId: string): Promise<void> {
  await query.deleteFrom('intents').where('intentId', '=', intentId).execute()
}

/** In the order in which they were written. */
export async function intentsOf(query: Query, keyId: string): Promise<IntentsTable[]> {
  return query
    .selectFrom('intents')
    .select(columns)
    .where('keyId', '=', keyId)
    .orderBy('intentId')
    .execute()
}

/** In the order of their ids, from behind `after`. */
export async function pageOfIntents(
  query: Query,
  { after, limit }: { after: string; limit: number },
): Promise<IntentsTable[]> {
  return query
    .selectFrom('intents')
    .select(columns)
    .where('intentId', '>', after)
    .orderBy('intentId')
    .limit(limit)
    .execute()
}

export async function countIntents(query: Query): Promise<number> {
  const { count } = await query
    .selectFrom('intents')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return count
}
