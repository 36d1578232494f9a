/**
 * Whether the sealed state that was opened is the newest that this module ever had (design section 5): confirmed by a
 * counter of a TPM or by a witness, whichever the sealed state pins. Until then the module is as stopped by tampering;
 * an officer who acknowledges that (the TPM is broken, the witness gone) takes it upon himself, and status says `none`.
 * Not covered: going back to what was within one life of the module, between two confirmations.
 *
 * The counter: the state says what it is to be next; before anything else is served it has to say, certified for a
 * challenge of this start, that it is not beyond that. Then the state moves on by one, durably, and only then the host
 * raises the counter: so a crash in between costs nothing, and a state from before the last confirmation is behind the
 * counter for ever.
 *
 * The witness: a random leaf is added to the log of starts, durably, and this log's head and the record's are signed.
 * The module serves when the witness has cosigned both. It cosigns only what extends what it saw last, so what it saw
 * last is in this state and in this record; and it cannot have cosigned these heads before, because of the leaf.
 */

import { type Checkpoint, checkpointText } from './contract/checkpoint.ts'
import { cosignedAt, parseWitnessKey } from './contract/cosignature.ts'
import type { PinnedCounterKey } from './contract/domain-commands.ts'
import { HsmError } from './contract/errors.ts'
import { type NvCertificate, openCounterCertificate } from './contract/nv-certificate.ts'
import { type NoteKey, noteKeyId } from './contract/signed-note.ts'
import type { Ledger } from './ledger.ts'
import { confirmedStarts, type StoredStarts, treeOfStarts, withStart } from './starts.ts'
import type { OpenModule } from './unlock.ts'

export type FreshnessState = 'none' | 'unconfirmed' | 'tpm counter' | 'witness'

/** Of the ledger's counter; key and name of the TPM's stand behind it. */
const prefix = 'freshness '

interface Pinned extends PinnedCounterKey {
  readonly next: number
}

/** What the witness is asked to cosign: of the log of starts, and of the record. */
interface Heads {
  readonly starts: Checkpoint
  readonly record: Checkpoint
}

/** The heads as signed notes, and the starts, for the host to prove from. */
export interface SignedStart {
  readonly starts: string
  readonly record: string
  readonly stored: StoredStarts
  readonly changes: readonly Uint8Array[]
}

export class Freshness {
  #isConfirmed = false
  #isAcknowledged = false
  /** Of this process: none but these count. */
  #asked: Heads | undefined

  /** What status says, and whether anything is served. */
  state(ledger: Ledger | undefined): FreshnessState {
    const pinned = ledger && kindOf(ledger)
    if (pinned === undefined) return 'none'
    if (this.#isConfirmed) return pinned
    return this.#isAcknowledged ? 'none' : 'unconfirmed'
  }

  /** By tampering, or until the counter or the witness has said its word. */
  isStopped(ledger: Ledger): boolean {
    return ledger.tamper !== undefined || this.state(ledger) === 'unconfirmed'
  }

  /** Why nothing is served; empty otherwise. */
  reason(ledger: Ledger | undefined): string {
    if (ledger === undefined || this.state(ledger) !== 'unconfirmed') return ''
    const who = kindOf(ledger) === 'witness' ? 'witness' : 'TPM counter'
    return `freshness: the ${who} has not confirmed this state`
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
    const { witness } = ledger
    if (pin && witness?.pinned) changes.push(ledger.putWitness({ ...witness, pinned: null }))
    this.#isConfirmed = true
    return { next, changes }
  }

  /** Another start in the log of starts; to be sealed before the witness sees the heads. @throws HsmError LEDGER_FULL */
  signStart({ domain, ledger, record }: OpenModule): SignedStart {
    const stored = withStart(ledger.witness?.starts)
    const tree = treeOfStarts(stored)
    const starts = { origin: startsOrigin(domain.origin), size: tree.size, root: tree.root() }
    const changes = [ledger.putWitness({ pinned: ledger.witness?.pinned ?? null, starts: stored })]
    this.#asked = { starts, record: { origin: domain.origin, ...record.head } }
    return {
      starts: domain.signHead(starts, { isPostQuantum: false }),
      record: record.signHead(),
      stored,
      changes,
    }
  }

  /**
   * Takes the witness's word on the heads that were signed last; answers the changes to be sealed.
   * @param pin another witness from now on, in place of whatever confirmed before
   * @throws HsmError ARGUMENT_INVALID
   */
  confirmByWitness(
    ledger: Ledger,
    cosignatures: { readonly starts: Uint8Array; readonly record: Uint8Array },
    pin: string | undefined,
  ): readonly Uint8Array[] {
    const { witness } = ledger
    const pinned = pin ?? witness?.pinned
    if (!pinned || !witness) throw new HsmError('ARGUMENT_INVALID', 'no witness is pinned')
    const asked = this.#asked
    if (!asked) throw new HsmError('ARGUMENT_INVALID', 'no heads were signed for a witness')
    const key = parseWitnessKey(pinned)
    assertCosigned(key, asked.starts, cosignatures.starts)
    assertCosigned(key, asked.record, cosignatures.record)
    this.#asked = undefined
    this.#isConfirmed = true
    const counter = pinnedIn(ledger)
    return [
      ledger.putWitness({ pinned, starts: confirmedStarts(witness.starts) }),
      ...(pin && counter ? [ledger.putCounter(nameOf(counter), undefined)] : []),
    ]
  }
}

/** At whatever time: nobody here knows it. @throws HsmError ARGUMENT_INVALID */
function assertCosigned(key: NoteKey, head: Checkpoint, cosignature: Uint8Array): void {
  const signature = Buffer.from(cosignature)
  const signatures = [{ name: key.name, keyId: noteKeyId(key), signature }]
  try {
    cosignedAt(key, { text: checkpointText(head), signatures })
  } catch (cause) {
    if (!(cause instanceof HsmError)) throw cause
    throw new HsmError('ARGUMENT_INVALID', 'the witness has not signed this head', { cause })
  }
}

/** Of the heads of the log of starts. */
function startsOrigin(origin: string): string {
  return `${origin}/starts`
}

/** What the sealed state pins. */
function kindOf(ledger: Ledger): 'tpm counter' | 'witness' | undefined {
  if (ledger.witness?.pinned) return 'witness'
  return pinnedIn(ledger) ? 'tpm counter' : undefined
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
