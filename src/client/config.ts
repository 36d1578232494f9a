/**
 * Where the server is and how it is known: `client.json` in the data folder, written by the server at
 * its first start. It holds an administrator's token, so a file that others can read is refused, as
 * ssh refuses such a key.
 */

import { type FileHandle, open } from 'node:fs/promises'
import path from 'node:path'
import { clientError, systemCode } from './errors.ts'

export interface ServerPlace {
  /** "https://host:port", nothing behind it. */
  readonly address: string
  /** PEM of the one authority that the server's certificate may come from. */
  readonly authority: string
}

export interface ClientConfig extends ServerPlace {
  readonly token: string
}

export const configFileName = 'client.json'
const configBytesMax = 64 * 1024
const addressPattern = /^https:\/\/[^/?#@]+$/
const authorityPattern = /^-----BEGIN CERTIFICATE-----\n[\s\S]+-----END CERTIFICATE-----\n?$/
const tokenPattern = /^[\x21-\x7e]{1,256}$/

/** What was asked for, else KEYHOLD_DATA, else ./keyhold-data; absolute. */
export function dataFolder(asked?: string): string {
  return path.resolve(asked ?? (process.env.KEYHOLD_DATA || 'keyhold-data'))
}

/** @throws ClientError CONFIGURATION_MISSING, CONFIGURATION_INVALID */
export async function readConfig(folder: string): Promise<ClientConfig> {
  const file = path.join(folder, configFileName)
  let handle: FileHandle
  try {
    handle = await open(file, 'r')
  } catch (cause) {
    const missing = systemCode(cause) === 'ENOENT'
    throw missing
      ? clientError('CONFIGURATION_MISSING', `there is no ${file}`, { cause })
      : clientError('CONFIGURATION_INVALID', `${file} cannot be read`, { cause })
  }
  await using _ = handle
  const status = await handle.stat()
  if (!status.isFile() || status.size > configBytesMax) {
    throw clientError('CONFIGURATION_INVALID', `${file} is not a configuration file`)
  }
  if ((status.mode & 0o077) !== 0) {
    throw clientError(
      'CONFIGURATION_INVALID',
      `${file} holds a token and others can read it; type: chmod 600 ${file}`,
    )
  }
  return parseConfig(await handle.readFile('utf8'), file)
}

/**
 * Where a locked server waits for custodians: `unlock.json`, which it writes into the data folder and which
 * holds no secret. @throws ClientError CONFIGURATION_MISSING, CONFIGURATION_INVALID
 */
export async function readUnlockPlace(folder: string, asked?: string): Promise<ServerPlace> {
  const file = asked ?? path.join(folder, 'unlock.json')
  let value: unknown
  try {
    await using handle = await open(file, 'r')
    value = JSON.parse(await handle.readFile('utf8'))
  } catch (cause) {
    const missing = systemCode(cause) === 'ENOENT'
    throw missing
      ? clientError('CONFIGURATION_MISSING', `there is no ${file}`, { cause })
      : clientError('CONFIGURATION_INVALID', `${file} cannot be read`, { cause })
  }
  const { address, authority } = isObject(value) ? value : {}
  if (matches(address, addressPattern) && matches(authority, authorityPattern)) {
    return { address, authority }
  }
  throw clientError('CONFIGURATION_INVALID', `${file} does not say where the server is`)
}

/** @throws ClientError CONFIGURATION_INVALID */
function parseConfig(text: string, file: string): ClientConfig {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw clientError('CONFIGURATION_INVALID', `${file} is not JSON`, { cause })
  }
  const { address, authority, token, ...rest } = isObject(value) ? value : {}
  const valid =
    matches(address, addressPattern) &&
    matches(authority, authorityPattern) &&
    matches(token, tokenPattern) &&
    Object.keys(rest).length === 0
  if (!valid) throw clientError('CONFIGURATION_INVALID', `${file} is not a client's configuration`)
  return { address, authority, token }
}

function matches(value: unknown, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
