/**
 * What the server is told, from its arguments and environment, and refused if anything is missing,
 * unknown, said twice or contradicts itself: it never guesses. A development domain listens on the
 * loopback interface and nowhere else (invariant 10).
 */

import { BlockList, isIP } from 'node:net'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { policyDefault } from '../host/tpm/seal.ts'
import { parseWitnessPlace, type WitnessPlace } from '../host/witnesses/client.ts'

export interface Configuration {
  /** Absolute. */
  readonly folder: string
  /** IP address. */
  readonly address: string
  /** 0 takes a free one. */
  readonly port: number
  readonly development: boolean
  /** Whether to found a domain if the folder has none. */
  readonly found: boolean
  /** Where the passphrase is read at each start of the module; asked for on the terminal without. */
  readonly passphraseFile: string | undefined
  /** How the module gets its root key at each start, if it is not development or the launcher's matter. */
  readonly seal: 'passphrase' | 'tpm'
  /** How tpm2-tools reach the TPM, for seal and counter; their default without. */
  readonly tpm: string | undefined
  /** What a new TPM seal is bound to. */
  readonly pcrs: string
  /** Ranges of the machine's sensors (host/sensors/configuration.ts); the drivers' own without. */
  readonly sensors: string | undefined
  /** Where entries of the record go beside the record (sinks/configuration.ts). */
  readonly sinks: string | undefined
  /** Outside witnesses of the record. */
  readonly witnesses: readonly WitnessPlace[]
  /** Of these the one that is to confirm each start; a domain that pins nothing yet pins it. */
  readonly freshnessWitness: WitnessPlace | undefined
  /** Whether the launcher is the parent of this process, starts the module and feeds the seal. */
  readonly launched: boolean
  /** Whether the module starts locked, for custodians to open. */
  readonly locked: boolean
}

export const addressDefault = '127.0.0.1'
export const portDefault = 8443
export const folderDefault = 'keyhold-data'

export const usage = `usage: serve [--data DIR] [--port N] [--address IP] --development
       serve [--data DIR] [--port N] [--address IP] [--found] [--seal passphrase] [--passphrase-file FILE]
       serve [--data DIR] [--port N] [--address IP] [--found] --seal tpm [--tpm TCTI] [--pcrs BANK:LIST]
       serve [--data DIR] [--port N] [--address IP] [--found] --launched
       serve [--data DIR] [--port N] [--address IP] --locked
       and, but for development: [--sensors FILE]
       and with any of them: [--sinks FILE] [--witness VKEY=URL]… [--freshness-witness VKEY=URL]`

export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}

const options = {
  data: { type: 'string', multiple: true },
  port: { type: 'string', multiple: true },
  address: { type: 'string', multiple: true },
  development: { type: 'boolean' },
  found: { type: 'boolean' },
  locked: { type: 'boolean' },
  seal: { type: 'string', multiple: true },
  'passphrase-file': { type: 'string', multiple: true },
  tpm: { type: 'string', multiple: true },
  pcrs: { type: 'string', multiple: true },
  sensors: { type: 'string', multiple: true },
  sinks: { type: 'string', multiple: true },
  witness: { type: 'string', multiple: true },
  'freshness-witness': { type: 'string', multiple: true },
  launched: { type: 'boolean' },
} as const

type ValueName =
  | 'data'
  | 'port'
  | 'address'
  | 'seal'
  | 'passphrase-file'
  | 'tpm'
  | 'pcrs'
  | 'sensors'
  | 'sinks'
  | 'freshness-witness'

/** @throws ConfigurationError */
export function parseConfiguration(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Configuration {
  const given = parseFlags(args)
  const once = (name: ValueName) => {
    const [value, ...others] = given[name] ?? []
    if (others.length > 0) throw new ConfigurationError(`--${name} is there twice`)
    if (value === '') throw new ConfigurationError(`--${name} is empty`)
    return value
  }
  const { development = false, found = false, locked = false, launched = false } = given
  const seal = once('seal')
  const passphraseFile = once('passphrase-file')
  const address = once('address') ?? addressDefault
  if (isIP(address) === 0) throw new ConfigurationError(`--address ${address} is not an IP address`)
  if (locked && (found || launched || (seal ?? passphraseFile) !== undefined)) {
    throw new ConfigurationError(
      '--locked waits for custodians: it takes nothing that opens the domain',
    )
  }
  const [tpm, pcrs] = [once('tpm'), once('pcrs')]
  const [sensors, sinks] = [once('sensors'), once('sinks')]
  if (development)
    assertDevelopment(address, [found, locked, launched, seal, passphraseFile, sensors, tpm])
  if (seal !== undefined && seal !== 'passphrase' && seal !== 'tpm') {
    throw new ConfigurationError('--seal is passphrase or tpm')
  }
  if (launched && (seal ?? passphraseFile) !== undefined) {
    throw new ConfigurationError('--launched takes no --seal: the launcher feeds it')
  }
  if (found && seal === undefined && !launched) {
    throw new ConfigurationError('to found a domain, type: --found --seal passphrase (or tpm)')
  }
  if (seal === 'tpm' ? passphraseFile !== undefined : pcrs !== undefined) {
    throw new ConfigurationError('--pcrs goes with --seal tpm, --passphrase-file does not')
  }
  const freshnessWitness = parseWitness(once('freshness-witness'))
  const witnesses = parseWitnesses([
    ...(given.witness ?? []),
    ...(given['freshness-witness'] ?? []),
  ])
  return {
    folder: path.resolve(once('data') ?? (environment.KEYHOLD_DATA || folderDefault)),
    address,
    port: parsePort(once('port')),
    development,
    found: found || development,
    passphraseFile: passphraseFile === undefined ? undefined : path.resolve(passphraseFile),
    seal: seal ?? 'passphrase',
    tpm,
    pcrs: pcrs ?? policyDefault.pcrs,
    sensors: sensors === undefined ? undefined : path.resolve(sensors),
    sinks: sinks === undefined ? undefined : path.resolve(sinks),
    witnesses,
    freshnessWitness,
    locked,
    launched,
  }
}

function assertDevelopment(address: string, others: readonly unknown[]): void {
  if (others.some(Boolean)) {
    throw new ConfigurationError(
      '--development founds its own domain and is not watched: it takes no --found, --locked, --seal, --launched, ' +
        '--passphrase-file or --sensors',
    )
  }
  if (!isLoopback(address)) {
    throw new ConfigurationError(
      `--development listens on the loopback interface alone, not on ${address}`,
    )
  }
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values
  } catch (cause) {
    const message = cause instanceof Error ? (cause.message.split('. ')[0] ?? '') : String(cause)
    throw new ConfigurationError(message, { cause })
  }
}

const witnessesMax = 16

function parseWitnesses(texts: readonly string[]): readonly WitnessPlace[] {
  if (texts.length > witnessesMax) throw new ConfigurationError('16 witnesses at most')
  return [...new Set(texts)].map(parseWitness).filter((place) => place !== undefined)
}

function parseWitness(text: string | undefined): WitnessPlace | undefined {
  const place = text === undefined ? undefined : parseWitnessPlace(text)
  if (text === undefined || place) return place
  throw new ConfigurationError(
    'a witness is VKEY=URL, its key one of cosignatures, its URL https, or http on this machine',
  )
}

function parsePort(text: string | undefined): number {
  if (text === undefined) return portDefault
  const port = /^(?:0|[1-9][0-9]{0,4})$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65_535)) throw new ConfigurationError(`--port ${text} is not 0 to 65535`)
  return port
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

export function isLoopback(address: string): boolean {
  return loopback.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}
