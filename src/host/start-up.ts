/**
 * Bringing a module to where it was: what the host kept is staged piece by piece, then the seal and its
 * secret, sealed to the transport key of this start, unlock it. The module checks all of it. The secret
 * is asked for at each start and overwritten at once (docs/decisions/0004).
 */

import assert from 'node:assert/strict'
import type {
  Call,
  Claim,
  CommandName,
  Commands,
  ModuleStatus,
  Outcome,
} from '../hsm/contract/commands.ts'
import type { SealKind } from '../hsm/contract/domain-commands.ts'
import type { DomainState, SignedDomainState } from '../hsm/contract/domain-state.ts'
import { HsmError } from '../hsm/contract/errors.ts'
import { chunkBytesMax } from '../hsm/contract/limits.ts'
import { type Destination, sealForCommand } from '../hsm/contract/sealed-part.ts'
import type { FoundedDomain } from './data-folder.ts'
import type { DoorClient } from './door-client.ts'
import type { ModuleFiles } from './module-files.ts'

/** What the module answered to one command. */
export interface Answer<N extends CommandName> {
  readonly result: Commands[N]['result']
  readonly parts: Commands[N]['answer']
}

/** The host itself, in the record. */
export const hostClaim: Claim = { identity: 'host', requestId: '', protocol: 'host', address: '' }

/** The secret of a seal, sealed to the transport key of this start for the command that takes it. */
export interface FedSecret {
  readonly kind: SealKind
  readonly sealed: Uint8Array
}

/** Before anybody knows whether a domain is opened or founded. */
export interface LaunchedSecret {
  readonly kind: SealKind
  readonly sealed: Readonly<Record<'found' | 'unlock', Uint8Array>>
}

/** A seal's secret, or the splitting of which shares were offered to the module. */
export type Opening = FedSecret | { readonly shareSet: string }

export interface ReadyModule {
  readonly status: ModuleStatus
  readonly transportKey: Uint8Array
}

/** Hands over everything that is kept. @throws HsmError, HostError MODULE_ENDED */
export async function prepareModule(door: DoorClient, files: ModuleFiles): Promise<ReadyModule> {
  const prelude = await files.beginPrelude()
  const { result: status } = await ask(door, hostClaim, call('getStatus', {}, {}))
  if (files.state) {
    for (const piece of await files.state.readSnapshot()) await stage(door, 'snapshot', piece)
    for await (const some of files.state.readChanges()) await stageRecords(door, 'change', some)
    const record = files.record.staged()
    if (record.head !== undefined) {
      await stage(door, 'head', Buffer.from(record.head))
      await stage(door, 'frontier', record.frontier)
    }
    for await (const some of record.groups()) await stageRecords(door, 'group', some)
    await stageRecords(door, 'prelude', prelude)
  }
  const { parts } = await ask(door, hostClaim, call('getTransportKey', {}, {}))
  return { status, transportKey: parts.publicKey }
}

/**
 * Answers which domain it was, by the module's sealed state.
 * @throws HsmError SEAL_INVALID, STATE_INVALID, RECORD_INVALID; HostError SEAL_MISSING, MODULE_ENDED
 */
export async function unlockModule(
  door: DoorClient,
  files: ModuleFiles,
  claim: Claim,
  opening: Opening,
): Promise<FoundedDomain & { readonly development: boolean }> {
  const unlock =
    'shareSet' in opening
      ? call('unlock', { seal: 'shares', shareSet: opening.shareSet }, {})
      : call(
          'unlock',
          { seal: opening.kind },
          { seal: await files.readSeal(opening.kind), secret: opening.sealed },
        )
  const { result } = await ask(door, claim, unlock)
  await files.record.removeTakenPreludes()
  return result
}

/** Founds a domain and keeps its seal and first snapshot. */
export async function foundDomain(
  door: DoorClient,
  files: ModuleFiles,
  development: boolean,
  { kind, sealed }: FedSecret,
): Promise<FoundedDomain> {
  const { result, parts } = await ask(
    door,
    hostClaim,
    call('found', { development, seal: kind }, { secret: sealed }),
  )
  if (parts.seal) await files.writeSeal(kind, parts.seal)
  await files.foundState(parts.snapshot)
  await files.record.removeTakenPreludes()
  return { domainId: result.domainId, moduleId: result.moduleId }
}

/** The security level of the domain that is open. */
export async function levelOfDomain(door: DoorClient): Promise<number> {
  const { parts } = await ask(door, hostClaim, call('getDomainState', {}, {}))
  const { statement } = JSON.parse(Buffer.from(parts.state).toString('utf8')) as SignedDomainState
  return (JSON.parse(statement) as DomainState).level
}

/** One command. @throws HsmError what the module refused; HostError */
export async function ask<N extends CommandName>(
  door: DoorClient,
  claim: Claim,
  command: Call<N>,
): Promise<Answer<N>> {
  const outcomes = await door.send(claim, [command as Call])
  return answerOf<N>(outcomes[0])
}

/** @throws HsmError what the module refused */
export function answerOf<N extends CommandName>(outcome: Outcome | undefined): Answer<N> {
  assert(outcome)
  if ('error' in outcome) throw new HsmError(outcome.error.code, outcome.error.message)
  return outcome as Answer<N>
}

export function call<N extends CommandName>(
  command: N,
  args: Commands[N]['arguments'],
  parts: Commands[N]['parts'],
): Call<N> {
  return { command, arguments: args, parts }
}

type StagedKind = Commands['stage']['arguments']['kind']

async function stage(door: DoorClient, kind: StagedKind, data: Uint8Array): Promise<void> {
  await ask(door, hostClaim, call('stage', { kind }, { data }))
}

/** As many to a frame as fit, each behind its length, one frame after the other. */
async function stageRecords(
  door: DoorClient,
  kind: 'change' | 'group' | 'prelude',
  records: readonly Uint8Array[],
): Promise<void> {
  let some: Uint8Array[] = []
  let bytes = 0
  for (const record of records) {
    if (some.length > 0 && bytes + 4 + record.length > chunkBytesMax) {
      await stage(door, kind, behindLengths(some))
      some = []
      bytes = 0
    }
    some.push(record)
    bytes += 4 + record.length
  }
  if (some.length > 0) await stage(door, kind, behindLengths(some))
}

/** As `stage` takes them (docs/formats/door.md). */
function behindLengths(pieces: readonly Uint8Array[]): Buffer {
  const framed = pieces.flatMap((piece) => {
    const length = Buffer.allocUnsafe(4)
    length.writeUInt32BE(piece.length)
    return [length, piece]
  })
  return Buffer.concat(framed)
}

/** A module of which a challenge can be asked. */
export interface Sealing {
  run(claim: Claim, command: Call<'getChallenge'>): Promise<Answer<'getChallenge'>>
  transportPublicKey(): Promise<Uint8Array>
}

/** One that is not served yet. */
export function sealingAt(door: DoorClient, transportKey: Uint8Array): Sealing {
  const run = (claim: Claim, command: Call<'getChallenge'>) => ask(door, claim, command)
  return { run, transportPublicKey: async () => transportKey }
}

/** For one command. Overwrites the bytes of the secret. @throws HsmError, HostError */
export async function sealSecret(
  module: Sealing,
  destination: Destination,
  secret: Uint8Array,
): Promise<Buffer> {
  try {
    const { command } = destination
    const { result } = await module.run(hostClaim, call('getChallenge', { command }, {}))
    const publicKey = await module.transportPublicKey()
    return sealForCommand(publicKey, result.challenge, destination, secret)
  } finally {
    secret.fill(0)
  }
}
