/** Commands of the module that concern no key: its status, its transport key, random bytes. */

import type { ModuleStatus } from '../hsm/contract/commands.ts'
import { assertPermissionSomewhere } from './access/access.ts'
import { answerOf, callModule, runCommand } from './commands.ts'
import { KmsError } from './errors.ts'
import type { Caller, Kms } from './kms.ts'
import { batchBytesMax, batchItemsMax } from './limits.ts'

/** @throws KmsError ACCESS_DENIED, MODULE_UNAVAILABLE */
export async function moduleStatus(kms: Kms, caller: Caller): Promise<ModuleStatus> {
  await assertPermissionSomewhere(kms, caller, 'status:read')
  const call = { command: 'getStatus', arguments: {}, parts: {} } as const
  return (await runCommand<'getStatus'>(kms, caller, call)).result
}

/**
 * Of the domain; for no longer than caches are kept out of date, because a level can only rise.
 * @throws KmsError MODULE_UNAVAILABLE
 */
export async function securityLevel(kms: Kms, caller: Caller): Promise<number> {
  const { level } = kms.caches
  const ask = async () => {
    const call = { command: 'getStatus', arguments: {}, parts: {} } as const
    return (await runCommand<'getStatus'>(kms, caller, call)).result.level
  }
  return level.get('') ?? level.load('', ask)
}

/** Fresh at each start of the module: what is sealed to it is for this start. */
export async function transportKey(kms: Kms, caller: Caller): Promise<Uint8Array> {
  await assertPermissionSomewhere(kms, caller, 'transport-key:read')
  const call = { command: 'getTransportKey', arguments: {}, parts: {} } as const
  return (await runCommand<'getTransportKey'>(kms, caller, call)).parts.publicKey
}

/** One piece for each length. @throws KmsError ACCESS_DENIED, ARGUMENT_INVALID */
export async function randomBytes(
  kms: Kms,
  caller: Caller,
  lengths: readonly number[],
): Promise<readonly Uint8Array[]> {
  await assertPermissionSomewhere(kms, caller, 'random:generate')
  const total = lengths.reduce((sum, length) => sum + length, 0)
  if (lengths.length > batchItemsMax || total > batchBytesMax) {
    const most = `${batchItemsMax} pieces and ${batchBytesMax} bytes`
    throw new KmsError('ARGUMENT_INVALID', `at most ${most} at once`)
  }
  const calls = lengths.map(
    (lengthBytes) => ({ command: 'random', arguments: { lengthBytes }, parts: {} }) as const,
  )
  const outcomes = await callModule(kms, caller, calls)
  return outcomes.map((outcome) => answerOf<'random'>(outcome).parts.bytes)
}
