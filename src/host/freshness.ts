/**
 * The host's part of freshness by a TPM counter (src/hsm/freshness.ts): it asks the module for a
 * challenge, the TPM for the counter's word on it, hands that to the module, and raises the counter once
 * the module's step is durable. At each start, and again at an orderly end, so that what happened in
 * between cannot be undone either. When the TPM does not answer, the module stays stopped until an
 * officer acknowledges it; that is not the host's to decide.
 */

import path from 'node:path'
import type { Call, Claim } from '../hsm/contract/commands.ts'
import type { PinnedCounterKey } from '../hsm/contract/domain-commands.ts'
import { openCounterCertificate } from '../hsm/contract/nv-certificate.ts'
import type { DoorClient } from './door-client.ts'
import { messageOf } from './errors.ts'
import type { HostLogEntry } from './options.ts'
import { ask, call, hostClaim } from './start-up.ts'
import { TpmCounter, type TpmCounterOptions } from './tpm/counter.ts'
import { TpmError } from './tpm/errors.ts'

/** In the data folder. */
const counterFolderName = 'tpm-counter'

export interface FreshnessOptions {
  /** The data folder. */
  readonly folder: string
  /** Without, no counter is asked. */
  readonly counter?: TpmCounterOptions | undefined
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

  /** At an orderly end, if there was a counter at the start. */
  async confirmEnd(door: DoorClient): Promise<void> {
    if (this.#isPinned) await this.confirm(door)
  }

  /** If a counter is pinned. Never rejects: the module is what decides. */
  async confirm(door: DoorClient): Promise<void> {
    try {
      const { result } = await ask(door, hostClaim, call('getStatus', {}, {}))
      this.#isPinned = result.freshness !== 'none'
      if (!this.#isPinned) return
      const { counter: options } = this.#options
      if (options === undefined) throw new Error('no TPM was named')
      const counter = await TpmCounter.open(this.#folder, options)
      await this.#take(door, hostClaim, await callFor(door, hostClaim, counter), counter)
    } catch (error) {
      const message = `freshness is not confirmed: ${messageOf(error)}`
      this.#options.log({ level: 'error', message })
    }
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
