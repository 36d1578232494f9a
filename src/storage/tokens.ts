/** API tokens: their SHA-256, never the tokens. */

import type { Query } from './database.ts'

export interface TokensTable {
  tokenId: string
  identityId: string
  name: string
  digest: Uint8Array
  created: number
  expires: number
  revoked: number | null
}

const columns = [
  'tokenId',
  'identityId',
  'name',
  'digest',
  'created',
  'expires',
  'revoked',
] as const

export async function insertToken(query: Query, row: TokensTable): Promise<void> {
  await query.insertInto('tokens').values(row).execute()
}

export async function findToken(query: Query, tokenId: string): Promise<TokensTable | undefined> {
  return query
    .selectFrom('tokens')
    .select(columns)
    .where('tokenId', '=', tokenId)
    .executeTakeFirst()
}

/** The oldest first; there are never many. */
export async function tokensOf(query: Query, identityId: string): Promise<TokensTable[]> {
  return query
    .selectFrom('tokens')
    .select(columns)
    .where('identityId', '=', identityId)
    .orderBy('created')
    .orderBy('tokenId')
    .execute()
}

export async function revokeTokenRow(
  query: Query,
  { tokenId, now }: { tokenId: string; now: number },
): Promise<void> {
  await query
    .updateTable('tokens')
    .set({ revoked: now })
    .where('tokenId', '=', tokenId)
    .where('revoked', 'is', null)
    .execute()
}

export async function revokeTokensOf(
  query: Query,
  { identityId, now }: { identityId: string; now: number },
): Promise<void> {
  await query
    .updateTable('tokens')
    .set({ revoked: now })
    .where('identityId', '=', identityId)
    .where('revoked', 'is', null)
    .execute()
}

/** Forgets tokens that ended before this time. */
export async function deleteTokensEndedBefore(query: Query, time: number): Promise<void> {
  await query.deleteFrom('tokens').where('expires', '<', time).execute()
}
