/**
 * The module's transport key, to which others seal what the module alone shall read: X-Wing, ML-KEM-768
 * with X25519 (contract/x-wing.ts). It is fresh at each start and never stored, so what was sealed to an
 * earlier start opens no more. How others seal to it, and the bytes, is in contract/transport.ts.
 */

import type { TransportPurpose } from './contract/transport.ts'
import { XWingPrivateKey, xWingSeedBytes } from './contract/x-wing.ts'
import { randomBytes } from './random.ts'
import { Secret } from './secret.ts'

export class TransportKey implements Disposable {
  /** ML-KEM-768 encapsulation key (1184), then X25519 public key (32). */
  readonly publicKey: Buffer
  #key: XWingPrivateKey | undefined

  private constructor(key: XWingPrivateKey) {
    this.#key = key
    this.publicKey = key.publicKey
  }

  static generate(): TransportKey {
    using seed = new Secret(randomBytes(xWingSeedBytes))
    return TransportKey.fromSeed(seed)
  }

  static fromSeed(seed: Secret): TransportKey {
    return new TransportKey(seed.expose((bytes) => new XWingPrivateKey(bytes)))
  }

  /** @throws HsmError CIPHERTEXT_INVALID when it was not sealed to this key, for this purpose, in this context */
  open(sealed: Uint8Array, purpose: TransportPurpose, context?: Uint8Array): Secret {
    if (!this.#key) throw new TypeError('transport key used after its end')
    return new Secret(this.#key.open(sealed, purpose, context))
  }

  /** Lets go of both keys, which OpenSSL overwrites when the collector, or the end of the process, frees them. */
  [Symbol.dispose](): void {
    this.#key = undefined
  }
}
