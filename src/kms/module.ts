/** Commands of the module that concern no key: its status, its transport key, random bytes. */

import type { ModuleStatus } from '../hsm/contract/commands.ts'
import type { EntropyStatus } from '../hsm/contract/entropy.ts'
import { assertPermission, assertPermissionSomewhere, everywhere } from './access/access.ts'
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
 * Of the domain, or what it was a while ago: the module holds every key to the one in force.
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

/** Of the module's noise sources and generator. @throws KmsError ACCESS_DENIED, MODULE_UNAVAILABLE */
export async function entropyStatus(kms: Kms, caller: Caller): Promise<EntropyStatus> {
  await assertPermissionSomewhere(kms, caller, 'status:read')
  const call = { command: 'getEntropyStatus', arguments: {}, parts: {} } as const
  return (await runCommand<'getEntropyStatus'>(kms, caller, call)).result
}

/** What was tested now, all of which was met, and how the noise sources passed their start-up tests. */
export interface SelfTested {
  readonly tests: readonly string[]
  readonly sources: readonly Pick<EntropyStatus['sources'][number], 'name' | 'state'>[]
}

/**
 * Everything, or the tests of these algorithms and names; the noise sources are tested with everything.
 * One that is not met is the end of all other commands: the error says which.
 * @throws KmsError ACCESS_DENIED, ARGUMENT_INVALID, MODULE_FAILED, MODULE_UNAVAILABLE
 */
export async function selfTest(
  kms: Kms,
  caller: Caller,
  tests: readonly string[] | undefined,
): Promise<SelfTested> {
  await assertPermission(kms, caller, everywhere, 'domain:self-test')
  const args = tests === undefined ? {} : { tests }
  const call = { command: 'selfTest', arguments: args, parts: {} } as const
  const { names } = (await runCommand<'selfTest'>(kms, caller, call)).result
  if (tests !== undefined) return { tests: names, sources: [] }
  const asked = { command: 'getEntropyStatus', arguments: {}, parts: {} } as const
  const { sources } = (await runCommand<'getEntropyStatus'>(kms, caller, asked)).result
  return { tests: names, sources: sources.map(({ name, state }) => ({ name, state })) }
}

/** Commands that bring a secret from outside, sealed for a challenge (src/hsm/contract/sealed-part.ts). */
export const sealedCommands = ['importKey', 'addSeal', 'beginEpoch'] as const
type SealedCommand = (typeof sealedCommands)[number]

/** Fresh at each start of the module: what is sealed to it is for this start. */
export interface TransportKey {
  readonly publicKey: Uint8Array
  /** Hex: for one secret that goes with the command that was named. */
  readonly challenge?: string
}

/** @throws KmsError ACCESS_DENIED, MODULE_UNAVAILABLE */
export async function transportKey(
  kms: Kms,
  caller: Caller,
  command?: SealedCommand,
): Promise<TransportKey> {
  await assertPermissionSomewhere(kms, caller, 'transport-key:read')
  const call = { command: 'getTransportKey', arguments: {}, parts: {} } as const
  const { publicKey } = (await runCommand<'getTransportKey'>(kms, caller, call)).parts
  if (command === undefined) return { publicKey }
  const asked = { command: 'getChallenge', arguments: { command }, parts: {} } as const
  const { challenge } = (await runCommand<'getChallenge'>(kms, caller, asked)).result
  return { publicKey, challenge }
}

/** How many bytes, and whether fresh entropy goes into the generator first. */
export interface RandomAsked {
  readonly lengthBytes: number
  readonly predictionResistance?: boolean | undefined
}

/** One piece for each that is asked for. @throws KmsError ACCESS_DENIED, ARGUMENT_INVALID */
export async function randomBytes(
  kms: Kms,
  caller: Caller,
  asked: readonly RandomAsked[],
): Promise<readonly Uint8Array[]> {
  await assertPermissionSomewhere(kms, caller, 'random:generate')
  const total = asked.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0)
  if (asked.length > batchItemsMax || total > batchBytesMax) {
    const most = `${batchItemsMax} pieces and ${batchBytesMax} bytes`
    throw new KmsError('ARGUMENT_INVALID', `at most ${most} at once`)
  }
  const calls = asked.map(({ lengthBytes, predictionResistance = false }) => {
    const args = predictionResistance ? { lengthBytes, predictionResistance } : { lengthBytes }
    return { command: 'random', arguments: args, parts: {} } as const
  })
  const outcomes = await callModule(kms, caller, calls)
  return outcomes.map((outcome) => answerOf<'random'>(outcome).parts.bytes)
}
