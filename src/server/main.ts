/**
 * The server: what exists, in the order in which it starts; it stops in reverse. Started as a process
 * (configuration.ts has its arguments), it prints one line of JSON on standard output when it is ready,
 * logs to standard error, and stops on SIGTERM or SIGINT. Exit codes are those of `./keyhold`.
 */

import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Terminal } from '../client/passphrase.ts'
import { HostError, type HostErrorCode, messageOf } from '../host/errors.ts'
import { type Host, openHost } from '../host/host.ts'
import { startByLauncher } from '../host/launched-module.ts'
import { clockSensor } from '../host/sensors/clock.ts'
import { readRanges } from '../host/sensors/configuration.ts'
import { hwmonSensor } from '../host/sensors/hwmon.ts'
import { tracerSensor } from '../host/sensors/processes.ts'
import { recordSensor } from '../host/sensors/record.ts'
import { sourceSensor } from '../host/sensors/source.ts'
import { TamperWatch } from '../host/sensors/watch.ts'
import { hostClaim } from '../host/start-up.ts'
import { Witnesses } from '../host/witnesses/witnesses.ts'
import { bootstrap } from '../kms/access/bootstrap.ts'
import { roles } from '../kms/access/permissions.ts'
import { startJobs } from '../kms/jobs/jobs.ts'
import type { Kms } from '../kms/kms.ts'
import { openKms } from '../kms/open.ts'
import { releaseKeys } from '../launcher/release-keys.ts'
import { listenRest, type RestListener } from '../protocols/rest/listen.ts'
import type { Readiness } from '../protocols/rest/options.ts'
import { findSetting } from '../storage/settings.ts'
import { writeClientFile } from './client-file.ts'
import {
  type Configuration,
  ConfigurationError,
  parseConfiguration,
  usage,
} from './configuration.ts'
import { lockedRoom } from './locked.ts'
import { createLog, type Log } from './log.ts'
import { Meters } from './metrics/meters.ts'
import { Metrics } from './metrics/metrics.ts'
import { sealSecret } from './seal-secret.ts'
import { readSinks } from './sinks/configuration.ts'
import { type Sinks, startSinks } from './sinks/sinks.ts'
import { tamperedRoom } from './tampered.ts'
import { type ServerCertificate, serverCertificate } from './tls.ts'
import { wait } from './waiting-room.ts'

/** How long everything together may take to stop. */
const stopMs = 20_000
const renewalCheckMs = 12 * 60 * 60 * 1_000

const exitCodes = { refused: 1, usage: 2, unavailable: 69, bug: 70, accessDenied: 77 }

async function serve(configuration: Configuration, log: Log): Promise<void> {
  const { folder, development, launched, tpm } = configuration
  const stop = stopAsked(log)
  if (development) warnOfDevelopment(log)
  const sinkSettings = configuration.sinks === undefined ? [] : await readSinks(configuration.sinks)
  using meters = new Meters()
  const secret = sealSecret(configuration, terminal())
  await using host = await openHost({
    folder,
    development,
    sealKind: secret.kind,
    secret: secret.read,
    ...(secret.renew === undefined ? {} : { newSecret: secret.renew }),
    foundIfEmpty: configuration.found,
    startModule: configuration.launched ? startByLauncher() : undefined,
    unlaunchedLevelMax: 2,
    // Of a launched server, whose user has to be let to it, only when it is named.
    counter: launched && tpm === undefined ? undefined : { tcti: tpm },
    witnesses: configuration.witnesses,
    freshnessWitness: configuration.freshnessWitness,
    release,
    meter: meters.host,
    log,
  })
  await using witnesses = await Witnesses.open({
    ...{ folder: path.join(folder, 'witnesses'), places: configuration.witnesses },
    ...{ log: host.log, now: Date.now },
  })
  host.log.cosigned = () => witnesses.checkpoint()
  const watch = { host, witnesses, log }
  await using _watch = development ? undefined : await watchHost(configuration, watch)
  await using sinks = await startSinks(sinkSettings, {
    folder,
    source: {
      size: () => host.status().recordSize,
      readLeaves: (from, limit) => host.record.readLeaves(from, limit),
    },
    log,
  })
  const stopped = stop.then(() => 'stopped' as const)
  for (;;) {
    const state = await moduleState(host)
    if (state !== 'operational') {
      const room = state === 'locked' ? lockedRoom(host) : await tamperedRoom(host, folder)
      if ((await wait(room, configuration, { stop, log })) === 'stopped') return
      continue
    }
    const lockedAgain = host.whenLocked().then(() => 'locked' as const)
    const until = Promise.race([stopped, lockedAgain])
    const around = { until, meters, sinks, witnesses, log }
    const end = await operate(host, configuration, around)
    if (end === 'stopped') return
    log({ level: 'warn', message: 'the module is locked again' })
  }
}

