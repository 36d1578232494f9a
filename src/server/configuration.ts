/**
 * What the server is told, from its arguments and environment, and refused if anything is missing,
 * unknown, said twice or contradicts itself: it never guesses. A development domain listens on the
 * loopback interface and nowhere else (invariant 10).
 */

import { BlockList, isIP } from 'node:net'
import path from 'node:path'
import { parseArgs } from 'node:util'

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
}

export const addressDefault = '127.0.0.1'
export const portDefault = 8443
export const folderDefault = 'keyhold-data'

export const usage = `usage: serve [--data DIR] [--port N] [--address IP] --development
       serve [--data DIR] [--port N] [--address IP] [--found --seal passphrase] [--passphrase-file FILE]`

export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}

const options = {
  data: { type: 'string', multiple: true },
  port: { type: 'string', multiple: true },
  address: { type: 'string', multiple: true },
  development: { type: 'boolean' },
  found: { type: 'boolean' },
  seal: { type: 'string', multiple: true },
  'passphrase-file': { type: 'string', multiple: true },
} as const

/** @throws ConfigurationError */
export function parseConfiguration(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Configuration {
  const given = parseFlags(args)
  const once = (name: 'data' | 'port' | 'address' | 'seal' | 'passphrase-file') => {
    const [value, ...others] = given[name] ?? []
    if (others.length > 0) throw new ConfigurationError(`--${name} is there twice`)
    if (value === '') throw new ConfigurationError(`--${name} is empty`)
    return value
  }
  const { development = false, found = false } = given
  const seal = once('seal')
  const passphraseFile = once('passphrase-file')
  const address = once('address') ?? addressDefault
  if (isIP(address) === 0) throw new ConfigurationError(`--address ${address} is not an IP address`)
  if (development) {
    if (found || seal !== undefined || passphraseFile !== undefined) {
      throw new ConfigurationError(
        '--development founds its own domain: it takes no --found, --seal or --passphrase-file',
      )
    }
    if (!isLoopback(address)) {
      throw new ConfigurationError(
        `--development listens on the loopback interface alone, not on ${address}`,
      )
    }
  }
  if (seal !== undefined && seal !== 'passphrase') {
    throw new ConfigurationError('--seal: the only seal at present is passphrase')
  }
  if (found !== (seal !== undefined)) {
    throw new ConfigurationError('to found a domain, type: --found --seal passphrase')
  }
  return {
    folder: path.resolve(once('data') ?? (environment.KEYHOLD_DATA || folderDefault)),
    address,
    port: parsePort(once('port')),
    development,
    found: found || development,
    passphraseFile: passphraseFile === undefined ? undefined : path.resolve(passphraseFile),
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
