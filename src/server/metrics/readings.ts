/**
 * What is read when Prometheus asks: each function puts one subject on the page. Units are seconds and
 * bytes; no name of a key, namespace or identity is a label, and no label takes a value from outside.
 */

import { X509Certificate } from 'node:crypto'
import type { HostMeasures, HostState, HostStatus } from '../../host/options.ts'
import { type ModuleStatus, moduleStates } from '../../hsm/contract/commands.ts'
import type { EntropyStatus } from '../../hsm/contract/entropy.ts'
import {
  floorEntriesMax,
  leavesUnstoredMax,
  loadedKeysMax,
  requestsInFlightMax,
} from '../../hsm/contract/limits.ts'
import type { RestLoad } from '../../protocols/rest/options.ts'
import { eventLoopResolutionMs, type Meters } from './meters.ts'
import type { Page, Sample } from './page.ts'

const one = (value: number): Sample[] => [{ value }]
const seconds = (milliseconds: number): Sample[] => one(milliseconds / 1_000)
/** Of what has not happened yet nothing is said. */
const timestamp = (milliseconds: number): Sample[] =>
  milliseconds === 0 ? [] : seconds(milliseconds)

/** 1 for the one that it is, 0 for the others. */
function states(all: readonly string[], current: string): Sample[] {
  return all.map((state) => ({ labels: { state }, value: state === current ? 1 : 0 }))
}

const hostStates = {
  starting: true,
  locked: true,
  operational: true,
  restarting: true,
  'storage-failed': true,
  unavailable: true,
  closed: true,
} as const satisfies Record<HostState, true>

export function readMeters(page: Page, meters: Meters): void {
  const { protocols, commands, frameCommands, frameSeconds, diskSeconds } = meters
  for (const [protocol, { outcomes, seconds: table }] of Object.entries(protocols)) {
    const labelsOf = (operation: string) => ({ protocol, operation })
    page.counter(
      'keyhold_requests_total',
      'Requests that were answered; the outcome is ok or the code of the refusal.',
      outcomes.read().map(({ row, column, count }) => ({
        labels: { ...labelsOf(row), outcome: column },
        value: count,
      })),
    )
    page.histogram(
      'keyhold_request_duration_seconds',
      'From the headers of a request to its answer.',
      { table, labelsOf },
    )
  }
  page.counter(
    'keyhold_module_commands_total',
    'Commands that the module was asked, by what it said.',
    commands.read().map(({ row, column, count }) => ({
      labels: { command: row, outcome: column },
      value: count,
    })),
  )
  const plain = (table: Meters['diskSeconds']) => ({ table, labelsOf: () => ({}) })
  page.histogram(
    'keyhold_module_frame_commands',
    'Commands in one frame to the module.',
    plain(frameCommands),
  )
  page.histogram(
    'keyhold_module_frame_duration_seconds',
    'From a frame to the module to its answer, before it is durable.',
    plain(frameSeconds),
  )
  page.histogram(
    'keyhold_record_write_duration_seconds',
    'One write of record or sealed state to the disk, the sync with it.',
    plain(diskSeconds),
  )
}

