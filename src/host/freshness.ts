/**
 * The host's part of freshness (src/hsm/freshness.ts). By a TPM counter: it asks the module for a challenge, the TPM for
 * the counter's word on it, hands that to the module, and raises the counter once the module's step is durable. By a
 * witness: witnesses/start.ts. At each start, and again at an orderly end, so that what happened in between cannot be
 * undone either. When neither answers, the module stays stopped until an officer acknowledges it; that is not the host's
 * to decide.
 */

import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Call, Claim } from '../hsm/contract/commands.ts'
import type { PinnedCounterKey } from '../hsm/contract/domain-commands.ts'
import { openCounterCertificate } from '../hsm/contract/nv-certificate.ts'
import type { DoorClient } from './door-client.ts'
import { messageOf } from './errors.ts'
import type { HostLogEntry } from './options.ts'
import { plainDetail } from './sensors/sensor.ts'
import { ask, call, hostClaim } from './start-up.ts'
import { TpmCounter, type TpmCounterOptions } from './tpm/counter.ts'
import { TpmError } from './tpm/errors.ts'
import type { WitnessPlace } from './witnesses/client.ts'
import { WitnessFailure } from './witnesses/errors.ts'
import { confirmByWitness, pinWitness, type StartOptions } from './witnesses/start.ts'

/** Between two questions to a witness that does not answer. */
const againMs = [1_000, 2_000, 4_000, 8_000]
/** In the data folder. */
const counterFolderName = 'tpm-counter'

export interface FreshnessOptions {
  /** The data folder. */
  readonly folder: string
  /** Without, no counter is asked. */
  readonly counter?: TpmCounterOptions | undefined
  /** Without, no witness is asked. */
  readonly witnesses?: readonly WitnessPlace[] | undefined
  /** Of these the one that is pinned, unless something is already. */
  readonly freshnessWitness?: WitnessPlace | undefined
  readonly record: StartOptions['record']
  /** To the module, while it is operational. @throws HostError */
  readonly door: () => DoorClient
  readonly log: (entry: HostLogEntry) => void
}

export class HostFreshness {
  readonly #options: FreshnessOptions
  readonly #folder: string
  #isPinned = false

  constructor(options: FreshnessOptions) {
    this.#options = options
    this.#folder = path.join(options.folder, counterFolderName)
  }

  /** At an orderly end, if there was a counter or a witness at the start. */
  async confirmEnd(door: DoorClient): Promise<void> {
    if (this.#isPinned) await this.#logged(door, () => this.#confirm(door, []))
  }

  /**
   * If anything is pinned, or a witness is to be. One that does not answer is asked again after a while. Never rejects:
   * the module is what decides.
   */
  async confirm(door: DoorClient): Promise<void> {
    await this.#logged(door, async () => {
      const { result } = await ask(door, hostClaim, call('getStatus', {}, {}))
      this.#isPinned = result.freshness !== 'none'
      const { freshnessWitness } = this.#options
      if (this.#isPinned) await this.#confirm(door, againMs)
      else if (freshnessWitness) await this.#pinWitness(door, freshnessWitness)
    })
  }

