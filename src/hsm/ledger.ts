/**
 * The part of the sealed state that is neither secret nor floor: the domain state in force, whether the
 * module was tampered with, and counters that survive a restart (failed logins, reserved uses). All of
 * it is JSON that only this module writes and that opens only under its state key, so that reading it
 * back needs no more than knowing that it is whole.
 */

import type { Custodians, DomainState, SignedDomainState } from './contract/domain-state.ts'
import { HsmError } from './contract/errors.ts'
import type { TamperMark } from './contract/tamper.ts'
import type { StoredStarts } from './starts.ts'
import { changeKinds, stateChange } from './state-change.ts'

/** With the MAC of the domain, in hex: that whoever made it holds the domain root key. */
export interface StoredDomainState extends SignedDomainState {
  readonly mac: string
}

/** Integers by name. */
export type Counter = Readonly<Record<string, number>>

/** What the epoch before left, until the next one is shredded: what its certificate says. */
export interface ShredMark {
  readonly epochBefore: number
  readonly custodians: Custodians | null
  /** Seals of that epoch, as many as were made of each kind. */
  readonly seals: Counter
  /** Modules that are members no longer. */
  readonly expelled: readonly string[]
  /** Milliseconds since 1970. */
  readonly begun: number
}

/** Counters: seals of the epoch by kind; how the shredding of the epoch before ended. */
export const sealsCounter = 'seals'
export const shreddedCounter = 'shredded'
/** Of keys: the beginning of the names. */
export const usesCounter = 'uses '
/** Of failed logins: the beginning of the names; the kind, a colon and a person's name stand behind it. */
export const loginsCounter = 'login '

/** The pinned witness, and the starts that it was asked to confirm. */
export interface WitnessMark {
  /** Its verifier key (contract/cosignature.ts). */
  readonly pinned: string | null
  readonly starts: StoredStarts
}

/**
 * Keys whose uses are counted. The other counters are as many as there are people, twice, and a few more;
 * there is always room for one of those, so that whoever may make keys cannot keep failures uncounted.
 */
export const usesCountersMax = 16_384

interface Encoded {
  readonly domainState: StoredDomainState
  readonly tamper: TamperMark | null
  readonly counters: readonly (readonly [string, Counter])[]
  readonly shred: ShredMark | null
  /** Absent in what an earlier release sealed. */
  readonly witness?: WitnessMark | null
}

export class Ledger {
  #stored: StoredDomainState
  #state: DomainState
  #tamper: TamperMark | null
  readonly #counters: Map<string, Counter>
  readonly #shred: ShredMark | null
  #witness: WitnessMark | null

  constructor(
    domainState: StoredDomainState,
    tamper: TamperMark | null = null,
    counters: Encoded['counters'] = [],
    shred: ShredMark | null = null,
    witness: WitnessMark | null = null,
  ) {
    this.#stored = domainState
    this.#state = parse<DomainState>(domainState.statement)
    this.#tamper = tamper
    this.#counters = new Map(counters)
    this.#shred = shred
    this.#witness = witness
  }

  /** @throws HsmError STATE_INVALID */
  static decode(bytes: Uint8Array): Ledger {
    const encoded = parse<Encoded>(Buffer.from(bytes).toString())
    const { domainState, tamper, counters, shred, witness } = encoded
    return new Ledger(domainState, tamper, counters, shred, witness)
  }

  get domainState(): DomainState {
    return this.#state
  }

  get signedDomainState(): StoredDomainState {
    return this.#stored
  }

  /** Undefined unless the module was tampered with and nobody has acknowledged it. */
  get tamper(): TamperMark | undefined {
    return this.#tamper ?? undefined
  }

  /** Of the epoch before this one; undefined in the first. */
  get shred(): ShredMark | undefined {
    return this.#shred ?? undefined
  }

  get witness(): WitnessMark | undefined {
    return this.#witness ?? undefined
  }

