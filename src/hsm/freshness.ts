/**
 * Whether the sealed state that was opened is the newest that this module ever had (design section 5):
 * confirmed by a counter of a TPM whose key and name the sealed state pins. The state says what the
 * counter is to be next; before anything else is served, the counter has to say, certified for a
 * challenge of this start, that it is not beyond that. Then the state moves on by one, durably, and only
 * then the host raises the counter: so a crash in between costs nothing, and a state from before the last
 * confirmation is behind the counter for ever.
 *
 * Until then the module is as stopped by tampering; an officer who acknowledges that (the TPM is broken)
 * takes it upon himself, and status says `none`. Not covered: going back to what was within one life of
 * the module, between two confirmations.
 */

import type { PinnedCounterKey } from './contract/domain-commands.ts'
import { HsmError } from './contract/errors.ts'
import { type NvCertificate, openCounterCertificate } from './contract/nv-certificate.ts'
import type { Ledger } from './ledger.ts'

export type FreshnessState = 'none' | 'unconfirmed' | 'tpm counter'

/** Of the ledger's counter; key and name of the TPM's stand behind it. */
const prefix = 'freshness '

interface Pinned extends PinnedCounterKey {
  readonly next: number
}

export class Freshness {
  #isConfirmed = false
  #isAcknowledged = false

  /** What status says, and whether anything is served. */
  state(ledger: Ledger | undefined): FreshnessState {
    if (ledger === undefined || pinnedIn(ledger) === undefined) return 'none'
    if (this.#isConfirmed) return 'tpm counter'
    return this.#isAcknowledged ? 'none' : 'unconfirmed'
  }

  /** By tampering, or until the counter has said its word. */
  isStopped(ledger: Ledger): boolean {
    return ledger.tamper !== undefined || this.state(ledger) === 'unconfirmed'
  }

  /** Why nothing is served; empty otherwise. */
  reason(ledger: Ledger | undefined): string {
    const isAwaited = this.state(ledger) === 'unconfirmed'
    return isAwaited ? 'freshness: the TPM counter has not confirmed this state' : ''
  }

  /** For this start. */
  acknowledge(): void {
    this.#isAcknowledged = true
  }

  /**
   * Takes the counter's word. Answers what the counter is to become, and the changes to be sealed.
   * @param pin another counter from now on, at the value that it has
   * @throws HsmError ARGUMENT_INVALID, STATE_INVALID when the counter is behind or beyond the state
   */
  confirm(
    ledger: Ledger,
    certificate: NvCertificate,
    { nonce, pin }: { readonly nonce: Uint8Array; readonly pin: PinnedCounterKey | undefined },
  ): { readonly next: number; readonly changes: readonly Uint8Array[] } {
    const before = pinnedIn(ledger)
    const key = pin ?? before
    if (key === undefined) throw new HsmError('ARGUMENT_INVALID', 'no counter is pinned')
    const publicKey = Buffer.from(key.publicKey, 'hex')
    const value = openCounterCertificate(certificate, { publicKey, name: key.name, nonce })
    if (pin === undefined && before !== undefined) assertInStep(value, before.next)
    const next = value + 1
    const changes = [ledger.putCounter(nameOf(key), { next })]
    const isReplaced = before !== undefined && nameOf(before) !== nameOf(key)
    if (isReplaced) changes.push(ledger.putCounter(nameOf(before), undefined))
    this.#isConfirmed = true
    return { next, changes }
  }
}

/** One behind when the host ended between the state's step and the counter's. */
function assertInStep(value: number, next: number): void {
  if (value === next || value === next - 1) return
  const where = value > next ? 'beyond' : 'behind'
  throw new HsmError('STATE_INVALID', `the counter is ${where} this state: ${value}, not ${next}`)
}

function pinnedIn(ledger: Ledger): Pinned | undefined {
  const [name, counter] = ledger.counterOf(prefix) ?? []
  const [publicKey, index] = name?.slice(prefix.length).split(' ') ?? []
  const next = counter?.next
  if (publicKey === undefined || index === undefined || next === undefined) return undefined
  return { publicKey, name: index, next }
}

function nameOf({ publicKey, name }: PinnedCounterKey): string {
  return `${prefix}${publicKey} ${name}`
}
