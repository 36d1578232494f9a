/**
 * What a host is told when it is opened, and what it says of itself.
 */

import type { Commands } from '../hsm/contract/commands.ts'
import type { SealKind } from '../hsm/contract/domain-commands.ts'
import type { SecurityLevel } from '../hsm/contract/domain-state.ts'
import type { ReleaseOptions } from '../launcher/release.ts'
import type { DiskCalls } from './append-file.ts'
import type { StartModule } from './module-process.ts'
import type { TpmCounterOptions } from './tpm/counter.ts'

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
  /** Of the new root; without them it is not split. Their passphrases, sealed as `found` takes them. */
  readonly custodians?: Commands['beginEpoch']['arguments']['custodians']
  readonly passphrases?: Uint8Array | undefined
  /** Where the rules of the domain want them. */
  readonly approvals?: Uint8Array | undefined
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
  /** How a module is started: by the launcher from security level 3; without, by the host itself. */
  readonly startModule?: StartModule | undefined
  /** The machine's TPM, for freshness: a domain that is founded by a TPM seal pins its counter. */
  readonly counter?: TpmCounterOptions | undefined
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
