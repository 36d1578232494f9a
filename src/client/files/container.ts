/**
 * The header of an encrypted file (docs/formats/file.md): what it is, and the wrapped file key, the
 * 32-byte key of this one file as the module encrypted it. Behind it stands one Cobblestone-256
 * message, whose context is this header, so that no header fits another message.
 */

import { clientError } from '../errors.ts'
import { inputKeyBytes, type Read } from './cobblestone.ts'

/** docs/formats/file.md section 2. */
const magic = Buffer.from('KEYHOLDF', 'latin1')
const formatVersion = 1
const fixedBytes = magic.length + 1 + 2
export const wrappedFileKeyBytesMax = 4096
export const fileKeyBytes = inputKeyBytes

/** The pair that marks a file key in its encryption context (section 3). */
export const fileKeyContext = { keyhold: 'file key' } as const

/** @throws ClientError FILE_INVALID when the wrapped file key has no length that fits */
export function encodeHeader(wrappedFileKey: Uint8Array): Buffer {
  if (wrappedFileKey.length === 0 || wrappedFileKey.length > wrappedFileKeyBytesMax) {
    throw clientError('FILE_INVALID', 'the wrapped file key has no length that fits')
  }
  const fixed = Buffer.alloc(fixedBytes)
  fixed.set(magic)
  fixed.writeUInt8(formatVersion, magic.length)
  fixed.writeUInt16BE(wrappedFileKey.length, magic.length + 1)
  return Buffer.concat([fixed, wrappedFileKey])
}

/** Reads exactly the header. @throws ClientError FILE_INVALID */
export async function readHeader(
  read: Read,
): Promise<{ readonly header: Buffer; readonly wrappedFileKey: Buffer }> {
  const fixed = Buffer.alloc(fixedBytes)
  const length = await read(fixed)
  if (length < fixedBytes || !fixed.subarray(0, magic.length).equals(magic)) {
    throw clientError('FILE_INVALID', 'this is not a file that Keyhold encrypted')
  }
  if (fixed.readUInt8(magic.length) !== formatVersion) {
    throw clientError('FILE_INVALID', 'the file has a format that this version does not know')
  }
  const keyLength = fixed.readUInt16BE(magic.length + 1)
  if (keyLength === 0 || keyLength > wrappedFileKeyBytesMax) throw damaged()
  const wrappedFileKey = Buffer.alloc(keyLength)
  if ((await read(wrappedFileKey)) < keyLength) throw damaged()
  return { header: Buffer.concat([fixed, wrappedFileKey]), wrappedFileKey }
}

/** Section 4: what the Cobblestone message is bound to. */
export function messageContext(header: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from('keyhold file v1\0', 'latin1'), header])
}

/** The id of the key that wrapped the file key; it stands in front of its ciphertext. */
export function keyIdOf(wrappedFileKey: Uint8Array): string | undefined {
  if (wrappedFileKey[0] !== 1 || wrappedFileKey.length < 17) return undefined
  return `key_${Buffer.from(wrappedFileKey.subarray(1, 17)).toString('hex')}`
}

function damaged(): Error {
  return clientError('FILE_INVALID', 'the file is damaged: its header is not whole')
}
