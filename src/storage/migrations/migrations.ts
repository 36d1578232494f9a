/**
 * The migrations in their order. A release works before and after its own migrations, and none is
 * changed once it has been released.
 */

import type { Migration } from 'kysely'
import type { Engine } from '../engine.ts'
import { firstTables } from './0001-first-tables.ts'

export function migrations(engine: Engine): Record<string, Migration> {
  return { '0001-first-tables': firstTables(engine) }
}
