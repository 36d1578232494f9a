/**
 * What the administrator tells the launcher, by its arguments and nothing else. It refuses what would
 * give away what it is for: one user for host and module, or root for either.
 */

import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import type { SealKind } from '../hsm/contract/domain-commands.ts'
import { LauncherError } from './errors.ts'
import type { User } from './module-command.ts'

export interface Configuration {
  /** Where the release is installed. */
  readonly root: string
  readonly node: string
  readonly moduleUser: User
  readonly hostUser: User
  /** "shares": nothing is fed, custodians open the domain. */
  readonly seal: SealKind | 'shares'
  /** The passphrase or key file, or the folder of what the TPM sealed; empty for shares. */
  readonly secretFile: string
  /** The host's program: the server, or a founding ceremony, which is led through standard input. */
  readonly program: 'server' | 'ceremony'
  /** How tpm2-tools reach the TPM; their default without. */
  readonly tpm: string | undefined
  /** For the server. */
  readonly hostArguments: readonly string[]
}

export const usage = `usage: main.ts --module-user USER --host-user USER --seal passphrase|key-file|tpm --secret FILE
         [--tpm TCTI] [--root DIR] -- [arguments of the server]
       main.ts --module-user USER --host-user USER --seal shares [--ceremony] [--root DIR] -- [arguments]
USER is a name of /etc/passwd, or two numbers: UID:GID`

/** @throws LauncherError CONFIGURATION_INVALID */
export function parseConfiguration(
  args: readonly string[],
  passwd: () => string = () => readFileSync('/etc/passwd', 'utf8'),
): Configuration {
  const { values, positionals } = parseFlags(args)
  const { root, seal, secret, ceremony = false } = values
  if (seal !== 'passphrase' && seal !== 'key-file' && seal !== 'tpm' && seal !== 'shares') {
    throw invalid('--seal is passphrase, key-file, tpm or shares')
  }
  if ((secret === undefined) !== (seal === 'shares')) {
    throw invalid('--secret FILE goes with every seal but shares')
  }
  if (ceremony && seal !== 'shares') throw invalid('a ceremony is fed nothing: --seal shares')
  const moduleUser = parseUser(values['module-user'], '--module-user', passwd)
  const hostUser = parseUser(values['host-user'], '--host-user', passwd)
  if (moduleUser.uid === hostUser.uid) {
    throw invalid('host and module run as two different users, or the host could read the module')
  }
  return {
    root: path.resolve(root ?? path.join(import.meta.dirname, '../..')),
    node: process.execPath,
    moduleUser,
    hostUser,
    seal,
    secretFile: secret === undefined ? '' : path.resolve(secret),
    program: ceremony ? 'ceremony' : 'server',
    tpm: values.tpm,
    hostArguments: positionals,
  }
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: true,
      options: {
        root: { type: 'string' },
        'module-user': { type: 'string' },
        'host-user': { type: 'string' },
        seal: { type: 'string' },
        secret: { type: 'string' },
        tpm: { type: 'string' },
        ceremony: { type: 'boolean' },
      },
    })
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

const idMax = 2 ** 31 - 1

function parseUser(text: string | undefined, flag: string, passwd: () => string): User {
  if (text === undefined) throw invalid(`${flag} USER is missing`)
  const row = passwd()
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === text)
  const [uid, gid] = row === undefined ? text.split(':') : row.slice(2, 4)
  const user = { uid: parseId(uid), gid: parseId(gid) }
  if (user.uid > 0 && user.gid > 0) return user
  throw invalid(`${flag} ${text} is no user of this machine, or is root`)
}

/** NaN for what is no number. */
function parseId(text = ''): number {
  const id = /^(0|[1-9][0-9]{0,9})$/.test(text) ? Number(text) : Number.NaN
  return id <= idMax ? id : Number.NaN
}

function invalid(message: string, options?: ErrorOptions): LauncherError {
  return new LauncherError('CONFIGURATION_INVALID', message, options)
}
