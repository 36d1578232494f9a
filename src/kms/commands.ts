/**
 * Commands to the module, from the manager's side: the claim that goes into the record, and the
 * module's refusals in the manager's class. A refusal is an outcome: the module decided and changed
 * nothing. An exception means that nobody knows what the module did, or whether it did anything.
 */

import assert from 'node:assert/strict'
import type { HostErrorCode } from '../host/errors.ts'
import { TpmError } from '../host/tpm/errors.ts'
import type { Call, Claim, CommandName, Commands, Outcome } from '../hsm/contract/commands.ts'
import { KmsError, type KmsErrorCode, kmsErrorCodes } from './errors.ts'
import type { Caller, Kms } from './kms.ts'

export interface Answer<N extends CommandName> {
  readonly result: Commands[N]['result']
  readonly parts: Commands[N]['answer']
}

/** The manager itself, in the record: jobs, recovery, the local authority. */
export function systemCaller(requestId: string): Caller {
  return {
    identity: {
      id: 'id_00000000000000000000000000000000',
      kind: 'system',
      name: 'system',
      state: 'enabled',
      created: 0,
      updated: 0,
      etag: '1',
    },
    requestId,
    protocol: 'manager',
    address: '',
  }
}

export function claimOf(caller: Caller): Claim {
  return {
    identity: caller.identity.id,
    requestId: caller.requestId,
    protocol: caller.protocol,
    address: caller.address,
  }
}

/** One outcome for each call. @throws KmsError when the frame as a whole failed */
export async function callModule(
  kms: Kms,
  caller: Caller,
  calls: readonly Call[],
): Promise<Outcome[]> {
  try {
    const outcomes = await kms.host.call(claimOf(caller), calls, caller.leaves)
    assert.equal(outcomes.length, calls.length)
    return outcomes
  } catch (error) {
    throw asKmsError(error)
  }
}

/** One command and its answer. @throws KmsError what the module refused, or what failed on the way */
export async function runCommand<N extends CommandName>(
  kms: Kms,
  caller: Caller,
  call: Call<N>,
): Promise<Answer<N>> {
  const [outcome] = await callModule(kms, caller, [call])
  assert(outcome !== undefined)
  return answerOf<N>(outcome)
}

/** @throws KmsError what the module refused */
export function answerOf<N extends CommandName>(outcome: Outcome): Answer<N> {
  if ('error' in outcome) throw new KmsError(outcome.error.code, outcome.error.message)
  return outcome as Answer<N>
}

/** What the host does besides commands. @throws KmsError */
export async function ofHost<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw asKmsError(error)
  }
}

/** What the host throws, by the code that callers of the manager hear. Others are given back. */
export function asKmsError(error: unknown): unknown {
  if (error instanceof TpmError) return new KmsError('TPM_FAILED', error.message, { cause: error })
  if (error instanceof KmsError || !(error instanceof Error) || !('code' in error)) return error
  const code = unavailable.some((known) => known === error.code) ? 'MODULE_UNAVAILABLE' : error.code
  return isKmsErrorCode(code) ? new KmsError(code, error.message, { cause: error }) : error
}

/** Which of them it is, is in the log of the host; to callers it is one thing: try again later. */
const unavailable: readonly HostErrorCode[] = ['MODULE_ENDED', 'MODULE_LOCKED', 'STORAGE_FAILED']

function isKmsErrorCode(code: unknown): code is KmsErrorCode {
  return kmsErrorCodes.some((known) => known === code)
}