/** @throws HostError when there is no module to ask, as after it was zeroised */
async function moduleState(host: Host): Promise<'locked' | 'tampered' | 'operational'> {
  if (host.status().state === 'locked') return 'locked'
  const { result } = await host.run(hostClaim, { command: 'getStatus', arguments: {}, parts: {} })
  return result.state === 'tampered' ? 'tampered' : 'operational'
}

interface Surroundings<T> extends Omit<Watched, 'host'> {
  readonly until: Promise<T>
  readonly meters: Meters
  readonly sinks: Sinks
}

/** Everything in front of an operational module. */
async function operate<T>(
  host: Host,
  configuration: Configuration,
  { until, meters, sinks, witnesses, log }: Surroundings<T>,
): Promise<T> {
  const { folder, address, port, development } = configuration
  const version = packageVersion()
  await using kms = await openKms({ folder, host, now: Date.now, log })
  await using _jobs = startJobs(kms)
  const first = await bootstrap(kms, {
    name: 'administrator',
    roles: development ? roles : ['administrator'],
  })
  const tls = await serverCertificate(folder, kms, address)
  const metrics = new Metrics({ folder, host, kms, meters, sinks, version, tls })
  await using rest = await listenRest(
    {
      host: address,
      port,
      tls,
      version,
      development,
      record: {
        head: (claim) => host.log.signHead(claim),
        heads: (from, limit) => host.record.readHeads(from, limit),
        leaves: (from, limit) => host.record.readLeaves(from, limit),
        search: (query) => host.record.search(query),
        sinks: () => sinks.status(),
      },
      logs: { module: host.log },
      readiness: () => readiness(host, kms),
      metrics,
      witnesses: () => witnesses.status(),
      log,
    },
    kms,
  )
  using _renewal = renewCertificate(configuration, kms, tls, { rest, metrics, log })
  await announce(configuration, rest, tls, first?.token.token, log)
  return await until
}

interface Watched {
  readonly host: Host
  readonly witnesses: Witnesses
  readonly log: Log
}

/** Signs of tampering go to the module. A development domain is not watched: people debug it. */
async function watchHost(
  { sensors }: Configuration,
  { host, witnesses, log }: Watched,
): Promise<TamperWatch> {
  const ranges = sensors === undefined ? {} : await readRanges(sensors)
  const looked = [
    hwmonSensor({ ranges }),
    tracerSensor({ modulePid: () => host.pid }),
    clockSensor(),
    recordSensor(host.record),
    sourceSensor(release),
    witnesses.sensor(),
  ]
  return new TamperWatch(host, { sensors: looked, log })
}

/** On the disk for the command line, on standard output for whoever started the server. */
async function announce(
  { folder, address }: Configuration,
  rest: RestListener,
  { authority }: ServerCertificate,
  token: string | undefined,
  log: Log,
): Promise<void> {
  const reachable = reachableAt(address, rest)
  const place = { address: reachable, authority }
  if (!(await writeClientFile(folder, place, token))) {
    log({ level: 'warn', message: 'there is no client.json: the command line has no token' })
  }
  log({ level: 'info', message: 'ready', address: rest.address, data: folder, pid: process.pid })
  const ready = { ready: true, address: reachable, data: folder }
  process.stdout.write(`${JSON.stringify(ready)}\n`)
}

function reachableAt(address: string, rest: RestListener): string {
  const isEverywhere = address === '0.0.0.0' || address === '::'
  return isEverywhere ? `https://127.0.0.1:${rest.port}` : rest.address
}

/** One Ctrl-C comes more than once: from the terminal, and through npm and `keyhold serve`. */
const sameSignalMs = 1_000

/** Resolves at the first signal; a later one, or too long a stop, ends the process as it is. */
function stopAsked(log: Log): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let asked: number | undefined
  const onSignal = (signal: NodeJS.Signals) => {
    const now = performance.now()
    if (asked !== undefined && now - asked < sameSignalMs) return
    if (asked !== undefined) process.exit(exitCodes.refused)
    asked = now
    log({ level: 'info', message: 'stopping', signal })
    setTimeout(() => {
      log({ level: 'error', message: 'stopping took too long' })
      process.exit(exitCodes.refused)
    }, stopMs).unref()
    resolve()
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  return promise
}

function warnOfDevelopment(log: Log): void {
  for (const message of [
    'DEVELOPMENT MODE: the key that opens this domain lies beside its data.',
    'Keys in it are protected from nobody who can read the data folder. Never use it for real keys.',
    'It listens on the loopback interface alone, and stays a development domain for ever.',
  ]) {
    log({ level: 'warn', message })
  }
}

