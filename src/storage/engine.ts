/**
 * What varies between database engines, as far as the migrations see it: the names of the column
 * types, and what stands behind a table's definition.
 */

import type { ColumnDataType, RawBuilder } from 'kysely'

export interface Engine {
  readonly name: 'sqlite'
  readonly bytes: ColumnDataType
  /** 64 bits with a sign. */
  readonly integer: ColumnDataType
  readonly tableEnd: RawBuilder<unknown>
}
