/**
 * What is known of keys beyond their bytes: reading one, listing them, their versions and public keys,
 * and changing owner, purpose and labels. Who has no role here but a grant for a key reads that key, and
 * hears of every other what he would hear if there were none.
 */

import type { KeyTypeName } from '../../hsm/contract/algorithms.ts'
import { type KeyId, parseKeyId } from '../../hsm/contract/keys.ts'
import { findKeyVersion, versionsOf } from '../../storage/key-versions.ts'
import { type KeysTable, pageOfKeys, updateKeyRow } from '../../storage/keys.ts'
import { accessDenied, assertPermission, grantedOperations, isPermitted } from '../access/access.ts'
import { assertNamespace } from '../access/namespaces.ts'
import { weakeningCertificate } from '../domain/rotation-plan.ts'
import { KmsError } from '../errors.ts'
import { assertMatch, assertMatchGiven } from '../etag.ts'
import type { Caller, Change, Kms, Page, PageRequest } from '../kms.ts'
import { assertLabels, assertPrefix, assertText, type Labels } from '../names.ts'
import { pageOf } from '../paging.ts'
import { changingKey, recordOf } from './change.ts'
import { keyRow } from './find.ts'
import { forgetKey } from './known-keys.ts'
import {
  type KeyRecord,
  type KeyVersion,
  type RecordState,
  recordsFrom,
  typeFrom,
  versionFrom,
} from './rows.ts'

export interface KeyFilter extends PageRequest {
  readonly state?: RecordState | undefined
  readonly type?: KeyTypeName | undefined
  /** Of the name. */
  readonly prefix?: string | undefined
}

/** @param key an id, a name or an alias @throws KmsError ACCESS_DENIED, KEY_NOT_FOUND */
export async function getKey(
  kms: Kms,
  caller: Caller,
  namespace: string,
  key: string,
): Promise<KeyRecord> {
  const { keyId } = await readableKey(kms, caller, namespace, key)
  return recordOf(kms.db.query, keyId)
}

/** By name. @throws KmsError ACCESS_DENIED, NAMESPACE_NOT_FOUND, ARGUMENT_INVALID */
export async function listKeys(
  kms: Kms,
  caller: Caller,
  namespace: string,
  filter: KeyFilter = {},
): Promise<Page<KeyRecord>> {
  await assertPermission(kms, caller, namespace, 'keys:read')
  await assertNamespace(kms, namespace)
  const { state, type, prefix } = filter
  if (prefix !== undefined) assertPrefix(prefix)
  const wanted = { namespace, state, type, prefix }
  const { query } = kms.db
  return pageOf(
    filter,
    { list: 'keys', ...wanted },
    (place) => pageOfKeys(query, { ...wanted, ...place }),
    { name: ({ name }) => name, items: (rows) => recordsFrom(query, rows) },
  )
}

/** @throws KmsError ACCESS_DENIED, KEY_NOT_FOUND */
export async function listVersions(
  kms: Kms,
  caller: Caller,
  namespace: string,
  key: string,
): Promise<readonly KeyVersion[]> {
  const { keyId } = await readableKey(kms, caller, namespace, key)
  return (await versionsOf(kms.db.query, keyId)).map(versionFrom)
}

/** What the module says of the destruction of a version. @throws KmsError ACCESS_DENIED, KEY_NOT_FOUND, VERSION_NOT_FOUND */
export async function getDestructionCertificate(
  kms: Kms,
  caller: Caller,
  { namespace, key, version }: { namespace: string; key: string; version?: number | undefined },
): Promise<Uint8Array> {
  const row = await readableKey(kms, caller, namespace, key)
  const wanted = { keyId: row.keyId, version: version ?? row.currentVersion }
  const found = await findKeyVersion(kms.db.query, wanted)
  const certificate = found?.certificate ?? (await weakeningCertificate(kms, found?.destroyedBy))
  if (certificate) return certificate
  const message = `there is no certificate of the destruction of version ${wanted.version}`
  throw new KmsError('VERSION_NOT_FOUND', message)
}

export interface PublicKey {
  readonly key: KeyId
  readonly version: number
  readonly type: KeyTypeName
  /** DER. */
  readonly spki: Uint8Array
}

/**
 * Of the current version unless one is given.
 *
 * @throws KmsError ACCESS_DENIED, KEY_NOT_FOUND, VERSION_NOT_FOUND, ARGUMENT_INVALID for a secret key
 */
export async function getPublicKey(
  kms: Kms,
  caller: Caller,
  namespace: string,
  key: string,
  version?: number,
): Promise<PublicKey> {
  const row = await readableKey(kms, caller, namespace, key)
  const wanted = { keyId: row.keyId, version: version ?? row.currentVersion }
  const found = await findKeyVersion(kms.db.query, wanted)
  if (found === undefined) {
    throw new KmsError('VERSION_NOT_FOUND', `the key has no version ${wanted.version}`)
  }
  if (found.publicKey === null) {
    throw new KmsError('ARGUMENT_INVALID', 'a secret key has no public key')
  }
  const { publicKey: spki } = found
  return { key: parseKeyId(row.keyId), version: found.version, type: typeFrom(row.type), spki }
}

/**
 * Owner, purpose, labels. The ETag is required.
 *
 * @throws KmsError PRECONDITION_REQUIRED, ARGUMENT_INVALID, and what changingKey throws
 */
export async function updateKey(
  kms: Kms,
  caller: Caller,
  namespace: string,
  key: string,
  input: {
    readonly owner?: string | undefined
    readonly purpose?: string | undefined
    readonly labels?: Labels | undefined
  },
  change: Change,
): Promise<KeyRecord> {
  const { owner, purpose, labels } = input
  if (owner !== undefined) assertText(owner, 'the owner')
  if (purpose !== undefined) assertText(purpose, 'the purpose')
  if (labels !== undefined) assertLabels(labels)
  const permission = 'keys:update'
  await assertPermission(kms, caller, namespace, permission)
  assertMatchGiven(change)
  return changingKey(kms, caller, { namespace, key, permission, ...change }, async (row) => {
    const record = await kms.db.write(async (query) => {
      // The row may have changed since it was read: the job that destroys asks for no ETag.
      const now = await keyRow(query, namespace, row.keyId)
      assertMatch(now, change)
      await updateKeyRow(query, now, {
        ...(owner === undefined ? {} : { owner }),
        ...(purpose === undefined ? {} : { purpose }),
        ...(labels === undefined ? {} : { labels: JSON.stringify(labels) }),
        updated: kms.now(),
      })
      return recordOf(query, row.keyId)
    })
    forgetKey(kms, record.id)
    return record
  })
}

/** With the role that reads every key, or a grant for this one. */
async function readableKey(
  kms: Kms,
  caller: Caller,
  namespace: string,
  key: string,
): Promise<KeysTable> {
  if (await isPermitted(kms, caller, namespace, 'keys:read')) {
    return keyRow(kms.db.query, namespace, key)
  }
  const denied = accessDenied(`keys:read in namespace ${namespace}`)
  const row = await keyRow(kms.db.query, namespace, key).catch((error: unknown) => {
    throw error instanceof KmsError ? denied : error
  })
  const granted = await grantedOperations(kms, caller.identity.id, parseKeyId(row.keyId))
  if (granted.size === 0) throw denied
  if (!(await isPermitted(kms, caller, namespace, 'keys:read-granted'))) throw denied
  return row
}