async function readiness(host: Host, kms: Kms): Promise<Readiness> {
  const { state } = host.status()
  const database = await findSetting(kms.db.query, 'readiness').then(
    () => true,
    () => false,
  )
  return { module: state === 'operational', database, disk: state !== 'storage-failed' }
}

function renewCertificate(
  { folder, address }: Configuration,
  kms: Kms,
  first: ServerCertificate,
  { rest, metrics, log }: { rest: RestListener; metrics: Metrics; log: Log },
): Disposable {
  let current = first
  const renew = async () => {
    const next = await serverCertificate(folder, kms, address)
    if (next.certificate === current.certificate) return
    if (next.authority !== current.authority) {
      const place = { address: reachableAt(address, rest), authority: next.authority }
      await writeClientFile(folder, place, undefined)
    }
    current = next
    rest.useCertificate(next)
    metrics.useCertificate(next)
    log({ level: 'info', message: 'the TLS certificate was renewed' })
  }
  const timer = setInterval(() => {
    renew().catch((error: unknown) =>
      log({ level: 'error', message: 'the TLS certificate could not be renewed', error }),
    )
  }, renewalCheckMs)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

function terminal(): Terminal | undefined {
  if (process.stdin.isTTY !== true) return undefined
  return { input: process.stdin, write: (text) => process.stderr.write(text) }
}

const programFolder = path.join(import.meta.dirname, '../..')
const release = { root: programFolder, keys: releaseKeys, node: process.execPath }

function packageVersion(): string {
  const file = path.join(programFolder, 'package.json')
  return String(JSON.parse(readFileSync(file, 'utf8')).version)
}

/** What to type, where there is something to type. */
const advice: Readonly<Partial<Record<HostErrorCode, string>>> = {
  FOLDER_EMPTY:
    'To found a domain in it, type: ./keyhold serve --found --seal passphrase\n' +
    'With custodians and officers (docs/ceremony.md): ./keyhold domain found\n' +
    'To try Keyhold out, type: ./keyhold serve --development',
  SEAL_MISSING: 'Custodians open it with their shares: start it with --locked',
}

const byCode: Readonly<Record<string, number>> = {
  FOLDER_UNSAFE: exitCodes.accessDenied,
  SEAL_INVALID: exitCodes.accessDenied,
  FOLDER_LOCKED: exitCodes.unavailable,
  FILE_UNSAFE: exitCodes.accessDenied,
  LAUNCHER_MISSING: exitCodes.unavailable,
  LAUNCHER_REFUSED: exitCodes.accessDenied,
  MANIFEST_INVALID: exitCodes.accessDenied,
  MANIFEST_SIGNATURE_INVALID: exitCodes.accessDenied,
  NODE_CHANGED: exitCodes.accessDenied,
  SOURCE_CHANGED: exitCodes.accessDenied,
  TPM_AUTH_REFUSED: exitCodes.accessDenied,
  TPM_FOREIGN: exitCodes.accessDenied,
  TPM_POLICY_REFUSED: exitCodes.accessDenied,
  TPM_UNAVAILABLE: exitCodes.unavailable,
  MODULE_ENDED: exitCodes.unavailable,
  MODULE_UNAVAILABLE: exitCodes.unavailable,
  STORAGE_FAILED: exitCodes.unavailable,
  EADDRINUSE: exitCodes.unavailable,
  EACCES: exitCodes.accessDenied,
}

/** Why the server does not start, for people; the exit code for programs. */
function explain(error: unknown, log: Log): number {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const next = error instanceof HostError ? advice[error.code] : undefined
  log({ level: 'error', message: messageOf(error), ...(code === '' ? {} : { code }) })
  if (error instanceof ConfigurationError) {
    process.stderr.write(`${usage}\n`)
    return exitCodes.usage
  }
  if (next !== undefined) process.stderr.write(`${next}\n`)
  return byCode[code] ?? exitCodes.refused
}

const log = createLog({
  write: (line) => process.stderr.write(line),
  now: () => new Date(),
  pretty: process.stderr.isTTY === true,
})
process.on('uncaughtException', (error) => {
  log({ level: 'error', message: 'a bug ended the server', error })
  process.exit(exitCodes.bug)
})
// Whoever started the server may be gone; that is no reason to end.
process.stdout.on('error', () => undefined)
process.stderr.on('error', () => undefined)
try {
  await serve(parseConfiguration(process.argv.slice(2), process.env), log)
} catch (error) {
  process.exitCode = explain(error, log)
}
// What is left now is a handle that somebody forgot: it must not keep the process.
process.exit()
