/**
 * Cobblestone-256 of C2SP chunked-encryption (https://c2sp.org/chunked-encryption): HKDF-Expand with
 * SHA-512 and AES-256-GCM over chunks of 16 KiB, of which the last is always shorter. Encrypts and
 * decrypts a stream in constant memory; what it hands out has been authenticated, and a stream that
 * was cut, extended, reordered or altered throws before its end is reached.
 */

import assert from 'node:assert/strict'
import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto'
import { clientError } from '../errors.ts'

export const inputKeyBytes = 32
export const saltBytes = 24
const nonceBytes = 12
const commitmentBytes = 32
const tagBytes = 16
export const chunkBytes = 16 * 1024
export const sealedChunkBytes = chunkBytes + tagBytes
/** Salt and commitment stand before the chunks. */
export const messageHeaderBytes = saltBytes + commitmentBytes
/** Section "Message chunking": a message has at most 2^38 chunks. */
const chunksMax = 2 ** 38
/** Chunks that are read, worked on and written together. */
const chunksAtOnce = 64

/** Fills the buffer as far as there are bytes; less than its length is the end. */
export type Read = (buffer: Uint8Array) => Promise<number>
/** Takes the bytes; the buffer is used again afterwards. */
export type Write = (bytes: Uint8Array) => Promise<void>

interface MessageKeys {
  readonly key: Buffer
  readonly baseNonce: Buffer
  readonly commitment: Buffer
}

/** Section "Key derivation". */
function deriveMessageKeys(
  inputKey: Uint8Array,
  salt: Uint8Array,
  context: Uint8Array,
): MessageKeys {
  assert.equal(inputKey.length, inputKeyBytes)
  assert.equal(salt.length, saltBytes)
  const label = Buffer.from('c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0', 'latin1')
  const info = Buffer.concat([label, salt, context])
  // HKDF-Expand (RFC 5869 section 2.3) by hand: node:crypto has no way to leave Extract out.
  const first = createHmac('sha512', inputKey).update(info).update('\x01').digest()
  const second = createHmac('sha512', inputKey).update(first).update(info).update('\x02').digest()
  const output = Buffer.concat([first, second])
  first.fill(0)
  second.fill(0)
  const keyEnd = inputKeyBytes
  const nonceEnd = keyEnd + nonceBytes
  return {
    key: output.subarray(0, keyEnd),
    baseNonce: output.subarray(keyEnd, nonceEnd),
    commitment: output.subarray(nonceEnd, nonceEnd + commitmentBytes),
  }
}

/** Section "AEAD usage": the base nonce, XORed with the chunk's number as a big-endian integer. */
function chunkNonce(baseNonce: Uint8Array, chunk: number): Buffer {
  if (chunk >= chunksMax) throw clientError('FILE_TOO_LARGE', 'a message has at most 4 PiB')
  const nonce = Buffer.alloc(nonceBytes)
  nonce.writeUIntBE(chunk, nonceBytes - 6, 6)
  for (let index = 0; index < nonceBytes; index += 1) {
    nonce[index] = (nonce[index] ?? 0) ^ (baseNonce[index] ?? 0)
  }
  return nonce
}

export interface Message {
  /** 32 uniformly random bytes. */
  readonly inputKey: Uint8Array
  /** What the message is bound to; it is not written. */
  readonly context: Uint8Array
}

/** Reads a message to its end and writes salt, commitment and sealed chunks. */
export async function encryptMessage(
  { inputKey, context, salt }: Message & { readonly salt: Uint8Array },
  read: Read,
  write: Write,
): Promise<void> {
  const { key, baseNonce, commitment } = deriveMessageKeys(inputKey, salt, context)
  await write(Buffer.concat([salt, commitment]))
  const plain = Buffer.allocUnsafeSlow(chunksAtOnce * chunkBytes)
  const sealed = Buffer.allocUnsafeSlow(chunksAtOnce * sealedChunkBytes)
  let chunk = 0
  const seal = (from: number, to: number, offset: number): number => {
    const cipher = createCipheriv('aes-256-gcm', key, chunkNonce(baseNonce, chunk))
    sealed.set(cipher.update(plain.subarray(from, to)), offset)
    cipher.final()
    sealed.set(cipher.getAuthTag(), offset + to - from)
    chunk += 1
    return offset + to - from + tagBytes
  }
  try {
    for (;;) {
      const length = await read(plain)
      let filled = 0
      let from = 0
      for (; from + chunkBytes <= length; from += chunkBytes) {
        filled = seal(from, from + chunkBytes, filled)
      }
      const atEnd = length < plain.length
      // The last chunk is always short, and empty when nothing is left.
      if (atEnd) filled = seal(from, length, filled)
      await write(sealed.subarray(0, filled))
      if (atEnd) return
    }
  } finally {
    key.fill(0)
    plain.fill(0)
  }
}

/**
 * Reads salt, commitment and sealed chunks to the end of the stream and writes the message, each
 * chunk only after it was authenticated. Whoever takes it must throw it away if this throws: that
 * the stream was cut shows only at its end.
 *
 * @throws ClientError FILE_INVALID, one message whatever the reason
 */
export async function decryptMessage(
  { inputKey, context }: Message,
  read: Read,
  write: Write,
): Promise<void> {
  const header = Buffer.alloc(messageHeaderBytes)
  if ((await read(header)) < messageHeaderBytes) throw invalid()
  const salt = header.subarray(0, saltBytes)
  const { key, baseNonce, commitment } = deriveMessageKeys(inputKey, salt, context)
  const sealed = Buffer.allocUnsafeSlow(chunksAtOnce * sealedChunkBytes)
  const plain = Buffer.allocUnsafeSlow(chunksAtOnce * chunkBytes)
  let chunk = 0
  const open = (from: number, to: number, offset: number): number => {
    const decipher = createDecipheriv('aes-256-gcm', key, chunkNonce(baseNonce, chunk), {
      authTagLength: tagBytes,
    })
    decipher.setAuthTag(sealed.subarray(to - tagBytes, to))
    plain.set(decipher.update(sealed.subarray(from, to - tagBytes)), offset)
    try {
      decipher.final()
    } catch (cause) {
      throw invalid(cause)
    }
    chunk += 1
    return offset + to - tagBytes - from
  }
  try {
    if (!timingSafeEqual(commitment, header.subarray(saltBytes))) throw invalid()
    for (;;) {
      const length = await read(sealed)
      let filled = 0
      let from = 0
      for (; from + sealedChunkBytes <= length; from += sealedChunkBytes) {
        filled = open(from, from + sealedChunkBytes, filled)
      }
      const atEnd = length < sealed.length
      if (atEnd) {
        if (length - from < tagBytes) throw invalid()
        filled = open(from, length, filled)
      }
      await write(plain.subarray(0, filled))
      if (atEnd) return
    }
  } finally {
    key.fill(0)
    plain.fill(0)
  }
}

function invalid(cause?: unknown): Error {
  return clientError(
    'FILE_INVALID',
    'the file was cut, extended or altered, or belongs to another key',
    cause === undefined ? {} : { cause },
  )
}
