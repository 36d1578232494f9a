/** Settings: the few facts that the manager keeps for itself. */

import type { Query } from './database.ts'

export interface SettingsTable {
  name: string
  value: string
}

export async function findSetting(query: Query, name: string): Promise<string | undefined> {
  const row = await query
    .selectFrom('settings')
    .select('value')
    .where('name', '=', name)
    .executeTakeFirst()
  return row?.value
}

export async function deleteSetting(query: Query, name: string): Promise<void> {
  await query.deleteFrom('settings').where('name', '=', name).execute()
}

export async function putSetting(query: Query, row: SettingsTable): Promise<void> {
  await query
    .insertInto('settings')
    .values(row)
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: row.value }))
    .execute()
}
