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
import type { RestLoad, SinkStatus } from '../../protocols/rest/options.ts'
import { eventLoopResolutionMs, type Meters } from './meters.ts'
import type { Page, Sample } from './page.ts'
import type { HistogramTable } from './tables.ts'

/** 1 for the one that it is, 0 for the others. */
function states(all: readonly string[], current: string): Sample[] {
  return all.map((state) => ({ labels: { state }, value: state === current ? 1 : 0 }))
}

const hostStates = Object.keys({
  starting: true,
  locked: true,
  operational: true,
  restarting: true,
  'storage-failed': true,
  unavailable: true,
  closed: true,
} satisfies Record<HostState, true>)

/** Of what has not happened yet nothing is said. */
function sinceEpoch(milliseconds: number): number | undefined {
  return milliseconds === 0 ? undefined : milliseconds / 1_000
}

export function readMeters(page: Page, meters: Meters): void {
  const { commands, frameCommands, frameSeconds, diskSeconds } = meters
  const protocols = Object.entries(meters.protocols)
  page.counter(
    'keyhold_requests_total',
    'Requests that were answered; the outcome is ok or the code of the refusal.',
    protocols.flatMap(([protocol, { outcomes }]) =>
      outcomes.read(({ row, column }) => ({ protocol, operation: row, outcome: column })),
    ),
  )
  page.histogram(
    'keyhold_request_duration_seconds',
    'From the headers of a request to its answer.',
    protocols.map(([protocol, { seconds: table }]) => ({
      table,
      labelsOf: (operation) => ({ protocol, operation }),
    })),
  )
  page.counter(
    'keyhold_module_commands_total',
    'Commands that the module was asked, by what it said.',
    commands.read(({ row, column }) => ({ command: row, outcome: column })),
  )
  const plain = (table: HistogramTable) => [{ table, labelsOf: () => ({}) }]
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
  page.gauge('keyhold_host_state', 'State of the host.', states(hostStates, status.state))
  page.counters({
    keyhold_module_starts_total: ['Starts of the module to operational.', status.generation],
    keyhold_record_leaves_total: ['Durable leaves since the founding.', status.recordSize],
  })
  const { leavesUnstored, leavesUnsigned, queued, oldestMs, durableAt, headAt } = measures
  page.gauges({
    keyhold_development: ['1 if the domain is for development.', Number(status.development)],
    keyhold_module_queue_length: ['Frames that the module has not answered.', queued],
    keyhold_module_queue_limit: ['Frames that may wait for it.', requestsInFlightMax],
    keyhold_module_queue_oldest_seconds: ['How long the oldest has waited.', oldestMs / 1_000],
    keyhold_record_unstored_leaves: ['Leaves that are not durable.', leavesUnstored],
    keyhold_record_unstored_leaves_limit: ['The module refuses to work beyond.', leavesUnstoredMax],
    keyhold_record_unsigned_leaves: ['Leaves behind the last signed head.', leavesUnsigned],
    keyhold_record_durable_timestamp_seconds: [
      'When leaves became durable.',
      sinceEpoch(durableAt),
    ],
    keyhold_record_head_timestamp_seconds: ['When the last head arrived.', sinceEpoch(headAt)],
    keyhold_record_bytes: ['Leaves of the record on the disk.', measures.recordBytes],
    keyhold_sealed_state_bytes: ['Sealed state on the disk.', measures.sealedStateBytes],
  })
}

export function readSinks(page: Page, sinks: readonly SinkStatus[]): void {
  const all = (read: (sink: SinkStatus) => number): Sample[] =>
    sinks.map((sink) => ({ labels: { sink: sink.name, type: sink.type }, value: read(sink) }))
  const name = 'keyhold_record_sink'
  page.gauge(
    `${name}_lag_entries`,
    'Entries that it does not have.',
    all((s) => s.lagEntries),
  )
  page.gauge(
    `${name}_lag_seconds`,
    'Age of the oldest of them.',
    all((s) => s.lagSeconds),
  )
  page.gauge(
    `${name}_late`,
    '1 if that is beyond its bounds.',
    all((s) => Number(s.late)),
  )
  page.gauge(
    `${name}_failing`,
    '1 if the last try failed.',
    all((s) => Number(s.error !== '')),
  )
}

