/**
 * Challenges for approvals and sealed secrets: 32 random bytes that this module issued for one command
 * and remembers, in memory only, until they are used or too old. So nothing that was signed for one of
 * them works twice, after a restart, or on another module.
 */

import { approvalMsMax } from './contract/approval.ts'
import { HsmError } from './contract/errors.ts'
import { randomBytes } from './random.ts'

const challengesMax = 1_024
const challengeBytes = 32

interface Issued {
  readonly command: string
  readonly expires: number
}

export class Challenges {
  readonly #issued = new Map<string, Issued>()

  /** Hex. The oldest makes room when there are too many: whoever waits for it asks again. */
  issue(command: string, now: number): { readonly challenge: string; readonly expires: number } {
    for (const [known, { expires }] of this.#issued) {
      if (expires <= now || this.#issued.size >= challengesMax) this.#issued.delete(known)
      else break
    }
    const challenge = randomBytes(challengeBytes).toString('hex')
    const expires = now + approvalMsMax
    this.#issued.set(challenge, { command, expires })
    return { challenge, expires }
  }

  /** That it was issued for this command and not used. @throws HsmError CHALLENGE_INVALID */
  assertOpen(challenge: string, command: string, now: number): void {
    const issued = this.#issued.get(challenge)
    if (issued && issued.command === command && now < issued.expires) return
    throw new HsmError('CHALLENGE_INVALID', 'no such challenge is open for this command')
  }

  /** Used up. Answers how to open it again, for a command that then changed nothing. */
  take(challenge: string): () => void {
    const issued = this.#issued.get(challenge)
    this.#issued.delete(challenge)
    return () => {
      if (issued) this.#issued.set(challenge, issued)
    }
  }
}