export function readHost(page: Page, status: HostStatus, measures: HostMeasures): void {
  page.gauge(
    'keyhold_host_state',
    'State of the host of the module.',
    states(Object.keys(hostStates), status.state),
  )
  page.counter(
    'keyhold_module_starts_total',
    'Starts of the module to operational.',
    one(status.generation),
  )
  page.gauge(
    'keyhold_development',
    'Whether the domain is for development.',
    one(Number(status.development)),
  )
  page.gauge(
    'keyhold_module_queue_length',
    'Frames that the module has not answered.',
    one(measures.queued),
  )
  page.gauge(
    'keyhold_module_queue_limit',
    'Frames that may wait for the module.',
    one(requestsInFlightMax),
  )
  page.gauge(
    'keyhold_module_queue_oldest_seconds',
    'How long the oldest frame has waited; 0 without one.',
    seconds(measures.oldestMs),
  )
  page.counter(
    'keyhold_record_leaves_total',
    'Leaves of the record that are durable, since the founding.',
    one(status.recordSize),
  )
  page.gauge(
    'keyhold_record_unstored_leaves',
    'Leaves that are not durable yet.',
    one(measures.leavesUnstored),
  )
  page.gauge(
    'keyhold_record_unstored_leaves_limit',
    'Beyond it the module refuses to work.',
    one(leavesUnstoredMax),
  )
  page.gauge(
    'keyhold_record_durable_timestamp_seconds',
    'When leaves became durable last.',
    timestamp(measures.durableAt),
  )
  page.gauge(
    'keyhold_record_unsigned_leaves',
    'Leaves behind the last signed head.',
    one(measures.leavesUnsigned),
  )
  page.gauge(
    'keyhold_record_head_timestamp_seconds',
    'When the last head was signed.',
    timestamp(measures.headAt),
  )
  page.gauge('keyhold_record_bytes', 'Leaves of the record on the disk.', one(measures.recordBytes))
  page.gauge(
    'keyhold_sealed_state_bytes',
    'Snapshot and changes of the sealed state on the disk.',
    one(measures.sealedStateBytes),
  )
}

export function readModule(page: Page, status: ModuleStatus): void {
  page.gauge(
    'keyhold_module_state',
    'State of the module, as it says itself.',
    states(moduleStates, status.state),
  )
  page.gauge('keyhold_module_security_level', 'Security level of the domain.', one(status.level))
  page.gauge(
    'keyhold_module_resident_memory_bytes',
    'Resident memory of the module.',
    one(status.residentBytes),
  )
  page.counter(
    'keyhold_module_cpu_seconds_total',
    'Processor time of the module since its start.',
    one(status.cpuMicros / 1e6),
  )
  page.gauge('keyhold_module_loaded_keys', 'Keys that are loaded.', one(status.loadedKeys))
  page.gauge(
    'keyhold_module_loaded_keys_limit',
    'Keys that can be loaded at once.',
    one(loadedKeysMax),
  )
  page.gauge(
    'keyhold_module_floor_entries',
    'Entries of the destruction floor.',
    one(status.floorEntries),
  )
  page.gauge(
    'keyhold_module_floor_entries_limit',
    'Entries that it can have.',
    one(floorEntriesMax),
  )
  const { passed, failed, pending } = status.selfTests
  page.gauge(
    'keyhold_module_self_tests',
    'Known answers since the start of the module, by how they went.',
    Object.entries({ passed, failed, pending }).map(([result, value]) => ({
      labels: { result },
      value,
    })),
  )
}

export function readEntropy(page: Page, { generator, sources }: EntropyStatus): void {
  const all = (value: (source: EntropyStatus['sources'][number]) => number): Sample[] =>
    sources.map((source) => ({ labels: { source: source.name }, value: value(source) }))
  const name = (rest: string) => `keyhold_entropy_source_${rest}`
  page.gauge(
    name('state'),
    'State of a noise source under its health tests.',
    sources.flatMap((source) =>
      states(['untested', 'healthy', 'failed'], source.state).map(({ labels, value }) => ({
        labels: { source: source.name, ...labels },
        value,
      })),
    ),
  )
  page.counter(
    name('failures_total'),
    'Health tests that failed.',
    all(({ failures }) => failures),
  )
  page.counter(
    name('samples_total'),
    'Raw samples that were read.',
    all(({ samples }) => samples),
  )
  page.gauge(
    name('longest_run'),
    'Longest run of one value (repetition count test).',
    all(({ longestRun }) => longestRun),
  )
  page.gauge(
    name('repetition_cutoff'),
    'A run as long as this fails.',
    all(({ repetitionCutoff }) => repetitionCutoff),
  )
  page.gauge(
    name('highest_proportion'),
    'Most of one value in a window (adaptive proportion test).',
    all(({ highestProportion }) => highestProportion),
  )
  page.gauge(
    name('proportion_cutoff'),
    'As many of one value in a window fail.',
    all(({ proportionCutoff }) => proportionCutoff),
  )
  page.counter(
    'keyhold_entropy_generator_seedings_total',
    'Seedings of the generator.',
    one(generator.seedings),
  )
  page.gauge(
    'keyhold_entropy_generator_seed_age_seconds',
    'Age of its seed.',
    seconds(generator.seedAgeMs),
  )
}

