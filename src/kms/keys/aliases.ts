/** Aliases: further names of a key in its namespace, which can be pointed at another key. */

import { type KeyId, parseKeyId } from '../../hsm/contract/keys.ts'
import type { Query } from '../../storage/database.ts'
import {
  aliasesOf,
  deleteAlias,
  findKeyName,
  insertKeyName,
  type KeyNamesTable,
  pageOfAliases,
  pointAlias,
} from '../../storage/key-names.ts'
import { assertPermission } from '../access/access.ts'
import { assertNamespace } from '../access/namespaces.ts'
import { KmsError } from '../errors.ts'
import { assertMatch, etagOf } from '../etag.ts'
import type { Caller, Change, Kms, Page, PageRequest } from '../kms.ts'
import { aliasesPerKeyMax } from '../limits.ts'
import { assertName } from '../names.ts'
import { pageOf } from '../paging.ts'
import { keyNotFound, keyRow } from './find.ts'
import { nameTaken } from './new-key.ts'
import { isDestroyed, recordStateFrom } from './rows.ts'

export interface Alias {
  readonly name: string
  readonly key: KeyId
  readonly etag: string
}

/**
 * Makes it, or points it at another key.
 *
 * @throws KmsError ACCESS_DENIED, ARGUMENT_INVALID, KEY_NOT_FOUND, KEY_DESTROYED, NAME_TAKEN,
 *   LIMIT_REACHED, PRECONDITION_FAILED
 */
export async function setAlias(
  kms: Kms,
  caller: Caller,
  namespace: string,
  alias: string,
  input: { readonly key: string },
  change: Change = {},
): Promise<Alias> {
  await assertPermission(kms, caller, namespace, 'aliases:set')
  assertName(alias, 'an alias')
  const set = await kms.db.write(async (query) => {
    const { keyId, state } = await keyRow(query, namespace, input.key)
    if (isDestroyed(recordStateFrom(state))) {
      throw new KmsError('KEY_DESTROYED', `the key ${input.key} was destroyed`)
    }
    const found = await findKeyName(query, { namespace, name: alias })
    if (found?.kind === 'name') throw nameTaken(namespace, alias)
    assertMatch({ revision: found?.revision ?? 0 }, change)
    if (found?.keyId !== keyId) await assertRoom(query, keyId)
    const row = { namespace, name: alias, keyId, revision: (found?.revision ?? 0) + 1 }
    if (found) await pointAlias(query, row)
    else await insertKeyName(query, { ...row, kind: 'alias' })
    return aliasFrom(row)
  })
  kms.caches.keyNames.forget(`${namespace}/${alias}`)
  return set
}

/** The key stays. @throws KmsError ACCESS_DENIED, KEY_NOT_FOUND, PRECONDITION_FAILED */
export async function removeAlias(
  kms: Kms,
  caller: Caller,
  namespace: string,
  alias: string,
  change: Change = {},
): Promise<void> {
  await assertPermission(kms, caller, namespace, 'aliases:remove')
  await kms.db.write(async (query) => {
    const found = await findKeyName(query, { namespace, name: alias })
    if (found?.kind !== 'alias') throw keyNotFound(namespace, alias)
    assertMatch(found, change)
    await deleteAlias(query, found)
  })
  kms.caches.keyNames.forget(`${namespace}/${alias}`)
}

/** @throws KmsError ACCESS_DENIED, NAMESPACE_NOT_FOUND, ARGUMENT_INVALID */
export async function listAliases(
  kms: Kms,
  caller: Caller,
  namespace: string,
  request: PageRequest = {},
): Promise<Page<Alias>> {
  await assertPermission(kms, caller, namespace, 'keys:read')
  await assertNamespace(kms, namespace)
  return pageOf(
    request,
    { list: 'aliases', namespace },
    (place) => pageOfAliases(kms.db.query, { namespace, ...place }),
    { name: ({ name }) => name, items: (rows) => rows.map(aliasFrom) },
  )
}

async function assertRoom(query: Query, keyId: string): Promise<void> {
  if ((await aliasesOf(query, [keyId])).length >= aliasesPerKeyMax) {
    throw new KmsError('LIMIT_REACHED', `a key has at most ${aliasesPerKeyMax} aliases`)
  }
}

function aliasFrom(row: Pick<KeyNamesTable, 'name' | 'keyId' | 'revision'>): Alias {
  return { name: row.name, key: parseKeyId(row.keyId), etag: etagOf(row) }
}
