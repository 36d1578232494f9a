/** What the REST listener is told by whoever starts it, and what it needs that is not the manager's. */

import type { Claim } from '../../hsm/contract/commands.ts'
import type { Caller, LogEntry } from '../../kms/kms.ts'

interface LeafPage {
  readonly leaves: readonly Uint8Array[]
  readonly next?: number
}

/** The module's record, as its host keeps it. */
export interface RecordReader {
  /** The signed note of the record as it is now. */
  readonly head: (claim: Claim) => Promise<string>
  readonly heads: (
    from: number,
    limit: number,
  ) => Promise<{ readonly heads: readonly string[]; readonly next?: number }>
  readonly leaves: (from: number, limit: number) => Promise<LeafPage>
  /** Undefined while its index is being made. */
  readonly search: (query: RecordQuery) => Promise<LeafPage | undefined>
  readonly sinks: () => readonly SinkStatus[]
}

/** How far a sink is behind the record. */
export interface SinkStatus {
  readonly name: string
  readonly type: 'file' | 'syslog' | 'http'
  /** Sequence of the first entry that it does not have. */
  readonly next: number
  readonly lagEntries: number
  /** Age of that entry; 0 when there is none. */
  readonly lagSeconds: number
  /** Whether the lag is beyond what the configuration says. */
  readonly late: boolean
  /** Why the last try failed; empty when it did not. */
  readonly error: string
  /** Milliseconds since 1970; 0 for never. */
  readonly errorTime: number
  readonly sentTime: number
}

/** What leaves are looked for by: docs of the route searchRecord. Times are inclusive. */
export interface RecordQuery {
  readonly key?: string | undefined
  readonly identity?: string | undefined
  readonly command?: string | undefined
  readonly outcome?: string | undefined
  readonly requestId?: string | undefined
  readonly protocol?: string | undefined
  readonly sinceMicros?: number | undefined
  readonly untilMicros?: number | undefined
  readonly order: 'newest' | 'oldest'
  readonly from?: number | undefined
  readonly limit: number
}

/** A tiled transparency log (c2sp.org/tlog-tiles). */
export interface LogReader {
  /** The last signed head. */
  readonly checkpoint: (claim: Claim) => Promise<string>
  /** By "tile/…"; undefined when there is none yet. */
  readonly tile: (path: string) => Promise<Uint8Array | 'malformed' | undefined>
  /** An entry with its proof (c2sp.org/tlog-proof); undefined when there is no such entry. */
  readonly receipt: (claim: Claim, entry: number) => Promise<string | undefined>
}

/** An outside witness of the record, and how far it has cosigned it. */
export interface WitnessState {
  readonly name: string
  readonly url: string
  /** Leaves of the last head that it cosigned, and when, in milliseconds since 1970; 0 before the first. */
  readonly size: number
  readonly time: number
  /** Why the newest head is not cosigned, or what else is wrong. */
  readonly error?: { readonly code: string; readonly message: string }
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
  /** By name. */
  readonly logs: Readonly<Record<string, LogReader>>
  readonly readiness: () => Promise<Readiness>
  readonly metrics: RestMetrics
  readonly witnesses: () => readonly WitnessState[]
  readonly log: (entry: LogEntry) => void
}
