/**
 * A file that appears whole or not at all: written beside its target under another name, mode 0600,
 * made durable, and only then given its name. Whatever ends the work before leaves nothing behind.
 */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, type FileHandle, link, open, rename, unlink } from 'node:fs/promises'
import path from 'node:path'
import { clientError, systemCode } from '../errors.ts'

export interface OutputOptions {
  /** Replaces what has the name already. */
  readonly force?: boolean | undefined
  /** 0600 when left out: what comes out of a decryption is nobody else's to read. */
  readonly mode?: number | undefined
}

/** File systems that have no links answer one of these. */
const linkRefusals = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV'])

/** Disposing without commit deletes what was written. */
export class OutputFile implements AsyncDisposable {
  readonly #target: string
  readonly #temporary: string
  readonly #handle: FileHandle
  readonly #options: OutputOptions
  #open = true

  private constructor(target: string, temporary: string, handle: FileHandle, o: OutputOptions) {
    this.#target = target
    this.#temporary = temporary
    this.#handle = handle
    this.#options = o
  }

  /** @throws ClientError FILE_EXISTS, FILE_NOT_WRITABLE */
  static async create(target: string, options: OutputOptions = {}): Promise<OutputFile> {
    if (!options.force && (await exists(target))) throw fileExists(target)
    const unique = `.${path.basename(target).slice(0, 64)}.${randomBytes(6).toString('hex')}.part`
    const temporary = path.join(path.dirname(target), unique)
    try {
      const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants
      const flags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW
      const handle = await open(temporary, flags, 0o600)
      return new OutputFile(target, temporary, handle, options)
    } catch (cause) {
      throw notWritable(target, cause)
    }
  }

  /** @throws ClientError FILE_NOT_WRITABLE */
  write = async (bytes: Uint8Array): Promise<void> => {
    assert(this.#open)
    try {
      let offset = 0
      while (offset < bytes.length) {
        offset += (await this.#handle.write(bytes, offset)).bytesWritten
      }
    } catch (cause) {
      throw notWritable(this.#target, cause)
    }
  }

  /** Durable, then under its name. @throws ClientError FILE_EXISTS, FILE_NOT_WRITABLE */
  async commit(): Promise<void> {
    assert(this.#open)
    try {
      if (this.#options.mode !== undefined) await this.#handle.chmod(this.#options.mode)
      await this.#handle.sync()
      await this.#giveName()
    } catch (cause) {
      throw systemCode(cause) === 'EEXIST'
        ? fileExists(this.#target)
        : notWritable(this.#target, cause)
    }
    await this.#handle.close()
    this.#open = false
  }

  /** A link, unlike a rename, does not replace a file that has come up in the meantime. */
  async #giveName(): Promise<void> {
    if (this.#options.force) return rename(this.#temporary, this.#target)
    try {
      await link(this.#temporary, this.#target)
    } catch (error) {
      if (!linkRefusals.has(systemCode(error) ?? '')) throw error
      return rename(this.#temporary, this.#target)
    }
    await unlink(this.#temporary)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.#handle.close()
    await unlink(this.#temporary).catch(() => undefined)
  }
}

async function exists(target: string): Promise<boolean> {
  return access(target).then(
    () => true,
    () => false,
  )
}

function fileExists(target: string): Error {
  return clientError('FILE_EXISTS', `${target} exists already`)
}

function notWritable(target: string, cause: unknown): Error {
  const code = systemCode(cause) ?? 'unknown reason'
  return clientError('FILE_NOT_WRITABLE', `${target} cannot be written (${code})`, { cause })
}
