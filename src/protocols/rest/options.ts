/** What the REST listener is told by whoever starts it, and what it needs that is not the manager's. */

import type { Claim } from '../../hsm/contract/commands.ts'
import type { Caller, LogEntry } from '../../kms/kms.ts'

/** The module's record, as its host keeps it. */
export interface RecordReader {
  /** The signed note of the record as it is now. */
  readonly head: (claim: Claim) => Promise<string>
  readonly heads: (
    from: number,
    limit: number,
  ) => Promise<{ readonly heads: readonly string[]; readonly next?: number }>
  readonly leaves: (
    from: number,
    limit: number,
  ) => Promise<{ readonly leaves: readonly Uint8Array[]; readonly next?: number }>
}

/** What must be well for the server to be of use. */
export interface Readiness {
  readonly module: boolean
  readonly database: boolean
  readonly disk: boolean
}

export interface RestLoad {
  readonly connections: number
  readonly connectionsMax: number
  readonly requestsInFlight: number
}

/** What is measured here, and all that is measured as text. */
export interface RestMetrics {
  /**
   * A request was answered: by this route, empty where there is none; `ok` or the code of the refusal; so
   * many milliseconds after its headers were read. On the hot path: it neither throws nor waits.
   */
  readonly answered: (route: string, outcome: string, durationMs: number) => void
  /** In the format that the Accept header prefers. */
  readonly read: (
    caller: Caller,
    accept: string,
    load: RestLoad,
  ) => Promise<{ readonly type: string; readonly text: string }>
}

export interface RestOptions {
  /** IP address to listen on, and port; 0 takes a free one. */
  readonly host: string
  readonly port: number
  /** PEM. */
  readonly tls: { readonly key: string; readonly certificate: string }
  readonly version: string
  readonly development: boolean
  readonly record: RecordReader
  readonly readiness: () => Promise<Readiness>
  readonly metrics: RestMetrics
  readonly log: (entry: LogEntry) => void
}