export function readModule(page: Page, status: ModuleStatus): void {
  page.gauge('keyhold_module_state', 'State of the module.', states(moduleStates, status.state))
  page.counters({
    keyhold_module_cpu_seconds_total: [
      'Its processor time since its start.',
      status.cpuMicros / 1e6,
    ],
  })
  page.gauges({
    keyhold_module_security_level: ['Security level of the domain.', status.level],
    keyhold_module_resident_memory_bytes: ['Resident memory of the module.', status.residentBytes],
    keyhold_module_loaded_keys: ['Keys that are loaded.', status.loadedKeys],
    keyhold_module_loaded_keys_limit: ['Keys that can be loaded at once.', loadedKeysMax],
    keyhold_module_floor_entries: ['Entries of the destruction floor.', status.floorEntries],
    keyhold_module_floor_entries_limit: ['Entries that it can have.', floorEntriesMax],
  })
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

type Source = EntropyStatus['sources'][number]

export function readEntropy(page: Page, { generator, sources }: EntropyStatus): void {
  page.gauge(
    'keyhold_entropy_source_state',
    'State of a noise source under its health tests.',
    sources.flatMap(({ name: source, state }) =>
      states(['untested', 'healthy', 'failed'], state).map(({ labels, value }) => ({
        labels: { source, ...labels },
        value,
      })),
    ),
  )
  const rows: readonly (readonly ['counter' | 'gauge', string, string, (of: Source) => number])[] =
    [
      ['counter', 'failures_total', 'Health tests that failed.', (of) => of.failures],
      ['counter', 'samples_total', 'Raw samples that were read.', (of) => of.samples],
      ['gauge', 'longest_run', 'Longest run of one value.', (of) => of.longestRun],
      ['gauge', 'repetition_cutoff', 'A run as long as this fails.', (of) => of.repetitionCutoff],
      [
        'gauge',
        'highest_proportion',
        'Most of one value in a window.',
        (of) => of.highestProportion,
      ],
      ['gauge', 'proportion_cutoff', 'As many in a window fail.', (of) => of.proportionCutoff],
    ]
  for (const [type, name, help, read] of rows) {
    const samples = sources.map((of) => ({ labels: { source: of.name }, value: read(of) }))
    page[type](`keyhold_entropy_source_${name}`, help, samples)
  }
  page.counters({
    keyhold_entropy_generator_seedings_total: ['Seedings of the generator.', generator.seedings],
  })
  page.gauges({
    keyhold_entropy_generator_seed_age_seconds: ['Age of its seed.', generator.seedAgeMs / 1_000],
  })
}

export interface Storage {
  readonly databaseBytes: number
  readonly freeBytes: number
  readonly sizeBytes: number
  readonly intents: number
  readonly destructions: number
}

export function readStorage(page: Page, storage: Storage): void {
  const { databaseBytes, freeBytes, sizeBytes, intents, destructions } = storage
  page.gauges({
    keyhold_database_bytes: ['Database on the disk, its log with it.', databaseBytes],
    keyhold_data_free_bytes: ['What is left where the data folder is.', freeBytes],
    keyhold_data_size_bytes: ['Size of the file system of the data folder.', sizeBytes],
  })
  page.gauge(
    'keyhold_jobs_waiting',
    'Changes that were left half-done, and destructions that are due.',
    Object.entries({ intents, destructions }).map(([kind, value]) => ({ labels: { kind }, value })),
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
  page.gauges({
    keyhold_time_seconds: ["The server's clock.", Date.now() / 1_000],
    keyhold_connections: ['Connections that are open.', load.connections],
    keyhold_connections_limit: ['Connections that may be open.', load.connectionsMax],
    keyhold_requests_in_flight: ['Requests that are let in and not done.', load.requestsInFlight],
  })
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
  const { rss, heapUsed } = process.memoryUsage()
  const lateness = (percentile: number) => {
    const delayMs = eventLoopDelay.percentile(percentile) / 1e6
    return Math.max(0, delayMs - eventLoopResolutionMs) / 1_000
  }
  page.counters({
    process_cpu_seconds_total: ['Processor time of the server.', (user + system) / 1e6],
  })
  page.gauges({
    process_resident_memory_bytes: ['Resident memory of the server.', rss],
    process_start_time_seconds: ['When the server was started.', performance.timeOrigin / 1_000],
    nodejs_heap_size_used_bytes: ['Heap of the server that is in use.', heapUsed],
    nodejs_eventloop_lag_p50_seconds: ['How late the event loop is, median.', lateness(50)],
    nodejs_eventloop_lag_p99_seconds: ['How late it is, 99th percentile.', lateness(99)],
    nodejs_eventloop_lag_max_seconds: ['How late it is at most.', lateness(100)],
  })
  eventLoopDelay.reset()
}
