/**
 * What a command brings sealed to the transport key (contract/sealed-part.ts). The challenge that it was
 * sealed for is taken while the command runs, and given back when that changes nothing: so nothing that
 * was sealed once comes in twice, whoever keeps the bytes.
 */

import { cutSealedPart, type Destination, destinationContext } from './contract/sealed-part.ts'
import type { Module } from './module.ts'
import type { Secret } from './secret.ts'

type Needed = Pick<Module, 'challenges' | 'transport' | 'now'>

/** Erases the secrets at its end, and gives the challenges back unless they were used up. */
export class SealedParts implements Disposable {
  readonly #module: Needed
  readonly #secrets = new DisposableStack()
  readonly #taken = new Map<string, () => void>()

  constructor(module: Needed) {
    this.#module = module
  }

  /**
   * Parts of one command may be sealed for one challenge. The secret is this object's.
   * @throws HsmError CIPHERTEXT_INVALID when it was sealed for something else, CHALLENGE_INVALID when the
   *   challenge is used up, too old or not of this start
   */
  open(part: Uint8Array, destination: Destination): Secret {
    const { challenge, sealed } = cutSealedPart(part)
    const { challenges, transport } = this.#module
    const context = destinationContext(destination, challenge)
    const secret = this.#secrets.use(transport.open(sealed, destination.purpose, context))
    if (this.#taken.has(challenge)) return secret
    challenges.assertOpen(challenge, destination.command, this.#module.now())
    this.#taken.set(challenge, challenges.take(challenge))
    return secret
  }

  /**
   * The command has done what it was asked: nothing of this is accepted again. Answers how to open the
   * challenges again, for what is taken back as a whole later.
   */
  useUp(): () => void {
    const taken = [...this.#taken.values()]
    this.#taken.clear()
    return () => {
      for (const giveBack of taken) giveBack()
    }
  }

  [Symbol.dispose](): void {
    for (const giveBack of this.#taken.values()) giveBack()
    this.#taken.clear()
    this.#secrets.dispose()
  }
}