  async #confirm(door: DoorClient, pausesMs: readonly number[]): Promise<void> {
    if (await this.#askWitness(door, pausesMs)) return
    const { counter: options } = this.#options
    if (options === undefined) throw new Error('neither the TPM nor the witness was named')
    const counter = await TpmCounter.open(this.#folder, options)
    await this.#take(door, hostClaim, await callFor(door, hostClaim, counter), counter)
  }

  async #logged(door: DoorClient, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      const message = `freshness is not confirmed: ${messageOf(error)}`
      this.#options.log({ level: 'error', message })
      if (isBack(error)) await this.#report(door, messageOf(error))
    }
  }

  async #pinWitness(door: DoorClient, place: WitnessPlace): Promise<void> {
    const { record } = this.#options
    await pinWitness(door, hostClaim, { place, record })
    this.#isPinned = true
  }

  /** So that it stays known over restarts. */
  async #report(door: DoorClient, message: string): Promise<void> {
    const args = { signal: 'state-back', detail: plainDetail(`witness: ${message}`) } as const
    await ask(door, hostClaim, call('reportTamper', args, {})).catch((error: unknown) => {
      this.#options.log({ level: 'error', message: `state-back: ${messageOf(error)}` })
    })
  }

  async #askWitness(door: DoorClient, pausesMs: readonly number[]): Promise<boolean> {
    const { witnesses: places = [], record } = this.#options
    if (places.length === 0) return false
    for (const pauseMs of [...pausesMs, undefined]) {
      try {
        return (await confirmByWitness(door, hostClaim, { places, record })) !== undefined
      } catch (error) {
        const isPassing = error instanceof WitnessFailure && error.code === 'WITNESS_UNREACHABLE'
        if (!isPassing || pauseMs === undefined) throw error
        await delay(pauseMs)
      }
    }
    return false
  }

  /**
   * The command that pins the counter of this machine's TPM, which is made if there is none yet: good for one
   * time, and for people to approve before.
   * @throws TpmError; HostError
   */
  async pinCall(claim: Claim, door = this.#options.door()): Promise<Call<'confirmCounter'>> {
    const { counter: options } = this.#options
    if (options === undefined) {
      throw new TpmError('TPM_UNAVAILABLE', 'no TPM was named: start the server with --tpm.')
    }
    const counter = await TpmCounter.create(this.#folder, options)
    const { publicKey, name } = counter.pinned
    const pin = { publicKey: Buffer.from(publicKey, 'base64').toString('hex'), name }
    return callFor(door, claim, counter, pin)
  }

  /**
   * Pins the counter in the sealed state, in place of any other: from then on a start with an older state stops
   * the module. Under the rule `unlock`.
   * @param pinning what pinCall answered, perhaps with approvals
   * @throws TpmError; HsmError what the module refused; HostError
   */
  async pin(
    claim: Claim,
    pinning: Call<'confirmCounter'>,
    door = this.#options.door(),
  ): Promise<void> {
    const counter = await TpmCounter.open(this.#folder, this.#options.counter)
    await assertPinnable(counter, pinning)
    await this.#take(door, claim, pinning, counter)
  }

  /** What the module answers is durable when it arrives: then the counter follows, to what it answered. */
  async #take(
    door: DoorClient,
    claim: Claim,
    asked: Call<'confirmCounter'>,
    counter: TpmCounter,
  ): Promise<void> {
    await ask(door, claim, asked)
    this.#isPinned = true
    await counter.raise()
  }
}

/** Another counter, or a value of some time ago, would stop the next start. @throws TpmError, HsmError */
async function assertPinnable(
  counter: TpmCounter,
  { arguments: { challenge, pin }, parts }: Call<'confirmCounter'>,
): Promise<void> {
  const { name, publicKey: key } = counter.pinned
  const publicKey = Buffer.from(key, 'base64')
  const nonce = Buffer.from(challenge, 'hex')
  const isThis = pin?.name === name && pin.publicKey === publicKey.toString('hex')
  if (isThis) {
    const value = openCounterCertificate(parts, { publicKey, name, nonce })
    if (value === (await counter.read(nonce)).value) return
  }
  throw new TpmError('TPM_ANSWER_INVALID', 'this is not what the counter says now: ask it anew.')
}

/** With the counter's word for a new challenge. */
async function callFor(
  door: DoorClient,
  claim: Claim,
  counter: TpmCounter,
  pin?: PinnedCounterKey,
): Promise<Call<'confirmCounter'>> {
  const asked = call('getChallenge', { command: 'confirmCounter' }, {})
  const { challenge } = (await ask(door, claim, asked)).result
  const { attestation, signature } = await counter.read(Buffer.from(challenge, 'hex'))
  const args = pin === undefined ? { challenge } : { challenge, pin }
  return call('confirmCounter', args, { attestation, signature })
}

function isBack(error: unknown): boolean {
  return (
    error instanceof WitnessFailure &&
    (error.code === 'RECORD_BACK' || error.code === 'RECORD_FORKED')
  )
}
