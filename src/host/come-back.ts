/**
 * Bringing a module back that has ended: again and again, until it is there, the disk refuses, or it has
 * ended too often to be worth another try.
 */

import { type HostError, isHostError, messageOf } from './errors.ts'
import type { Gate } from './gate.ts'
import type { RestartLimit } from './restart-limit.ts'

export interface ComeBack {
  readonly gate: Gate
  readonly restarts: RestartLimit
  /** Why nothing can be made durable, if that is so. */
  readonly storageFailure: () => HostError | undefined
  /** From nothing to a module that serves or is locked. */
  readonly bringUp: () => Promise<void>
  /** A try has failed. */
  readonly refused: (error: unknown) => void
  readonly givenUp: (reason: string) => void
}

/** Never rejects: where it ends, the gate's state says. */
export async function comeBack(options: ComeBack): Promise<void> {
  const { gate, restarts, storageFailure, bringUp } = options
  while (gate.state === 'restarting') {
    if (restarts.isReached) {
      giveUp(options, 'it ended too often within a minute; see host.events')
      return
    }
    try {
      await bringUp()
      return
    } catch (error) {
      options.refused(error)
      const failure = storageFailure()
      if (failure) gate.close('storage-failed', failure.message)
      else if (!isHostError(error, 'MODULE_ENDED', 'STORAGE_FAILED')) {
        giveUp(options, messageOf(error))
      }
    }
  }
}

function giveUp({ gate, givenUp }: ComeBack, reason: string): void {
  if (gate.state === 'closed') return
  gate.close('unavailable', reason)
  givenUp(reason)
}
