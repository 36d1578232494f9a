/** Finding a key by what a path names it with: its id, its name or one of its aliases. */

import type { Query } from '../../storage/database.ts'
import { findKeyName } from '../../storage/key-names.ts'
import { findKey, type KeysTable } from '../../storage/keys.ts'
import { KmsError } from '../errors.ts'

/** @throws KmsError KEY_NOT_FOUND */
export async function keyRow(query: Query, namespace: string, key: string): Promise<KeysTable> {
  const keyId = key.startsWith('key_')
    ? key
    : (await findKeyName(query, { namespace, name: key }))?.keyId
  const row = keyId === undefined ? undefined : await findKey(query, keyId)
  if (row === undefined || row.namespace !== namespace) throw keyNotFound(namespace, key)
  return row
}

export function keyNotFound(namespace: string, key: string): KmsError {
  return new KmsError('KEY_NOT_FOUND', `namespace ${namespace} has no key ${key.slice(0, 64)}`)
}
