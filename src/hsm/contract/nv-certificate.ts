/**
 * What a TPM certifies of an NV index (TPM 2.0 part 2, 10.12.9 and 10.12.12: TPMS_ATTEST of the type
 * TPM_ST_ATTEST_NV), signed with ECDSA P-256 by a restricted key of the same TPM, which signs nothing
 * that the TPM did not make. Read here to its last byte, and believed as far as the key is known: whoever
 * pins key, name and a nonce of his own has an answer that a host can withhold, not forge or repeat.
 */

import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { HsmError } from './errors.ts'

export interface NvCertificate {
  /** TPMS_ATTEST. */
  readonly attestation: Uint8Array
  /** ECDSA over its SHA-256, DER. */
  readonly signature: Uint8Array
}

export interface NvExpected {
  /** The signing key, SPKI. */
  readonly publicKey: Uint8Array
  /** Name of the index: digest of handle, attributes and policy, in hex. */
  readonly name: string
  /** What the question had. */
  readonly nonce: Uint8Array
}

export interface NvValue {
  readonly contents: Buffer
  /** Milliseconds that the TPM has run; it is not the time of day. */
  readonly clock: bigint
  readonly resetCount: number
}

const generated = 0xff544347
const attestNv = 0x8014
const counterBytes = 8
/** TPMS_ATTEST of a counter, and a DER signature of P-256, have fewer. */
export const certificateBytesMax = 512

/** @throws HsmError ARGUMENT_INVALID unless all of it is as expected and signed */
export function openNvCertificate(
  { attestation, signature }: NvCertificate,
  { publicKey, name, nonce }: NvExpected,
): NvValue {
  const key = parsePublicKey(publicKey)
  if (!verify('sha256', attestation, { key, dsaEncoding: 'der' }, signature)) throw invalid()
  const reader = new Reader(attestation)
  if (reader.uint(4) !== generated || reader.uint(2) !== attestNv) throw invalid()
  reader.sized()
  const extraData = reader.sized()
  const clock = reader.take(8).readBigUInt64BE()
  const resetCount = reader.uint(4)
  // restartCount, safe, firmwareVersion.
  reader.take(4 + 1 + 8)
  const indexName = reader.sized().toString('hex')
  const offset = reader.uint(2)
  const contents = reader.sized()
  if (!reader.isAtEnd || offset !== 0 || indexName !== name || !extraData.equals(nonce)) {
    throw invalid()
  }
  return { contents, clock, resetCount }
}

/** The value of a counter. @throws HsmError ARGUMENT_INVALID */
export function openCounterCertificate(certificate: NvCertificate, expected: NvExpected): number {
  const { contents } = openNvCertificate(certificate, expected)
  const value = contents.length === counterBytes ? Number(contents.readBigUInt64BE()) : Number.NaN
  if (Number.isSafeInteger(value)) return value
  throw invalid()
}

function parsePublicKey(bytes: Uint8Array): KeyObject {
  try {
    const key = createPublicKey({ key: Buffer.from(bytes), format: 'der', type: 'spki' })
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key
  } catch {
    // Told below.
  }
  throw invalid()
}

class Reader {
  readonly #bytes: Buffer
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes)
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.length
  }

  take(length: number): Buffer {
    const start = this.#offset
    if (length > this.#bytes.length - start) throw invalid()
    this.#offset = start + length
    return this.#bytes.subarray(start, this.#offset)
  }

  uint(bytes: 2 | 4): number {
    return this.take(bytes).readUIntBE(0, bytes)
  }

  /** TPM2B: a length and so many bytes. */
  sized(): Buffer {
    return this.take(this.uint(2))
  }
}

function invalid(): HsmError {
  return new HsmError('ARGUMENT_INVALID', 'not certified by this counter for this question')
}
