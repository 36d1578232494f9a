/** Creating a key in the module, and importing one that was sealed to the module's transport key. */

import type { KeyClass } from '../../hsm/contract/algorithms.ts'
import type { Call } from '../../hsm/contract/commands.ts'
import { assertPermission } from '../access/access.ts'
import { runCommand } from '../commands.ts'
import type { Caller, Creation, Kms } from '../kms.ts'
import { type KeyToMake, type MadeBytes, makeKey, type NewKeyInput } from './new-key.ts'
import type { KeyRecord } from './rows.ts'

export interface ImportedKeyInput extends NewKeyInput {
  /** Chosen at random by whoever has sealed the key. */
  readonly id: string
  readonly class: KeyClass
  /** To the transport key of this start of the module, with all that the key is to be (contract/import.ts). */
  readonly sealed: Uint8Array
}

/** @throws KmsError ACCESS_DENIED and what makeKey throws */
export async function createKey(
  kms: Kms,
  caller: Caller,
  namespace: string,
  input: NewKeyInput,
  creation: Creation = {},
): Promise<KeyRecord> {
  await assertPermission(kms, caller, namespace, 'keys:create')
  return generateKey(kms, caller, { namespace, input }, creation)
}

/** Without a question: for the manager's own keys. */
export async function generateKey(
  kms: Kms,
  caller: Caller,
  place: { readonly namespace: string; readonly input: NewKeyInput },
  creation: Creation = {},
): Promise<KeyRecord> {
  return makeKey(kms, caller, place, {
    ...creation,
    call: 'createKey',
    request: place,
    make: (key) => made(kms, caller, { command: 'generateKey', arguments: { ...key }, parts: {} }),
    answer: (record) => record,
  })
}

/** @throws KmsError ACCESS_DENIED, CIPHERTEXT_INVALID, KEY_EXISTS and what makeKey throws */
export async function importKey(
  kms: Kms,
  caller: Caller,
  namespace: string,
  input: ImportedKeyInput,
  creation: Creation = {},
): Promise<KeyRecord> {
  await assertPermission(kms, caller, namespace, 'keys:import')
  const { id, class: keyClass, sealed } = input
  const call = (key: KeyToMake): Call<'importKey'> => ({
    command: 'importKey',
    arguments: { ...key, class: keyClass },
    parts: { sealed },
  })
  return makeKey(
    kms,
    caller,
    { namespace, input },
    {
      ...creation,
      call: 'importKey',
      request: { namespace, input },
      id,
      keyClass,
      make: (key) => made(kms, caller, call(key)),
      answer: (record) => record,
    },
  )
}

async function made(
  kms: Kms,
  caller: Caller,
  call: Call<'generateKey'> | Call<'importKey'>,
): Promise<MadeBytes> {
  const { result, parts } = await runCommand<'generateKey' | 'importKey'>(kms, caller, call)
  return { made: result, wrapped: parts.wrapped, publicKey: parts.publicKey }
}
