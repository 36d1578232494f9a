/** What a host measures of itself, for metrics. */

import type { DoorClient } from './door-client.ts'
import type { Gate } from './gate.ts'
import type { ModuleFiles } from './module-files.ts'
import type { HostMeasures } from './options.ts'

/** `recordSize` leaves are durable. */
export function measuresOf(
  { record, commit, state }: ModuleFiles,
  gate: Gate,
  door: DoorClient | undefined,
  recordSize: number,
): HostMeasures {
  const oldest = door?.oldestSentMs
  return {
    leavesUnstored: record.size - recordSize,
    durableAt: commit.durableAt,
    leavesUnsigned: record.size - record.signedSize,
    headAt: record.headAt,
    recordBytes: record.groups.length,
    sealedStateBytes: state?.bytes ?? 0,
    queued: (door?.inFlight ?? 0) + gate.waiting,
    oldestMs: oldest === undefined ? 0 : performance.now() - oldest,
  }
}
