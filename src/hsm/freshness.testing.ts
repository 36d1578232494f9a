/** A TPM counter of a test: TPMS_ATTEST put together by TPM 2.0 part 2, 10.12, and signed. */

import { generateKeyPairSync, sign } from 'node:crypto'

export class CounterOfTests {
  value: number
  readonly #key = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  readonly #name = Buffer.concat([Buffer.from([0, 0x0b]), Buffer.alloc(32, 5)])

  constructor(value: number) {
    this.value = value
  }

  get pinned(): { readonly publicKey: string; readonly name: string } {
    const publicKey = this.#key.publicKey.export({ format: 'der', type: 'spki' }).toString('hex')
    return { publicKey, name: this.#name.toString('hex') }
  }

  certify(nonce: Uint8Array): { attestation: Uint8Array; signature: Uint8Array } {
    const contents = Buffer.alloc(8)
    contents.writeBigUInt64BE(BigInt(this.value))
    const attestation = Buffer.concat([
      Buffer.from('ff5443478014', 'hex'),
      sized(Buffer.from('000b', 'hex')),
      sized(nonce),
      // Clock, reset and restart count, safe, firmware version.
      Buffer.alloc(8 + 4 + 4 + 1 + 8),
      sized(this.#name),
      Buffer.alloc(2),
      sized(contents),
    ])
    return { attestation, signature: sign('sha256', attestation, this.#key.privateKey) }
  }
}

function sized(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}
