/**
 * A new snapshot of the sealed state, in the background: the module freezes its state with the first
 * piece and goes on working, and changes that follow go to the next generation's file. The older
 * generation stays until the new snapshot is complete and durable.
 */

import type { DoorClient } from './door-client.ts'
import { messageOf } from './errors.ts'
import type { HostLogEntry } from './options.ts'
import { ask, call, hostClaim } from './start-up.ts'
import type { StateFiles } from './state-files.ts'

/** One at a time, whenever enough has changed since the last. */
export class Snapshots {
  readonly #log: (entry: HostLogEntry) => void
  #running: Promise<void> | undefined

  constructor(log: (entry: HostLogEntry) => void) {
    this.#log = log
  }

  /** Resolves when none is being taken. */
  get settled(): Promise<void> {
    return this.#running ?? Promise.resolve()
  }

  /** Something has become durable. */
  committed(door: DoorClient, state: StateFiles | undefined): void {
    if (!state?.snapshotDue || this.#running !== undefined) return
    this.#running = takeSnapshot(door, state)
      .catch((error) => this.#log({ level: 'warn', message: `no snapshot: ${messageOf(error)}` }))
      .finally(() => {
        this.#running = undefined
      })
  }
}

/** @throws HsmError, HostError MODULE_ENDED, STORAGE_FAILED; what is kept is whole in every case */
async function takeSnapshot(door: DoorClient, state: StateFiles): Promise<void> {
  const generation = await state.prepareNext()
  const pieces: Uint8Array[] = []
  for (let piece = 0, count = 1; piece < count; piece += 1) {
    const { result, parts } = await ask(door, hostClaim, call('takeSnapshot', { piece }, {}))
    count = result.pieces
    pieces.push(parts.snapshot)
  }
  await state.keepSnapshot(generation, pieces)
}
