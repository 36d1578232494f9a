/**
 * What a TPM certifies of an NV index (TPM 2.0 part 2, 10.12.9 and 10.12.12: TPMS_ATTEST of the type
 * TPM_ST_ATTEST_NV), signed with ECDSA P-256 by a restricted key of the same TPM, which signs nothing
 * that the TPM did not make. Read here to its last byte, and believed as far as the key is known: whoever
 * pins key, name and a nonce of his own has an answer that a host can withhold, not forge or repeat.
 */

import { createPublicKey, verify } from 'node:crypto'
import { TpmError } from './errors.ts'

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

/** @throws TpmError TPM_ANSWER_INVALID unless all of it is as expected and signed */
export function openNvCertificate(
  { attestation, signature }: NvCertificate,
  { publicKey, name, nonce }: NvExpected,
): NvValue {
  const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' })
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

function invalid(): TpmError {
  return new TpmError(
    'TPM_ANSWER_INVALID',
    'the TPM did not certify this counter for this question.',
  )
}
