/**
 * New epochs at the host: when nothing is under way, everybody else waits, and a module that ends meanwhile
 * is not started again before the folder is settled (turn-epoch.ts has the steps).
 */

import type { Call, Claim } from '../hsm/contract/commands.ts'
import type { Gate } from './gate.ts'
import type { ModuleFiles } from './module-files.ts'
import type { EpochRequest, HostOptions } from './options.ts'
import type { Session } from './session.ts'
import { sealingAt } from './start-up.ts'
import {
  type EpochResult,
  type EpochTurn,
  epochTurn,
  type OwnSecret,
  ownSecret,
  type SecretKeeper,
  turnEpoch,
} from './turn-epoch.ts'

/** The part of a host that is needed here. */
export interface TurningHost {
  readonly options: HostOptions
  readonly gate: Gate
  readonly files: ModuleFiles
  readonly session: () => Session | undefined
  /** Resolves when no snapshot is being taken. */
  readonly snapshotTaken: () => Promise<void> | undefined
  readonly turned: (result: EpochResult) => void
}

export class Epochs {
  readonly #host: TurningHost
  #turning: Promise<EpochResult> | undefined
  /** The host's own secret for a seal that people were asked to approve. */
  #own: OwnSecret | undefined
  /** The last in line of what must not happen while an epoch is turned. */
  #line: Promise<unknown> = Promise.resolve()

  constructor(host: TurningHost) {
    this.#host = host
  }

  /** Resolves when no epoch is being turned. */
  async settled(): Promise<void> {
    await this.#turning?.catch(() => undefined)
  }

  /** One at a time: a seal that was made of a root key is kept before there is another root key. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#line.then(work)
    this.#line = done.catch(() => undefined)
    return done
  }

  /** @throws HsmError what the module refuses; HostError */
  renew(claim: Claim, request: EpochRequest, keeper?: SecretKeeper): Promise<EpochResult> {
    return this.exclusively(() => this.#renew(claim, request, keeper))
  }

  /** What renew asks the module first. @throws HsmError ARGUMENT_INVALID; HostError */
  async callFor(request: EpochRequest): Promise<Call<'beginEpoch'>> {
    const { options } = this.#host
    const { session, transportKey } = this.#ready()
    this.#own = await ownSecret(options, sealingAt(session.door, transportKey))
    return epochTurn(options, this.#own, request).begin
  }

  #ready(): { readonly session: Session; readonly transportKey: Uint8Array } {
    const session = this.#host.session()
    if (!session?.ready || !this.#host.gate.door) throw this.#host.gate.unavailable()
    return { session, transportKey: session.ready.transportKey }
  }

  async #renew(claim: Claim, request: EpochRequest, keeper?: SecretKeeper): Promise<EpochResult> {
    const { options, gate, turned } = this.#host
    const { session, transportKey } = this.#ready()
    const approved = request.approvals && this.#own
    const own = approved ?? (await ownSecret(options, sealingAt(session.door, transportKey)))
    const turn = epochTurn(options, own, request, keeper)
    gate.leave()
    this.#turning = this.#turn(session, claim, turn).finally(() => {
      this.#turning = undefined
      const isHere = this.#host.session() === session && gate.state === 'restarting'
      if (isHere) gate.open(session.door)
    })
    const result = await this.#turning
    await turn.kept()
    this.#own = undefined
    turned(result)
    return result
  }

  /** When nothing is under way any more. */
  async #turn(session: Session, claim: Claim, turn: EpochTurn): Promise<EpochResult> {
    const { files, snapshotTaken } = this.#host
    await snapshotTaken()
    return turnEpoch(session, files, claim, turn)
  }
}
