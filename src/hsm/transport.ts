/**
 * The module's transport key, to which others seal what the module alone shall read: X-Wing
 * (draft-connolly-cfrg-xwing-kem section 5), that is ML-KEM-768 (FIPS 203) with X25519 (RFC 7748). It is
 * fresh at each start and never stored, so what was sealed to an earlier start opens no more. How
 * others seal to it, and the bytes, is in contract/transport.ts.
 */

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  type KeyObject,
} from 'node:crypto'
import {
  openSealed,
  type TransportPurpose,
  x25519FromRaw,
  xWingSecret,
} from './contract/transport.ts'
import { randomBytes } from './random.ts'
import { Secret } from './secret.ts'

const seedBytes = 32

export class TransportKey implements Disposable {
  /** ML-KEM-768 encapsulation key (1184), then X25519 public key (32). */
  readonly publicKey: Buffer
  #mlKem: KeyObject | undefined
  #x25519: KeyObject | undefined

  private constructor(mlKem: KeyObject, x25519: KeyObject) {
    this.#mlKem = mlKem
    this.#x25519 = x25519
    this.publicKey = Buffer.concat([rawPublicKey(mlKem), rawPublicKey(x25519)])
  }

  static generate(): TransportKey {
    using seed = new Secret(randomBytes(seedBytes))
    return TransportKey.fromSeed(seed)
  }

  /** X-Wing's expandDecapsulationKey: SHAKE256 of the 32 bytes gives d, z and the X25519 key. */
  static fromSeed(seed: Secret): TransportKey {
    const expanded = seed.expose((bytes) =>
      createHash('shake256', { outputLength: 96 }).update(bytes).digest(),
    )
    try {
      const mlKem = createPrivateKey({
        key: expanded.subarray(0, 64),
        format: 'raw-seed',
        asymmetricKeyType: 'ml-kem-768',
      })
      const x25519 = createPrivateKey({
        key: expanded.subarray(64),
        format: 'raw-private',
        asymmetricKeyType: 'x25519',
      })
      return new TransportKey(mlKem, x25519)
    } finally {
      expanded.fill(0)
    }
  }

  /** @throws HsmError CIPHERTEXT_INVALID when it was not sealed to this key, for this purpose */
  open(sealed: Uint8Array, purpose: TransportPurpose): Secret {
    return new Secret(
      openSealed(sealed, purpose, (mlKem, x25519) => this.decapsulate(mlKem, x25519)),
    )
  }

  /** X-Wing's shared secret, which the caller erases. @throws Error for an X25519 key of small order */
  decapsulate(mlKemCiphertext: Uint8Array, x25519Ciphertext: Uint8Array): Buffer {
    if (!this.#mlKem || !this.#x25519) throw new TypeError('transport key used after its end')
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

  /** Lets go of both keys, which OpenSSL overwrites when the collector, or the end of the process, frees them. */
  [Symbol.dispose](): void {
    this.#mlKem = undefined
    this.#x25519 = undefined
  }
}

function rawPublicKey(privateKey: KeyObject): Buffer {
  return createPublicKey(privateKey).export({ format: 'raw-public' })
}
