/**
 * What a host is told when it is opened, and what it says of itself.
 */

import type { Call, Commands, Outcome } from '../hsm/contract/commands.ts'
import type { SealKind } from '../hsm/contract/domain-commands.ts'
import type { SecurityLevel } from '../hsm/contract/domain-state.ts'
import type { ReleaseOptions } from '../launcher/release.ts'
import type { DiskCalls } from './append-file.ts'
import type { StartModule } from './module-process.ts'
import type { TpmCounterOptions } from './tpm/counter.ts'
import type { WitnessPlace } from './witnesses/client.ts'

export interface HostLogEntry {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly [member: string]: unknown
}

export interface NewSecret {
  readonly secret: Uint8Array
  readonly files: Readonly<Record<string, Uint8Array>>
  readonly kept: () => Promise<void>
}

/** What a new epoch is asked for with. */
export interface EpochRequest {
  /**
   * The secret of the new seal, sealed to the module's transport key; none where the host makes it, or
   * where custodians alone open the domain.
   */
  readonly sealed?: Uint8Array | undefined
  /** `tpm`: that secret is what `Seals.prepareTpm` answered for it. */
  readonly seal?: 'passphrase' | 'tpm' | undefined
  /** Of the new root; without them it is not split. Their passphrases, sealed as `found` takes them. */
  readonly custodians?: Commands['beginEpoch']['arguments']['custodians']
  readonly passphrases?: Uint8Array | undefined
  /** Where the rules of the domain want them. */
  readonly approvals?: Uint8Array | undefined
}

/** Told of what goes on, for metrics. It is on the hot path: it neither throws nor waits. */
export interface HostMeter {
  /** What the module said, so many milliseconds after the frame was queued; it is not durable yet. */
  readonly answered: (
    calls: readonly Call[],
    outcomes: readonly Outcome[],
    durationMs: number,
  ) => void
  /** It refused the frame as a whole, or ended before it answered. */
  readonly failed: (calls: readonly Call[], code: string) => void
  /** A write of record or sealed state took so long, the sync with it. */
  readonly wrote: (durationMs: number) => void
}

export interface HostOptions {
  readonly folder: string
  /** Must be what the domain was founded as. */
  readonly development: boolean
  readonly sealKind: SealKind
  /**
   * The secret of the seal (passphrase or key file), asked for at each start of the module, also after
   * a crash; the host overwrites the bytes once they are sealed to the module's transport key. Null
   * leaves the module locked.
   */
  readonly secret: () => Promise<Uint8Array | null>
  /**
   * A new secret for the seal of a new epoch, where nobody brings one: in development it lies in files
   * beside the seal. `kept` is called when the new epoch is in force.
   */
  readonly newSecret?: () => Promise<NewSecret>
  /** Founds a domain when the folder is new; without it a new folder is FOLDER_EMPTY. */
  readonly foundIfEmpty?: boolean
  readonly log: (entry: HostLogEntry) => void
  readonly meter?: HostMeter | undefined
  /** How a module is started: by the launcher from security level 3; without, by the host itself. */
  readonly startModule?: StartModule | undefined
  /** The machine's TPM, for freshness: a domain that is founded by a TPM seal pins its counter. */
  readonly counter?: TpmCounterOptions | undefined
  /** Outside witnesses, for freshness; the one is pinned by a domain that pins nothing yet. */
  readonly witnesses?: readonly WitnessPlace[]
  readonly freshnessWitness?: WitnessPlace | undefined
  /** Highest security level that a module serves which the host started itself; any without. */
  readonly unlaunchedLevelMax?: SecurityLevel | undefined
  /** What the host checks before it starts a module itself; without, it starts what is there. */
  readonly release?: ReleaseOptions | undefined
  /** Another first file of the module's stage two, and other calls for the disk: for tests. */
  readonly entry?: string
  readonly disk?: DiskCalls
}

export type HostState =
  | 'starting'
  | 'locked'
  | 'operational'
  | 'restarting'
  | 'storage-failed'
  | 'unavailable'
  | 'closed'

/** Numbers for metrics, each as it is now. Times are milliseconds since 1970, 0 for never. */
export interface HostMeasures {
  /** Leaves that have arrived from the module and are not durable. */
  readonly leavesUnstored: number
  readonly durableAt: number
  /** Leaves behind the last signed head, and when that head arrived. */
  readonly leavesUnsigned: number
  readonly headAt: number
  readonly recordBytes: number
  readonly sealedStateBytes: number
  /** Frames that the module has not answered, and calls that wait until it is started. */
  readonly queued: number
  /** How long the oldest frame has waited, in milliseconds. */
  readonly oldestMs: number
}

export interface HostStatus {
  readonly state: HostState
  /** Why, when the state is storage-failed or unavailable; empty otherwise. */
  readonly reason: string
  readonly development: boolean
  readonly domainId: string
  readonly moduleId: string
  /** Process id of the module; 0 while there is none. */
  readonly pid: number
  /** Counts the module's starts to operational; keys loaded under an earlier one are gone. */
  readonly generation: number
  /** Leaves that are durable. */
  readonly recordSize: number
  readonly inFlight: number
}
