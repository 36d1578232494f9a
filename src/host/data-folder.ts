/**
 * The data folder: whose it is, what domain is in it, and that one server at a time works on it.
 *
 *   keyhold.json   { format, development, domainId, moduleId }; the ids are absent until the domain is
 *                  founded, and writing them is the one step that founds it for good
 *   lock           empty; the server holds a lock on it
 *   module/        seals and sealed state (state-files.ts)
 *   record/        leaves and heads (record-files.ts)
 *   tpm/           what a TPM keeps for the domain (seals.ts)
 *   tpm-counter/   which counter of a TPM confirms freshness (freshness.ts)
 *   witnesses/     what each witness cosigned last (witnesses/)
 *   host.events    starts and ends of the module (events.ts)
 *
 * A folder is opened as it is or refused: nothing in it is guessed, repaired or overwritten. What an
 * interrupted founding left is moved into `unfinished-<time>`.
 *
 * The lock is a POSIX record lock, which the kernel takes back when the process ends, however it ends:
 * there is no stale lock to judge and so no race between two servers that judge it. Node has no call
 * for one; node:sqlite takes it, with `BEGIN EXCLUSIVE` on an empty file that stays empty. A file with
 * a process id needs that judgement, a socket in the folder stays behind after a crash, and an abstract
 * socket does not hold between containers that share the folder.
 */

import { closeSync, openSync } from 'node:fs'
import { rename, stat } from 'node:fs/promises'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import {
  fileMode,
  isErrorCode,
  makeFolder,
  namesIfThere,
  readIfThere,
  syncFolder,
  timeInName,
  unfinishedSuffix,
  writeDurably,
} from './durable-file.ts'
import { HostError } from './errors.ts'
import { assertNotZeroised } from './zeroise.ts'

export const folderFormat = 1
const identityName = 'keyhold.json'
const lockName = 'lock'

export interface FoundedDomain {
  /** 16 bytes as hex. */
  readonly domainId: string
  readonly moduleId: string
}

interface FolderIdentity extends Partial<FoundedDomain> {
  readonly format: number
  readonly development: boolean
}

export interface DataFolderOptions {
  readonly development: boolean
  /** Whether a domain may be founded in a new folder. */
  readonly foundIfEmpty: boolean
  readonly now?: () => Date
}

export class DataFolder implements Disposable {
  readonly path: string
  readonly development: boolean
  readonly #lock: DatabaseSync
  #domain: FoundedDomain | undefined

  private constructor(
    folder: string,
    lock: DatabaseSync,
    development: boolean,
    domain: FoundedDomain | undefined,
  ) {
    this.path = folder
    this.#lock = lock
    this.development = development
    this.#domain = domain
  }

  /** Opens the folder, or makes it when founding is allowed. @throws HostError FOLDER_… */
  static async open(folder: string, options: DataFolderOptions): Promise<DataFolder> {
    const before = await readIdentity(folder)
    if (before === undefined) {
      if (!options.foundIfEmpty) throw noDomain(folder)
      await makeFolder(folder)
    }
    await assertOwn(folder)
    const lock = takeLock(folder)
    try {
      const identity = (await readIdentity(folder)) ?? (await claimFolder(folder, options))
      const domain = foundedDomain(identity)
      if (domain === undefined) {
        if (!options.foundIfEmpty) throw noDomain(folder)
        await setAsideUnfinished(folder, options.now?.() ?? new Date())
      } else if (identity.development !== options.development) {
        throw wrongDevelopment(folder, identity.development)
      }
      if (domain) await assertNotZeroised(folder)
      return new DataFolder(folder, lock, options.development, domain)
    } catch (error) {
      lock.close()
      throw error
    }
  }

  /** Undefined until a domain is founded. */
  get domain(): FoundedDomain | undefined {
    return this.#domain
  }

  /** The last step of founding: everything that the domain needs is durable already. */
  async commitFounding(domain: FoundedDomain): Promise<void> {
    const { development } = this
    await writeIdentity(this.path, { format: folderFormat, development, ...domain })
    this.#domain = domain
  }

  /** FOLDER_TORN when the file does not say what the module's sealed state says, which is authentic. */
  mistakeAbout(unlocked: FoundedDomain & { readonly development: boolean }): HostError | undefined {
    const isSame =
      unlocked.domainId === this.#domain?.domainId &&
      unlocked.moduleId === this.#domain.moduleId &&
      unlocked.development === this.development
    return isSame ? undefined : tornIdentity(path.join(this.path, identityName))
  }

  [Symbol.dispose](): void {
    this.#lock.close()
  }
}