export interface Storage {
  readonly databaseBytes: number
  readonly freeBytes: number
  readonly sizeBytes: number
  readonly intents: number
  readonly destructionsDue: number
}

export function readStorage(page: Page, storage: Storage): void {
  page.gauge(
    'keyhold_database_bytes',
    'Database on the disk, its log with it.',
    one(storage.databaseBytes),
  )
  page.gauge(
    'keyhold_data_free_bytes',
    'Space that is left where the data folder is.',
    one(storage.freeBytes),
  )
  page.gauge(
    'keyhold_data_size_bytes',
    'Size of the file system of the data folder.',
    one(storage.sizeBytes),
  )
  page.gauge(
    'keyhold_jobs_waiting',
    'Work that jobs have to do: changes that were left half-done, destructions that are due.',
    [
      { labels: { kind: 'intents' }, value: storage.intents },
      { labels: { kind: 'destructions' }, value: storage.destructionsDue },
    ],
  )
}

export interface ServerFacts {
  readonly version: string
  /** PEM. */
  readonly certificates: Readonly<Record<'server' | 'authority', string>>
}

export function readServer(
  page: Page,
  { version, certificates }: ServerFacts,
  load: RestLoad,
): void {
  page.gauge('keyhold_build_info', 'Version of the program and of Node.', [
    { labels: { version, node: process.version }, value: 1 },
  ])
  page.gauge('keyhold_time_seconds', "The server's clock.", seconds(Date.now()))
  page.gauge('keyhold_connections', 'Connections that are open.', one(load.connections))
  page.gauge('keyhold_connections_limit', 'Connections that may be open.', one(load.connectionsMax))
  page.gauge(
    'keyhold_requests_in_flight',
    'Requests that are let in and not done.',
    one(load.requestsInFlight),
  )
  page.gauge(
    'keyhold_certificate_expiry_timestamp_seconds',
    'When the TLS certificate, and that of its authority, expire.',
    Object.entries(certificates).map(([certificate, pem]) => ({
      labels: { certificate },
      value: new X509Certificate(pem).validToDate.getTime() / 1_000,
    })),
  )
}

/** Of the server's own process, under the names that every client library of Prometheus gives them. */
export function readProcess(page: Page, { eventLoopDelay }: Meters): void {
  const { user, system } = process.cpuUsage()
  page.counter(
    'process_cpu_seconds_total',
    'Processor time of the server.',
    one((user + system) / 1e6),
  )
  page.gauge(
    'process_resident_memory_bytes',
    'Resident memory of the server.',
    one(process.memoryUsage.rss()),
  )
  page.gauge(
    'process_start_time_seconds',
    'When the server was started.',
    seconds(performance.timeOrigin),
  )
  page.gauge(
    'nodejs_heap_size_used_bytes',
    'Heap of the server that is in use.',
    one(process.memoryUsage().heapUsed),
  )
  for (const [name, percentile] of [
    ['p50', 50],
    ['p99', 99],
    ['max', 100],
  ] as const) {
    const delayMs = eventLoopDelay.percentile(percentile) / 1e6 - eventLoopResolutionMs
    page.gauge(
      `nodejs_eventloop_lag_${name}_seconds`,
      'How late the event loop was, since this was asked for last.',
      seconds(Math.max(0, delayMs)),
    )
  }
  eventLoopDelay.reset()
}