  /** With which another epoch begins: its own domain state and seals, everything else as it is. */
  forNextEpoch(domainState: StoredDomainState, seals: Counter, shred: ShredMark): Ledger {
    const counters = [...this.#counters].filter(([name]) => name !== shreddedCounter)
    const next = new Map<string, Counter>([...counters, [sealsCounter, seals]])
    return new Ledger(domainState, this.#tamper, [...next], shred, this.#witness)
  }

  counter(name: string): Counter | undefined {
    return this.#counters.get(name)
  }

  /** The one whose name begins so, if there is one. */
  counterOf(prefix: string): readonly [name: string, counter: Counter] | undefined {
    for (const entry of this.#counters) if (entry[0].startsWith(prefix)) return entry
    return undefined
  }

  encode(): Buffer {
    const encoded: Encoded = {
      domainState: this.#stored,
      tamper: this.#tamper,
      counters: [...this.#counters],
      shred: this.#shred,
      witness: this.#witness,
    }
    return Buffer.from(JSON.stringify(encoded))
  }

  /** In force at once; answers the change, which is to be sealed and stored. */
  putDomainState(stored: StoredDomainState): Uint8Array {
    return this.#change('domainState', stored)
  }

  putTamper(mark: TamperMark | null): Uint8Array {
    return this.#change('tamper', mark)
  }

  putWitness(mark: WitnessMark): Uint8Array {
    return this.#change('witness', mark)
  }

  /** Undefined forgets the counter. @throws HsmError LEDGER_FULL for one of uses, when there are too many */
  putCounter(name: string, counter: Counter | undefined): Uint8Array {
    const isFurtherUse = counter && name.startsWith(usesCounter) && !this.#counters.has(name)
    // With the others among them: a few fewer, rather than looked for at every key.
    if (isFurtherUse && this.#counters.size >= usesCountersMax) {
      throw new HsmError('LEDGER_FULL', `the uses of ${usesCountersMax} keys are counted`)
    }
    return this.#change('counter', [name, counter ?? null])
  }

  /** One more seal of the root key that is in force. */
  countSeal(kind: string): Uint8Array {
    const seals = this.counter(sealsCounter) ?? {}
    return this.putCounter(sealsCounter, { ...seals, [kind]: (seals[kind] ?? 0) + 1 })
  }

  #change(kind: 'domainState' | 'tamper' | 'counter' | 'witness', value: unknown): Uint8Array {
    const change = stateChange(kind, Buffer.from(JSON.stringify(value)))
    this.apply(change)
    return change
  }

  /** The keys are destroyed. */
  #forgetUses(): void {
    for (const name of this.#counters.keys()) {
      if (name.startsWith(usesCounter)) this.#counters.delete(name)
    }
  }

  /** Of who is nobody any more: so that there are no more of them than people. */
  #forgetLogins(): void {
    const names = new Set(this.#state.people.map(({ name }) => name))
    for (const name of this.#counters.keys()) {
      const person = name.slice(name.indexOf(': ') + 2)
      if (name.startsWith(loginsCounter) && !names.has(person)) this.#counters.delete(name)
    }
  }

  /** @throws HsmError STATE_INVALID for what is no change of the ledger */
  apply(change: Uint8Array): void {
    const text = Buffer.from(change.subarray(1)).toString()
    if (change[0] === changeKinds.domainState) {
      this.#stored = parse<StoredDomainState>(text)
      this.#state = parse<DomainState>(this.#stored.statement)
      if (this.#state.weakening?.version === this.#state.version) this.#forgetUses()
      this.#forgetLogins()
    } else if (change[0] === changeKinds.tamper) {
      this.#tamper = parse<TamperMark | null>(text)
    } else if (change[0] === changeKinds.counter) {
      const [name, counter] = parse<readonly [string, Counter | null]>(text)
      if (counter) this.#counters.set(name, counter)
      else this.#counters.delete(name)
    } else if (change[0] === changeKinds.witness) {
      this.#witness = parse<WitnessMark>(text)
    } else throw new HsmError('STATE_INVALID', 'not a change of the sealed state')
  }
}

function parse<T>(text: string): T {
  try {
    return JSON.parse(text) as T
  } catch (cause) {
    throw new HsmError('STATE_INVALID', 'the sealed state is not whole', { cause })
  }
}