/** Undefined for a folder that is absent, or empty but for what an interrupted creation left. */
async function readIdentity(folder: string): Promise<FolderIdentity | undefined> {
  let names: string[] | undefined
  try {
    names = await namesIfThere(folder)
  } catch (cause) {
    throw new HostError('FOLDER_UNSAFE', `${folder} cannot be read as a folder`, { cause })
  }
  if (names?.includes(identityName)) return parseIdentity(folder)
  const foreign = names?.find((name) => !leftovers.has(name))
  if (foreign === undefined) return undefined
  throw new HostError(
    'FOLDER_FOREIGN',
    `${folder} holds "${foreign}" but no ${identityName}: it is not a Keyhold data folder. ` +
      'Name another folder, or a new one.',
  )
}

const leftovers = new Set([lockName, `${lockName}-journal`, `${identityName}${unfinishedSuffix}`])

const idPattern = /^[0-9a-f]{32}$/

async function parseIdentity(folder: string): Promise<FolderIdentity> {
  const file = path.join(folder, identityName)
  const text = (await readIfThere(file))?.toString('utf8') ?? ''
  let value: Readonly<Record<string, unknown>>
  try {
    value = { ...JSON.parse(text) }
  } catch (cause) {
    throw tornIdentity(file, { cause })
  }
  const { format, development, domainId, moduleId } = value
  if (typeof format === 'number' && format > folderFormat) {
    throw new HostError(
      'FOLDER_NEWER',
      `${folder} has format ${format}, this program knows ${folderFormat}. Use the newer program.`,
    )
  }
  if (format !== folderFormat || typeof development !== 'boolean') throw tornIdentity(file)
  if (domainId === undefined && moduleId === undefined) return { format, development }
  if (!isId(domainId) || !isId(moduleId)) throw tornIdentity(file)
  return { format, development, domainId, moduleId }
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && idPattern.test(value)
}

function foundedDomain({ domainId, moduleId }: FolderIdentity): FoundedDomain | undefined {
  return domainId === undefined || moduleId === undefined ? undefined : { domainId, moduleId }
}

async function writeIdentity(folder: string, identity: FolderIdentity): Promise<void> {
  const text = `${JSON.stringify(identity, undefined, 2)}\n`
  await writeDurably(path.join(folder, identityName), [Buffer.from(text)])
}

async function claimFolder(folder: string, options: DataFolderOptions): Promise<FolderIdentity> {
  const identity = { format: folderFormat, development: options.development }
  await writeIdentity(folder, identity)
  return identity
}

/** A founding that did not reach its last step was never acknowledged to anybody. */
async function setAsideUnfinished(folder: string, now: Date): Promise<void> {
  const names = (await namesIfThere(folder)) ?? []
  const left = names.filter((name) => name === 'module' || name === 'record')
  if (left.length === 0) return
  const aside = path.join(folder, `unfinished-${timeInName(now)}`)
  await makeFolder(aside)
  for (const name of left) await rename(path.join(folder, name), path.join(aside, name))
  await syncFolder(folder)
}

/** Whoever can write here could swap the sealed state; whoever can read could count keys and uses. */
async function assertOwn(folder: string): Promise<void> {
  const found = await stat(folder)
  const user = process.geteuid?.()
  if (user !== undefined && found.uid !== user) {
    throw new HostError(
      'FOLDER_UNSAFE',
      `${folder} belongs to user ${found.uid}, this is user ${user}. Run as its owner.`,
    )
  }
  if ((found.mode & 0o077) === 0) return
  throw new HostError(
    'FOLDER_UNSAFE',
    `${folder} is open to other users (mode ${(found.mode & 0o777).toString(8)}). ` +
      `If it was not meant to be, type: chmod 700 ${folder}`,
  )
}

const sqliteBusy = 5

function takeLock(folder: string): DatabaseSync {
  const file = path.join(folder, lockName)
  makePrivate(file)
  const lock = new DatabaseSync(file, { timeout: 0 })
  try {
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return lock
  } catch (cause) {
    lock.close()
    if (!(cause instanceof Error && 'errcode' in cause && cause.errcode === sqliteBusy)) throw cause
    throw new HostError(
      'FOLDER_LOCKED',
      `another server works on ${folder}. Stop it first, or name another folder.`,
      { cause },
    )
  }
}

/**
 * Only makes the file when it is missing. Opening and closing one that exists would drop the record
 * lock of this very process, should it hold one.
 */
function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', fileMode))
  } catch (error) {
    if (!isErrorCode(error, 'EEXIST')) throw error
  }
}

function noDomain(folder: string): HostError {
  return new HostError(
    'FOLDER_EMPTY',
    `${folder} holds no domain yet. Found one first, or name the folder that has it.`,
  )
}

function tornIdentity(file: string, options?: ErrorOptions): HostError {
  return new HostError(
    'FOLDER_TORN',
    `${file} is damaged. Restore the folder from its backup; nothing was changed.`,
    options,
  )
}

function wrongDevelopment(folder: string, development: boolean): HostError {
  const found = development ? 'a development domain' : 'a domain that is not for development'
  return new HostError(
    'FOLDER_DEVELOPMENT',
    `${folder} holds ${found}, and stays so for ever. Start it as that, or name another folder.`,
  )
}
