/**
 * Attestations of the module, of keys, and the domain's public statement, for whoever may have them. The
 * manager carries them: it can keep one back, and not change it. Attesting a key is a permission of its
 * own, because the answer says things that its users need not know, such as that it is a canary.
 */

import { parseKeyId } from '../hsm/contract/keys.ts'
import { findKeyVersion } from '../storage/key-versions.ts'
import { assertPermission, assertPermissionSomewhere } from './access/access.ts'
import { runCommand } from './commands.ts'
import { KmsError } from './errors.ts'
import { keyRow } from './keys/find.ts'
import { wrappedKey } from './keys/known-keys.ts'
import type { Caller, Kms } from './kms.ts'

/** @param nonce in hex. @throws KmsError ACCESS_DENIED, ARGUMENT_INVALID, MODULE_UNAVAILABLE */
export async function attestModule(kms: Kms, caller: Caller, nonce: string): Promise<Uint8Array> {
  await assertPermissionSomewhere(kms, caller, 'attestation:read')
  const call = { command: 'attest', arguments: { nonce }, parts: {} } as const
  return (await runCommand<'attest'>(kms, caller, call)).parts.attestation
}

export interface AttestedKey {
  readonly namespace: string
  readonly key: string
  /** The current one when left out. */
  readonly version?: number | undefined
  /** In hex. */
  readonly nonce: string
}

/** @throws KmsError ACCESS_DENIED, KEY_NOT_FOUND, VERSION_NOT_FOUND, KEY_DESTROYED */
export async function attestKey(kms: Kms, caller: Caller, asked: AttestedKey): Promise<Uint8Array> {
  const { namespace, nonce } = asked
  await assertPermission(kms, caller, namespace, 'keys:attest')
  const row = await keyRow(kms.db.query, namespace, asked.key)
  const version = asked.version ?? row.currentVersion
  if ((await findKeyVersion(kms.db.query, { keyId: row.keyId, version })) === undefined) {
    throw new KmsError('VERSION_NOT_FOUND', `the key has no version ${version}`)
  }
  const key = parseKeyId(row.keyId)
  const wrapped = await wrappedKey(kms, { id: key, version })
  const parts = wrapped === undefined ? {} : { wrapped }
  const call = { command: 'attestKey', arguments: { key, version, nonce }, parts } as const
  return (await runCommand<'attestKey'>(kms, caller, call)).parts.attestation
}

/** @throws KmsError ACCESS_DENIED, MODULE_UNAVAILABLE */
export async function domainStatement(kms: Kms, caller: Caller): Promise<Uint8Array> {
  await assertPermissionSomewhere(kms, caller, 'domain:read')
  const call = { command: 'getDomainStatement', arguments: {}, parts: {} } as const
  return (await runCommand<'getDomainStatement'>(kms, caller, call)).parts.statement
}
