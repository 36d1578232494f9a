/**
 * Challenges that anybody may ask for, before there is a login: one for each command, handed to everybody until it is
 * used up or half of its time is over, so that whoever asks a thousand times has the module make one.
 */

import type { Host } from '../host/host.ts'
import { approvalMsMax } from '../hsm/contract/approval.ts'
import type { Claim } from '../hsm/contract/commands.ts'

interface Challenge {
  readonly challenge: string
  /** Milliseconds since 1970. */
  readonly expires: number
}

type Issue = (claim: Claim, command: string) => Promise<Challenge>

export class StandingChallenges {
  readonly #host: Pick<Host, 'transportPublicKey'>
  readonly #issue: Issue
  /** By command, with the transport key of the process that issued it: the next one knows nothing of it. */
  readonly #standing = new Map<string, { readonly given: Challenge; readonly by: Buffer }>()

  constructor(host: Pick<Host, 'transportPublicKey'>, issue: Issue) {
    this.#host = host
    this.#issue = issue
  }

  async of(claim: Claim, command: string): Promise<Challenge> {
    const by = Buffer.from(await this.#host.transportPublicKey())
    const standing = this.#standing.get(command)
    const isGood =
      standing?.by.equals(by) && standing.given.expires - Date.now() > approvalMsMax / 2
    if (standing && isGood) return standing.given
    const given = await this.#issue(claim, command)
    this.#standing.set(command, { given, by })
    return given
  }

  /** It was used up. */
  forget(command: string): void {
    this.#standing.delete(command)
  }
}
