/**
 * Encrypts and decrypts a file of any size in constant memory (docs/formats/file.md): a fresh key for
 * each file, encrypted by the module; the file itself is encrypted here, as Cobblestone-256. A file
 * that was tampered with in any way is refused, and nothing of it stays behind.
 */

import { randomBytes } from 'node:crypto'
import type { Client } from '../client.ts'
import { clientError } from '../errors.ts'
import { decryptMessage, encryptMessage, saltBytes, type Write } from './cobblestone.ts'
import {
  encodeHeader,
  fileKeyBytes,
  fileKeyContext,
  keyIdOf,
  messageContext,
  readHeader,
} from './container.ts'
import { type FileOptions, InputFile, standardStream } from './input.ts'
import { OutputFile } from './output.ts'

/** What may go to standard output: it is held back until the last chunk is authenticated. */
export const decryptedStreamBytesMax = 1024 * 1024

export interface FileWork extends FileOptions {
  readonly namespace: string
  /** Name, alias or id. */
  readonly key: string
  /** A path, or "-" for standard input and output. */
  readonly input: string
  readonly output: string
  /** Must be the same for decryption. */
  readonly context?: Readonly<Record<string, string>> | undefined
  /** Replaces an output that exists. */
  readonly force?: boolean | undefined
}

export interface FileResult {
  readonly key: string
  readonly version: number
  /** Of what was written. */
  readonly bytes: number
}

/** @throws ClientError */
export async function encryptFile(client: Client, work: FileWork): Promise<FileResult> {
  await using input = await InputFile.open(work.input, work)
  await using output = await openOutput(work)
  const fileKey = randomBytes(fileKeyBytes)
  try {
    const wrapped = await client.call('encrypt', {
      path: { namespace: work.namespace, key: work.key },
      body: { plaintext: fileKey, context: contextOf(work) },
    })
    const header = encodeHeader(wrapped.ciphertext)
    const counted = countBytes(output.write)
    await counted.write(header)
    const context = messageContext(header)
    const salt = randomBytes(saltBytes)
    await encryptMessage({ inputKey: fileKey, context, salt }, input.read, counted.write)
    await output.commit()
    return { key: wrapped.key, version: wrapped.version, bytes: counted.bytes() }
  } finally {
    fileKey.fill(0)
  }
}

/** The key may be left out: the file names the one that it needs. @throws ClientError */
export async function decryptFile(
  client: Client,
  work: Omit<FileWork, 'key'> & { readonly key?: string | undefined },
): Promise<FileResult> {
  await using input = await InputFile.open(work.input, work)
  const { header, wrappedFileKey } = await readHeader(input.read)
  const key = work.key ?? keyIdOf(wrappedFileKey)
  if (key === undefined) {
    throw clientError('FILE_INVALID', 'the file does not say which key it needs')
  }
  await using output = await openOutput({ ...work, key }, decryptedStreamBytesMax)
  const unwrapped = await client.call('decrypt', {
    path: { namespace: work.namespace, key },
    body: { ciphertext: wrappedFileKey, context: contextOf(work) },
  })
  const fileKey = unwrapped.plaintext
  try {
    if (fileKey.length !== fileKeyBytes) throw clientError('FILE_INVALID', 'not a file key')
    const counted = countBytes(output.write)
    const message = { inputKey: fileKey, context: messageContext(header) }
    await decryptMessage(message, input.read, counted.write)
    await output.commit()
    return { key: unwrapped.key, version: unwrapped.version, bytes: counted.bytes() }
  } finally {
    fileKey.fill(0)
  }
}

/** Marks the file key as one, so that no other ciphertext of the key can be passed off for it. */
function contextOf({ context = {} }: Pick<FileWork, 'context'>): Record<string, string> {
  if (Object.hasOwn(context, 'keyhold')) {
    throw clientError('FILE_INVALID', 'the name "keyhold" in the context is ours')
  }
  return { ...context, ...fileKeyContext }
}

interface Output extends AsyncDisposable {
  readonly write: Write
  commit(): Promise<void>
}

async function openOutput(work: FileWork, heldBytesMax?: number): Promise<Output> {
  if (work.output !== standardStream) return OutputFile.create(work.output, { force: work.force })
  return heldBytesMax === undefined ? standardOutput() : heldOutput(heldBytesMax)
}

/** Ciphertext can go out at once. */
function standardOutput(): Output {
  return {
    write: writeStandardOutput,
    commit: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
}

/** Plaintext goes out whole, after its last chunk was authenticated, or not at all. */
function heldOutput(bytesMax: number): Output {
  const held: Buffer[] = []
  let length = 0
  return {
    write: async (bytes) => {
      length += bytes.length
      if (length > bytesMax) {
        throw clientError(
          'FILE_TOO_LARGE',
          'only up to 1 MiB is decrypted to standard output, because it is held back until all ' +
            'of it is authenticated; name an output file',
        )
      }
      held.push(Buffer.from(bytes))
    },
    commit: async () => writeStandardOutput(Buffer.concat(held)),
    [Symbol.asyncDispose]: async () => {
      for (const piece of held) piece.fill(0)
    },
  }
}

function writeStandardOutput(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(Buffer.from(bytes), (cause) => {
      if (!cause) return resolve()
      reject(clientError('FILE_NOT_WRITABLE', 'standard output was closed', { cause }))
    })
  })
}

function countBytes(write: Write): { readonly write: Write; readonly bytes: () => number } {
  let count = 0
  return {
    write: async (bytes) => {
      count += bytes.length
      await write(bytes)
    },
    bytes: () => count,
  }
}
