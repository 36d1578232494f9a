/**
 * A file, or standard input, read from front to back in constant memory, with a report of how far it
 * is and a way to stop it.
 */

import { type FileHandle, open } from 'node:fs/promises'
import { clientError, systemCode } from '../errors.ts'

export interface FileOptions {
  /** Ends the work with INTERRUPTED. */
  readonly signal?: AbortSignal | undefined
  /** Called after each piece with the bytes so far, and all of them where that is known. */
  readonly onProgress?: ((done: number, total: number | undefined) => void) | undefined
}

/** The name that stands for standard input or output. */
export const standardStream = '-'

/** An input that is open. Disposing closes it. */
export class InputFile implements AsyncDisposable {
  /** Undefined when it is a pipe. */
  readonly size: number | undefined
  readonly #source: Source
  readonly #options: FileOptions
  #done = 0

  private constructor(source: Source, size: number | undefined, options: FileOptions) {
    this.#source = source
    this.size = size
    this.#options = options
  }

  /** @throws ClientError FILE_NOT_READABLE */
  static async open(name: string, options: FileOptions = {}): Promise<InputFile> {
    if (name === standardStream) {
      return new InputFile(standardInput(options.signal), undefined, options)
    }
    let handle: FileHandle | undefined
    try {
      handle = await open(name, 'r')
      const status = await handle.stat()
      if (status.isDirectory()) throw clientError('FILE_NOT_READABLE', `${name} is a folder`)
      return new InputFile(fileSource(handle), status.isFile() ? status.size : undefined, options)
    } catch (cause) {
      await handle?.close()
      throw notReadable(name, cause)
    }
  }

  /**
   * Fills the buffer as far as there are bytes; less than its length is the end.
   *
   * @throws ClientError FILE_NOT_READABLE, INTERRUPTED
   */
  read = async (buffer: Uint8Array): Promise<number> => {
    const { signal, onProgress } = this.#options
    let filled = 0
    while (filled < buffer.length) {
      if (signal?.aborted) throw clientError('INTERRUPTED', 'stopped')
      const length = await this.#readSome(buffer.subarray(filled))
      if (length === 0) break
      filled += length
    }
    this.#done += filled
    onProgress?.(this.#done, this.size)
    return filled
  }

  async #readSome(buffer: Uint8Array): Promise<number> {
    try {
      return await this.#source.read(buffer)
    } catch (cause) {
      if (this.#options.signal?.aborted) throw clientError('INTERRUPTED', 'stopped')
      throw notReadable('the input', cause)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.close()
  }
}

/** Reads at least a byte unless it is at its end. */
interface Source {
  read(buffer: Uint8Array): Promise<number>
  close(): Promise<void>
}

function fileSource(handle: FileHandle): Source {
  return {
    read: async (buffer) => (await handle.read(buffer, 0, buffer.length, null)).bytesRead,
    close: () => handle.close(),
  }
}

/** As a stream and not by its descriptor: whoever waits for a pipe must still hear Ctrl-C. */
function standardInput(signal: AbortSignal | undefined): Source {
  const { stdin } = process
  const stop = (): void => void stdin.destroy(clientError('INTERRUPTED', 'stopped'))
  signal?.addEventListener('abort', stop, { once: true })
  const pieces = stdin.iterator({ destroyOnReturn: true })
  let rest: Uint8Array = new Uint8Array()
  return {
    read: async (buffer) => {
      while (rest.length === 0) {
        const { done, value } = await pieces.next()
        if (done) return 0
        rest = value
      }
      const taken = rest.subarray(0, buffer.length)
      buffer.set(taken)
      rest = rest.subarray(taken.length)
      return taken.length
    },
    close: async () => {
      signal?.removeEventListener('abort', stop)
      stdin.destroy()
    },
  }
}

function notReadable(name: string, cause: unknown): Error {
  if (cause instanceof Error && cause.name === 'ClientError') return cause
  const code = systemCode(cause)
  const why = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code ?? 'unknown reason'})`
  return clientError('FILE_NOT_READABLE', `${name} ${why}`, { cause })
}
