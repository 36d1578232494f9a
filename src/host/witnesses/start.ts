/**
 * The host's part of freshness by a witness (src/hsm/freshness.ts): the module signs the head of its log of starts and of
 * its record, the pinned witness cosigns both, proved to from whatever it has seen, and the module takes its word.
 */

import { parseCheckpointText } from '../../hsm/contract/checkpoint.ts'
import type { Claim } from '../../hsm/contract/commands.ts'
import { encodeVerifierKey } from '../../hsm/contract/cosignature.ts'
import { HsmError } from '../../hsm/contract/errors.ts'
import { hashBytes, nodeHash } from '../../hsm/contract/merkle.ts'
import { parseNote } from '../../hsm/contract/signed-note.ts'
import type { SubtreeHash } from '../../tlog/merkle-proof.ts'
import type { DoorClient } from '../door-client.ts'
import { ask, call } from '../start-up.ts'
import { WitnessClient, type WitnessPlace } from './client.ts'
import { WitnessFailure } from './errors.ts'
import { cosign, type WitnessedLog } from './witness.ts'

export interface StartOptions {
  readonly places: readonly WitnessPlace[]
  /** The record, as far as it is durable. */
  readonly record: WitnessedLog
}

/**
 * Undefined when no witness is pinned.
 * @throws WitnessFailure, HsmError, HostError
 */
export async function confirmByWitness(
  door: DoorClient,
  claim: Claim,
  { places, record }: StartOptions,
): Promise<'witness' | undefined> {
  const signed = await signStart(door, claim, false)
  if (!signed) return undefined
  const { pinned } = signed.result
  const place = places.find(({ key }) => encodeVerifierKey(key) === pinned)
  if (!place) throw new WitnessFailure('WITNESS_UNREACHABLE', 'the pinned witness was not named')
  const parts = await cosignatures(place, signed, record, signed.result.size)
  await ask(door, claim, call('confirmWitness', {}, parts))
  return 'witness'
}

/**
 * Pins a witness in the sealed state. Where the domain has the rule `unlock`, that takes approvals, and is refused here.
 * @throws WitnessFailure, HsmError, HostError
 */
export async function pinWitness(
  door: DoorClient,
  claim: Claim,
  { place, record }: Omit<StartOptions, 'places'> & { readonly place: WitnessPlace },
): Promise<void> {
  const signed = await signStart(door, claim, true)
  if (!signed) return
  const parts = await cosignatures(place, signed, record, 0)
  await ask(door, claim, call('confirmWitness', { pin: encodeVerifierKey(place.key) }, parts))
}

type SignedStart = Awaited<ReturnType<typeof signStart>> & {}

async function signStart(door: DoorClient, claim: Claim, pin: boolean) {
  try {
    return await ask(door, claim, call('signStart', pin ? { pin } : {}, {}))
  } catch (error) {
    if (!pin && error instanceof HsmError && error.code === 'ARGUMENT_INVALID') return undefined
    throw error
  }
}

/** As the module takes them, with their time. @param known starts that this witness has cosigned at least */
async function cosignatures(
  place: WitnessPlace,
  { result, parts }: SignedStart,
  record: WitnessedLog,
  known: number,
): Promise<{ readonly starts: Uint8Array; readonly record: Uint8Array }> {
  using client = new WitnessClient(place)
  const startsNote = String(Buffer.from(parts.starts))
  const starts: WitnessedLog = {
    origin: `${record.origin}/starts`,
    size: parseCheckpointText(parseNote(startsNote).text).size,
    head: startsNote,
    subtree: subtreesOf(result.size, parts.hashes),
  }
  const cosigned = async (log: WitnessedLog, note: string, least: number) => {
    const reply = await cosign(client, log, parseNote(note), least)
    if (!reply)
      throw new WitnessFailure('WITNESS_REFUSED', 'it has cosigned a newer head meanwhile')
    return reply.cosignature.signature
  }
  return {
    starts: await cosigned(starts, startsNote, known),
    record: await cosigned(record, String(Buffer.from(parts.note)), 0),
  }
}

/** Of a tree of which the frontier at this size is known, and the leaves behind it. */
function subtreesOf(size: number, hashes: Uint8Array): SubtreeHash {
  const known = new Map<string, Uint8Array>()
  let [place, from] = [0, 0]
  const take = () => {
    place += hashBytes
    return hashes.subarray(place - hashBytes, place)
  }
  for (let height = Math.floor(Math.log2(size || 1)); height >= 0; height -= 1) {
    if (Math.floor(size / 2 ** height) % 2 === 0) continue
    known.set(`${height} ${from / 2 ** height}`, take())
    from += 2 ** height
  }
  for (; place < hashes.length; from += 1) known.set(`0 ${from}`, take())
  const subtree: SubtreeHash = async (height, index) => {
    const hash = known.get(`${height} ${index}`)
    if (hash) return hash
    if (height === 0)
      throw new WitnessFailure('WITNESS_FORGOT', 'it knows fewer starts than it has cosigned')
    const [left, right] = [2 * index, 2 * index + 1]
    return nodeHash(await subtree(height - 1, left), await subtree(height - 1, right))
  }
  return subtree
}
