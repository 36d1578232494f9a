/**
 * A batch of any length, in as many frames as it takes. A frame holds at most 256 commands in 4 MiB; what
 * does not fit is halved until it does. The frames go out together and the outcomes come back in the
 * order of the calls.
 */

import type { Call, Claim, Outcome } from '../hsm/contract/commands.ts'
import { HsmError } from '../hsm/contract/errors.ts'
import { itemsMax } from '../hsm/contract/limits.ts'
import type { DoorClient, LeafSpan } from './door-client.ts'

/** Settles once everything is durable. A call that is too large for a frame is refused by itself. */
export function sendCalls(
  door: DoorClient,
  claim: Claim,
  calls: readonly Call[],
  leaves?: LeafSpan[],
): Promise<Outcome[]> {
  if (calls.length !== 1) return sendBatch(door, claim, calls, leaves)
  try {
    return door.send(claim, calls, leaves)
  } catch (error) {
    return isTooLong(error) ? Promise.resolve([refusal(error)]) : Promise.reject(error)
  }
}

/**
 * The module refuses what does not fit into the answer with the others, or must stand alone, and does
 * nothing for it: that is asked again among fewer, as long as this leads anywhere.
 */
async function sendBatch(
  door: DoorClient,
  claim: Claim,
  calls: readonly Call[],
  leaves?: LeafSpan[],
): Promise<Outcome[]> {
  const outcomes = await sendFrames(door, claim, calls, leaves)
  for (let before = calls.length; ; ) {
    const again = [...outcomes.keys()].filter((index) => isMisfit(outcomes[index]))
    if (again.length === 0 || again.length === before) return outcomes
    before = again.length
    const some = await sendFrames(
      door,
      claim,
      again.flatMap((index) => calls[index] ?? []),
      leaves,
    )
    for (const [position, index] of again.entries()) {
      const outcome = some[position]
      if (outcome) outcomes[index] = outcome
    }
  }
}

function isMisfit(outcome: Outcome | undefined): boolean {
  return outcome !== undefined && 'error' in outcome && outcome.error.code === 'FRAME_INVALID'
}

async function sendFrames(
  door: DoorClient,
  claim: Claim,
  calls: readonly Call[],
  leaves?: LeafSpan[],
): Promise<Outcome[]> {
  const frames: Promise<Outcome[]>[] = []
  let start = 0
  let count = itemsMax
  while (start < calls.length) {
    const some = calls.slice(start, start + count)
    try {
      frames.push(door.send(claim, some, leaves))
    } catch (error) {
      if (isTooLong(error) && some.length > 1) {
        count = Math.ceil(some.length / 2)
        continue
      }
      frames.push(isTooLong(error) ? Promise.resolve([refusal(error)]) : Promise.reject(error))
    }
    start += some.length
    count = itemsMax
  }
  return (await Promise.all(frames)).flat()
}

function isTooLong(error: unknown): error is HsmError {
  return error instanceof HsmError && error.code === 'FRAME_INVALID'
}

function refusal({ code, message }: HsmError): Outcome {
  return { error: { code, message } }
}
