/**
 * Passphrases from people: the first line of a file that only its owner can read, or typed without echo.
 * Bytes, because a string could not be overwritten; whoever is handed them overwrites them.
 */

import { readFile, stat } from 'node:fs/promises'
import type { ReadStream } from 'node:tty'
import { clientError, systemCode } from './errors.ts'

/** Of a passphrase; Argon2id makes each guess cost, not a short secret long. */
export const passphraseBytesMin = 12
export const passphraseBytesMax = 1_024

export interface Terminal {
  readonly input: ReadStream
  readonly write: (text: string) => void
}

/**
 * The file's first line.
 * @throws ClientError FILE_NOT_READABLE also when others can read the file, PASSPHRASE_INVALID
 */
export async function passphraseIn(
  file: string,
  bytesMin = passphraseBytesMin,
): Promise<Uint8Array> {
  const content = await contentOf(file)
  const end = content.indexOf('\n')
  const passphrase = secretCopy(end < 0 ? content : content.subarray(0, end))
  content.fill(0)
  assertPassphrase(passphrase, bytesMin)
  return passphrase
}

async function contentOf(file: string): Promise<Buffer> {
  try {
    const { mode } = await stat(file)
    if ((mode & 0o077) === 0) return await readFile(file)
  } catch (cause) {
    const code = systemCode(cause)
    const why = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code ?? 'no reason'})`
    throw clientError('FILE_NOT_READABLE', `${file} ${why}`, { cause })
  }
  const message = `${file} can be read by others; type: chmod 600 ${file}`
  throw clientError('FILE_NOT_READABLE', message)
}

/** In an ArrayBuffer of its own: of short typed arrays V8 makes copies that nobody overwrites. */
function secretCopy(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new ArrayBuffer(bytes.length))
  copy.set(bytes)
  return copy
}

function assertPassphrase({ length }: Uint8Array, bytesMin: number): void {
  if (length < bytesMin || length > passphraseBytesMax) {
    const message = `a passphrase has ${bytesMin} to ${passphraseBytesMax} bytes, not ${length}`
    throw clientError('PASSPHRASE_INVALID', message)
  }
}

export interface Question {
  readonly what?: string
  readonly isNew: boolean
  readonly bytesMin?: number
}

/** Twice when it is new. @throws ClientError INTERRUPTED, PASSPHRASE_INVALID also when the two differ */
export async function typedPassphrase(
  terminal: Terminal,
  { what = 'Passphrase', isNew, bytesMin = passphraseBytesMin }: Question,
): Promise<Uint8Array> {
  const name = `${what.slice(0, 1).toLowerCase()}${what.slice(1)}`
  const passphrase = await askHidden(terminal, isNew ? `New ${name}: ` : `${what}: `)
  try {
    assertPassphrase(passphrase, bytesMin)
    if (isNew) {
      const again = await askHidden(terminal, 'Once more: ')
      const isSame = Buffer.compare(again, passphrase) === 0
      again.fill(0)
      if (!isSame) throw clientError('PASSPHRASE_INVALID', 'the two passphrases differ')
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

/** One line without echo. */
function askHidden({ input, write }: Terminal, question: string): Promise<Uint8Array> {
  const typed = Buffer.alloc(passphraseBytesMax)
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
        finish(() => reject(clientError('INTERRUPTED', 'no passphrase was typed')))
        break
      }
      if (enter.has(byte)) {
        finish(() => resolve(secretCopy(typed.subarray(0, length))))
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
