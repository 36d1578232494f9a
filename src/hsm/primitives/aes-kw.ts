/**
 * AES key wrap (SP 800-38F): KW for keys of whole semiblocks, at least two of them, and KWP for any
 * length. Both are deterministic, so equal keys wrap to equal ciphertexts.
 */

import { createCipheriv, createDecipheriv } from 'node:crypto'
import { HsmError } from '../contract/errors.ts'
import { Secret } from '../secret.ts'
import { ciphertextInvalid, type Implementation } from './implementation.ts'

const semiblockBytes = 8
const none = new Uint8Array()

interface Mode {
  readonly suffix: string
  /** ICV1 of section 6.2, ICV2 of section 6.3. */
  readonly icv: Buffer
  /** Shortest ciphertext: KW semiblocks plus one, KWP one semiblock and its header. */
  readonly ciphertextBytesMin: number
  readonly takes: (lengthBytes: number) => boolean
}

const kw: Mode = {
  suffix: 'wrap',
  icv: Buffer.from('a6a6a6a6a6a6a6a6', 'hex'),
  ciphertextBytesMin: 24,
  takes: (lengthBytes) => lengthBytes >= 16 && lengthBytes % semiblockBytes === 0,
}
const kwp: Mode = {
  suffix: 'wrap-pad',
  icv: Buffer.from('a65959a6', 'hex'),
  ciphertextBytesMin: 16,
  takes: (lengthBytes) => lengthBytes >= 1,
}

export function aesKw(keyBits: 128 | 192 | 256) {
  return keyWrap(`aes${keyBits}`, kw)
}

export function aesKwp(keyBits: 128 | 192 | 256) {
  return keyWrap(`aes${keyBits}`, kwp)
}

function keyWrap(prefix: string, mode: Mode) {
  const cipher = `${prefix}-${mode.suffix}`
  return {
    wrap: ({ keyObject }, keyBytes) => {
      if (!mode.takes(keyBytes.length)) {
        throw new HsmError('ARGUMENT_INVALID', 'KW wraps whole semiblocks of 8 bytes; use KWP')
      }
      // One update only: OpenSSL takes the whole key at once and refuses a second piece.
      const context = createCipheriv(cipher, keyObject, mode.icv)
      return { iv: none, ciphertext: keyBytes.expose((bytes) => context.update(bytes)) }
    },
    unwrap: ({ keyObject }, { iv, ciphertext }) => {
      // Checked here because OpenSSL unwraps nothing at all to nothing at all without an error.
      const isWhole = ciphertext.length % semiblockBytes === 0
      if (iv.length > 0 || !isWhole || ciphertext.length < mode.ciphertextBytesMin) {
        throw ciphertextInvalid()
      }
      try {
        return new Secret(createDecipheriv(cipher, keyObject, mode.icv).update(ciphertext))
      } catch (cause) {
        throw ciphertextInvalid(cause)
      }
    },
  } satisfies Implementation
}
