/**
 * The first tables: who there is (identities, tokens, roles, grants), what there is (namespaces, keys,
 * their names and versions), and what is going on (intents, answers kept for idempotency keys).
 * Times are milliseconds since 1970; lists and small records are JSON text. The order of names is the
 * order of their bytes, on which paging relies.
 */

import { type Kysely, type Migration, sql } from 'kysely'
import type { Engine } from '../engine.ts'

type Schema = Kysely<unknown>['schema']

export function firstTables(engine: Engine): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await accessTables(db.schema, engine)
      await keyTables(db.schema, engine)
      await changeTables(db.schema, engine)
    },
  }
}

async function accessTables(schema: Schema, { bytes, integer, tableEnd }: Engine): Promise<void> {
  await schema
    .createTable('namespaces')
    .addColumn('name', 'text', (column) => column.primaryKey().notNull())
    .addColumn('created', integer, (column) => column.notNull())
    .modifyEnd(tableEnd)
    .execute()
  await schema
    .createTable('identities')
    .addColumn('identityId', 'text', (column) => column.primaryKey().notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull().unique())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('revision', integer, (column) => column.notNull())
    .addColumn('created', integer, (column) => column.notNull())
    .addColumn('updated', integer, (column) => column.notNull())
    .modifyEnd(tableEnd)
    .execute()
  await schema
    .createTable('tokens')
    .addColumn('tokenId', 'text', (column) => column.primaryKey().notNull())
    .addColumn('identityId', 'text', (column) =>
      column.notNull().references('identities.identityId'),
    )
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('digest', bytes, (column) => column.notNull())
    .addColumn('created', integer, (column) => column.notNull())
    .addColumn('expires', integer, (column) => column.notNull())
    .addColumn('revoked', integer)
    .modifyEnd(tableEnd)
    .execute()
  await index(schema, 'tokens', ['identityId', 'created'])
  await schema
    .createTable('roles')
    .addColumn('namespace', 'text', (column) => column.notNull())
    .addColumn('identityId', 'text', (column) =>
      column.notNull().references('identities.identityId'),
    )
    .addColumn('roles', 'text', (column) => column.notNull())
    .addColumn('revision', integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('rolesKey', ['namespace', 'identityId'])
    .modifyEnd(tableEnd)
    .execute()
  await index(schema, 'roles', ['identityId'])
}

async function keyTables(schema: Schema, { bytes, integer, tableEnd }: Engine): Promise<void> {
  let keys = schema
    .createTable('keys')
    .addColumn('keyId', 'text', (column) => column.primaryKey().notNull())
    .addColumn('namespace', 'text', (column) => column.notNull().references('namespaces.name'))
  const texts = ['name', 'owner', 'purpose', 'labels', 'type', 'class', 'algorithms', 'uses']
  for (const name of [...texts, 'state']) {
    keys = keys.addColumn(name, 'text', (column) => column.notNull())
  }
  const flags = ['exportable', 'externalIv', 'plaintextRelease', 'approvals', 'canary', 'usesMax']
  const numbers = ['lengthBytes', 'currentVersion', 'lastVersion', 'revision', 'created', 'updated']
  for (const name of [...flags, ...numbers, 'notBefore', 'notAfter']) {
    keys = keys.addColumn(name, integer, (column) => column.notNull())
  }
  await keys.addColumn('destructionDue', integer).modifyEnd(tableEnd).execute()
  await index(schema, 'keys', ['namespace', 'name'])
  await index(schema, 'keys', ['namespace', 'state', 'name'])
  await index(schema, 'keys', ['namespace', 'type', 'name'])
  await schema
    .createIndex('keysByDestructionDue')
    .on('keys')
    .column('destructionDue')
    .where(sql.ref('destructionDue'), 'is not', null)
    .execute()
  await schema
    .createTable('keyNames')
    .addColumn('namespace', 'text', (column) => column.notNull().references('namespaces.name'))
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('keyId', 'text', (column) => column.notNull().references('keys.keyId'))
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('revision', integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('keyNamesKey', ['namespace', 'name'])
    .modifyEnd(tableEnd)
    .execute()
  await index(schema, 'keyNames', ['keyId', 'kind'])
  await index(schema, 'keyNames', ['namespace', 'kind', 'name'])
  await schema
    .createTable('keyVersions')
    .addColumn('keyId', 'text', (column) => column.notNull().references('keys.keyId'))
    .addColumn('version', integer, (column) => column.notNull())
    .addColumn('revision', integer, (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('provenance', 'text', (column) => column.notNull())
    .addColumn('created', integer, (column) => column.notNull())
    .addColumn('checkValue', 'text', (column) => column.notNull())
    .addColumn('publicKey', bytes)
    .addColumn('wrapped', bytes)
    .addColumn('kek', integer, (column) => column.notNull())
    .addColumn('certificate', bytes)
    .addColumn('destroyedBy', integer)
    .addPrimaryKeyConstraint('keyVersionsKey', ['keyId', 'version'])
    .modifyEnd(tableEnd)
    .execute()
  await schema
    .createIndex('keyVersionsByKek')
    .on('keyVersions')
    .columns(['kek', 'keyId', 'version'])
    .where(sql.ref('wrapped'), 'is not', null)
    .execute()
}

async function changeTables(schema: Schema, { bytes, integer, tableEnd }: Engine): Promise<void> {
  await schema
    .createTable('grants')
    .addColumn('grantId', 'text', (column) => column.primaryKey().notNull())
    .addColumn('namespace', 'text', (column) => column.notNull().references('namespaces.name'))
    .addColumn('keyId', 'text', (column) => column.notNull().references('keys.keyId'))
    .addColumn('identityId', 'text', (column) =>
      column.notNull().references('identities.identityId'),
    )
    .addColumn('operations', 'text', (column) => column.notNull())
    .addColumn('created', integer, (column) => column.notNull())
    .addUniqueConstraint('grantsOnce', ['keyId', 'identityId'])
    .modifyEnd(tableEnd)
    .execute()
  await index(schema, 'grants', ['namespace', 'grantId'])
  await index(schema, 'grants', ['identityId', 'keyId'])
  await schema
    .createTable('intents')
    .addColumn('intentId', 'text', (column) => column.primaryKey().notNull())
    .addColumn('keyId', 'text', (column) => column.notNull())
    .addColumn('body', 'text', (column) => column.notNull())
    .addColumn('created', integer, (column) => column.notNull())
    .modifyEnd(tableEnd)
    .execute()
  await index(schema, 'intents', ['keyId'])
  await schema
    .createTable('answers')
    .addColumn('identityId', 'text', (column) => column.notNull())
    .addColumn('idempotencyKey', 'text', (column) => column.notNull())
    .addColumn('digest', bytes, (column) => column.notNull())
    .addColumn('answer', 'text')
    .addColumn('created', integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('answersKey', ['identityId', 'idempotencyKey'])
    .modifyEnd(tableEnd)
    .execute()
  await index(schema, 'answers', ['created'])
  await schema
    .createTable('settings')
    .addColumn('name', 'text', (column) => column.primaryKey().notNull())
    .addColumn('value', 'text', (column) => column.notNull())
    .modifyEnd(tableEnd)
    .execute()
}

/** An index is named for its table and columns. */
async function index(schema: Schema, table: string, columns: readonly string[]): Promise<void> {
  const name = `${table}By${columns.map((column) => column[0]?.toUpperCase() + column.slice(1))}`
  await schema
    .createIndex(name.replaceAll(',', ''))
    .on(table)
    .columns([...columns])
    .execute()
}
