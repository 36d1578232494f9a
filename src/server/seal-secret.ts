/**
 * The secret of the seal, for each start of the module. In development it is a key file in the data
 * folder, which is why a development domain protects nothing from whoever reads the folder. Otherwise
 * it is a passphrase: read from a file that only its owner can read, each time anew, or typed on the
 * terminal each time anew. The server keeps none; the host overwrites the bytes that it is handed.
 */

import { randomBytes } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import type { ReadStream } from 'node:tty'
import { readIfThere, writeDurably } from '../host/durable-file.ts'
import type { SealKind } from '../hsm/contract/commands.ts'
import { sealSecretBytesMax } from '../hsm/contract/limits.ts'
import { type Configuration, ConfigurationError } from './configuration.ts'

const keyFileBytes = 32
/** Of a passphrase; Argon2id makes each guess cost, not a short secret long. */
export const passphraseBytesMin = 12

export interface SealSecret {
  readonly kind: SealKind
  readonly read: () => Promise<Uint8Array>
}

export interface Terminal {
  readonly input: ReadStream
  readonly write: (text: string) => void
}

/** @throws ConfigurationError when there is neither file nor terminal for a passphrase */
export function sealSecret(
  { development, folder, passphraseFile }: Configuration,
  terminal: Terminal | undefined,
): SealSecret {
  if (development) return { kind: 'key-file', read: () => developmentKey(folder) }
  if (passphraseFile !== undefined) {
    return { kind: 'passphrase', read: () => passphraseIn(passphraseFile) }
  }
  if (terminal === undefined) {
    throw new ConfigurationError(
      'there is no terminal to ask for the passphrase on; use --passphrase-file FILE',
    )
  }
  return { kind: 'passphrase', read: () => askPassphrase(folder, terminal) }
}

async function developmentKey(folder: string): Promise<Uint8Array> {
  const file = path.join(folder, 'development.key')
  const found = await readIfThere(file)
  if (found?.length === keyFileBytes) return found
  if (found !== undefined || (await isFounded(folder))) {
    throw new Error(`${file} is missing or damaged: without it the development domain stays closed`)
  }
  await writeDurably(file, [randomBytes(keyFileBytes)])
  return developmentKey(folder)
}

async function isFounded(folder: string): Promise<boolean> {
  const text = await readIfThere(path.join(folder, 'keyhold.json'))
  return text?.includes('"domainId"') ?? false
}

/** The file's first line. @throws Error when others can read the file, or it holds no passphrase */
async function passphraseIn(file: string): Promise<Uint8Array> {
  const { mode } = await stat(file)
  if ((mode & 0o077) !== 0) {
    throw new Error(`${file} can be read by others; type: chmod 600 ${file}`)
  }
  const content = await readFile(file)
  const end = content.indexOf('\n')
  const passphrase = Uint8Array.from(end < 0 ? content : content.subarray(0, end))
  content.fill(0)
  assertPassphrase(passphrase)
  return passphrase
}

function assertPassphrase({ length }: Uint8Array): void {
  if (length < passphraseBytesMin || length > sealSecretBytesMax) {
    throw new Error(`a passphrase has ${passphraseBytesMin} to ${sealSecretBytesMax} bytes`)
  }
}

/** Twice when it founds a domain. */
async function askPassphrase(folder: string, terminal: Terminal): Promise<Uint8Array> {
  const isNew = !(await isFounded(folder))
  const passphrase = await askHidden(terminal, isNew ? 'New passphrase: ' : 'Passphrase: ')
  try {
    assertPassphrase(passphrase)
    if (isNew) {
      const again = await askHidden(terminal, 'Once more: ')
      const isSame = Buffer.compare(again, passphrase) === 0
      again.fill(0)
      if (!isSame) throw new Error('the two passphrases differ')
    }
    return passphrase
  } catch (error) {
    passphrase.fill(0)
    throw error
  }
}

const enter = new Set([0x0a, 0x0d])
const erase = new Set([0x08, 0x7f])
const interrupt = 0x03
const endOfInput = 0x04

/** One line without echo. Bytes, because a string could not be overwritten. */
function askHidden({ input, write }: Terminal, question: string): Promise<Uint8Array> {
  const typed = Buffer.alloc(sealSecretBytesMax)
  let length = 0
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
  const finish = (end: () => void) => {
    input.off('data', onData)
    input.setRawMode(false)
    input.pause()
    write('\n')
    end()
    typed.fill(0)
  }
  const onData = (chunk: Buffer) => {
    for (const byte of chunk) {
      if (byte === interrupt || byte === endOfInput) {
        finish(() => reject(new Error('no passphrase was typed')))
        break
      }
      if (enter.has(byte)) {
        finish(() => resolve(Uint8Array.from(typed.subarray(0, length))))
        break
      }
      if (erase.has(byte)) length = withoutLastCharacter(typed, length)
      else if (length < typed.length) length = typed.writeUInt8(byte, length)
    }
    chunk.fill(0)
  }
  write(question)
  input.setRawMode(true)
  input.on('data', onData)
  input.resume()
  return promise
}

/** Bytes 10xxxxxx go on with the character before them (RFC 3629). */
function withoutLastCharacter(typed: Buffer, length: number): number {
  let end = length - 1
  while (end > 0 && ((typed[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return Math.max(0, end)
}
