/**
 * From one epoch of the domain to the next, while nobody else asks the module for anything: the module
 * makes it ready, the host keeps all of it beside what is in force, the module takes it up, and only then
 * the one takes the place of the other on the disk. What fails before the module has taken it up leaves
 * the epoch that was. What fails behind that ends the module: the next start finds the one or the other,
 * whole, and nobody was told of the new one.
 */

import { setTimeout } from 'node:timers/promises'
import type { Call, Claim, Commands } from '../hsm/contract/commands.ts'
import type { SealKind } from '../hsm/contract/domain-commands.ts'
import { HsmError } from '../hsm/contract/errors.ts'
import { sealSecretFor } from '../hsm/contract/sealed-part.ts'
import type { DoorClient } from './door-client.ts'
import { isHostError } from './errors.ts'
import type { ModuleFiles } from './module-files.ts'
import type { EpochRequest, HostOptions } from './options.ts'
import type { Session } from './session.ts'
import { ask, call, type Sealing, sealSecret } from './start-up.ts'

/** The new shares, one file behind the other, beside seal and state until somebody takes them away. */
const sharesName = 'shares'

export interface EpochTurn {
  readonly begin: Call<'beginEpoch'>
  readonly kind: SealKind
  /** Files to be kept beside the seal. */
  readonly files: Readonly<Record<string, Uint8Array>>
  /** For whoever keeps the secret: this is the seal, and nobody has it yet. */
  readonly made: (seal: Uint8Array) => Promise<void>
  /** For whoever keeps the secret: the new epoch is in force. */
  readonly kept: () => Promise<void>
}

/** What is done with the secret of a seal that stays with this machine. */
export type SecretKeeper = Pick<EpochTurn, 'made' | 'kept'>

export type EpochResult = Commands['commitEpoch']['result'] & {
  /** Of the new root, for its custodians (docs/formats/share.md). */
  readonly shares?: Uint8Array
}

/** The secret of the new seal where the host makes it, sealed, and what it is kept in. */
export interface OwnSecret {
  readonly sealed: Uint8Array
  readonly files: Readonly<Record<string, Uint8Array>>
  readonly kept: () => Promise<void>
}

export async function ownSecret(
  { newSecret, sealKind }: HostOptions,
  module: Sealing,
): Promise<OwnSecret | undefined> {
  const own = await newSecret?.()
  if (!own) return undefined
  const destination = sealSecretFor('beginEpoch', sealKind)
  return { ...own, sealed: await sealSecret(module, destination, own.secret) }
}

/**
 * What was asked for: the secret of the seal comes from whoever asks, or from the host itself.
 * @throws HsmError ARGUMENT_INVALID
 */
export function epochTurn(
  { sealKind }: HostOptions,
  own: OwnSecret | undefined,
  { sealed, seal, custodians, passphrases, approvals }: EpochRequest,
  keeper: Partial<SecretKeeper> = {},
): EpochTurn {
  if (own && sealed) throw invalid('in development the server makes the secret of the seal')
  if (seal === 'tpm' && !sealed) throw invalid('the TPM is asked for the secret of its seal first')
  // What a person brings is no secret of this machine's TPM.
  const kind = seal === 'tpm' ? 'tpm' : sealKind === 'tpm' && !own ? 'passphrase' : sealKind
  const secret = own ? own.sealed : sealed
  const args = { ...(secret ? { seal: kind } : {}), ...(custodians ? { custodians } : {}) }
  const parts = {
    ...(secret ? { secret } : {}),
    ...(passphrases ? { passphrases } : {}),
    ...(approvals ? { approvals } : {}),
  }
  const begin = call('beginEpoch', args, parts)
  const nothing = async () => undefined
  const { made = nothing, kept = own?.kept ?? nothing } = keeper
  return { begin, kind, files: own?.files ?? {}, made, kept }
}

function invalid(message: string): HsmError {
  return new HsmError('ARGUMENT_INVALID', message)
}

/** When nothing is under way any more. @throws HsmError what the module refused; HostError */
export async function turnEpoch(
  { door, process }: Session,
  files: ModuleFiles,
  claim: Claim,
  turn: EpochTurn,
): Promise<EpochResult> {
  while (door.inFlight > 0) await setTimeout(1)
  await files.commit.idle()
  const { shares } = await prepare(door, files, claim, turn)
  try {
    const { result } = await ask(door, claim, call('commitEpoch', {}, {}))
    await files.takeUpEpoch()
    return { ...result, ...(shares ? { shares } : {}) }
  } catch (error) {
    // It must not go on with an epoch that is not on the disk.
    process.kill()
    throw error
  }
}

async function prepare(
  door: DoorClient,
  files: ModuleFiles,
  claim: Claim,
  { begin, kind, files: more, made }: EpochTurn,
): Promise<Commands['beginEpoch']['answer']> {
  const begun = await ask(door, claim, begin)
  try {
    const { seal, shares } = begun.parts
    if (seal) await made(seal)
    const snapshot: Uint8Array[] = []
    let generation = 0
    for (let piece = 0, count = 1; piece < count; piece += 1) {
      const answer = await ask(door, claim, call('takeEpochSnapshot', { piece }, {}))
      count = answer.result.pieces
      generation = answer.result.generation
      snapshot.push(answer.parts.snapshot)
    }
    await files.writeEpoch({
      seal: seal && { kind, bytes: seal },
      generation,
      snapshot,
      files: { ...more, ...(shares ? { [sharesName]: shares } : {}) },
    })
    return begun.parts
  } catch (error) {
    if (!isHostError(error, 'MODULE_ENDED')) await ask(door, claim, call('abortEpoch', {}, {}))
    throw error
  }
}
