/** Answers kept for idempotency keys; one without an answer belongs to a request that is going on. */

import type { Query } from './database.ts'

export interface AnswersTable {
  identityId: string
  idempotencyKey: string
  /** SHA-256 of what was asked. */
  digest: Uint8Array
  /** JSON. */
  answer: string | null
  created: number
}

interface AnswerKey {
  readonly identityId: string
  readonly idempotencyKey: string
}

/** False when the key was used before. */
export async function insertAnswer(query: Query, row: AnswersTable): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await query
    .insertInto('answers')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirstOrThrow()
  return numInsertedOrUpdatedRows === 1n
}

export async function findAnswer(
  query: Query,
  { identityId, idempotencyKey }: AnswerKey,
): Promise<AnswersTable | undefined> {
  return query
    .selectFrom('answers')
    .select(['identityId', 'idempotencyKey', 'digest', 'answer', 'created'])
    .where('identityId', '=', identityId)
    .where('idempotencyKey', '=', idempotencyKey)
    .executeTakeFirst()
}

export async function completeAnswer(
  query: Query,
  { identityId, idempotencyKey }: AnswerKey,
  answer: string,
): Promise<void> {
  await query
    .updateTable('answers')
    .set({ answer })
    .where('identityId', '=', identityId)
    .where('idempotencyKey', '=', idempotencyKey)
    .execute()
}

export async function deleteAnswer(
  query: Query,
  { identityId, idempotencyKey }: AnswerKey,
): Promise<void> {
  await query
    .deleteFrom('answers')
    .where('identityId', '=', identityId)
    .where('idempotencyKey', '=', idempotencyKey)
    .execute()
}

/** Only complete ones: one that is going on belongs to its intent. */
export async function deleteAnswersBefore(query: Query, time: number): Promise<void> {
  await query
    .deleteFrom('answers')
    .where('created', '<', time)
    .where('answer', 'is not', null)
    .execute()
}
