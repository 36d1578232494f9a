/**
 * The private half of X-Wing (draft-connolly-cfrg-xwing-kem section 5): ML-KEM-768 (FIPS 203) with X25519
 * (RFC 7748), both from one seed of 32 bytes. The module's transport key is one, and each custodian has
 * one. What is sealed to it, and how, is in transport.ts.
 */

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  type KeyObject,
} from 'node:crypto'
import { openSealed, type TransportPurpose, x25519FromRaw, xWingSecret } from './transport.ts'

export const xWingSeedBytes = 32

export class XWingPrivateKey {
  /** ML-KEM-768 encapsulation key (1184), then X25519 public key (32). */
  readonly publicKey: Buffer
  readonly #mlKem: KeyObject
  readonly #x25519: KeyObject

  /** X-Wing's expandDecapsulationKey: SHAKE256 of the seed gives d, z and the X25519 key. The seed stays the caller's. */
  constructor(seed: Uint8Array) {
    const expanded = createHash('shake256', { outputLength: 96 }).update(seed).digest()
    try {
      this.#mlKem = createPrivateKey({
        key: expanded.subarray(0, 64),
        format: 'raw-seed',
        asymmetricKeyType: 'ml-kem-768',
      })
      this.#x25519 = createPrivateKey({
        key: expanded.subarray(64),
        format: 'raw-private',
        asymmetricKeyType: 'x25519',
      })
    } finally {
      expanded.fill(0)
    }
    this.publicKey = Buffer.concat([rawPublicKey(this.#mlKem), rawPublicKey(this.#x25519)])
  }

  /** In memory of its own. @throws HsmError CIPHERTEXT_INVALID when it was not sealed to this key, for this purpose */
  open(sealed: Uint8Array, purpose: TransportPurpose, context?: Uint8Array): Buffer {
    const open = (mlKem: Uint8Array, x25519: Uint8Array) => this.decapsulate(mlKem, x25519)
    return openSealed(sealed, purpose, open, context)
  }

  /** X-Wing's shared secret, which the caller erases. @throws Error for an X25519 key of small order */
  decapsulate(mlKemCiphertext: Uint8Array, x25519Ciphertext: Uint8Array): Buffer {
    const mlKem = decapsulate(this.#mlKem, mlKemCiphertext)
    const x25519 = diffieHellman({
      privateKey: this.#x25519,
      publicKey: x25519FromRaw(x25519Ciphertext),
    })
    const x25519PublicKey = this.publicKey.subarray(-32)
    const shared = xWingSecret({ mlKem, x25519, x25519Ciphertext, x25519PublicKey })
    mlKem.fill(0)
    x25519.fill(0)
    return shared
  }
}

function rawPublicKey(privateKey: KeyObject): Buffer {
  return createPublicKey(privateKey).export({ format: 'raw-public' })
}
