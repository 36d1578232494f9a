/**
 * A model of every command that makes, changes or carries keys, over symbolic secrets, with somebody who may
 * ask for all of them. What the commands permit is not written here: the model asks the rules of the module
 * (safe-use-rules.ts), which a test may replace by weaker ones.
 *
 * Commands only ever add keys, ciphertexts and knowledge, so the set of everything that any sequence can
 * reach is the least fixpoint of the rules below. A secret is a term: who made it and from what.
 */

import {
  type KeyClass,
  type KeyTypeName,
  type KeyUse,
  keyClasses,
  keyTypes,
  keyUses,
} from '../../src/hsm/contract/algorithms.ts'
import type { KeyAttributes, Provenance } from '../../src/hsm/contract/keys.ts'
import type { MakingCommand } from '../../src/hsm/keys/inheritance.ts'
import { acceptedBy, allowed, now, type Rules, text } from './safe-use-rules.ts'

/** A derivation of a derivation of a derivation: deeper ones repeat what these do. */
const depthMax = 3

/** How a secret came to be, from which every copy of it comes. */
export interface Secret {
  readonly name: string
  readonly depth: number
  /** Strength in bits of the key that it was first. */
  readonly strengthBits: number
  /** That nobody outside may ever read it: see `kept` below. */
  readonly isKept: boolean
  /** Whoever asks knows it from the beginning: he made it. */
  readonly isHis: boolean
}

interface Key {
  readonly secret: Secret
  readonly attributes: KeyAttributes
  /** He holds the private half of this public key, or its bytes. */
  readonly isHis: boolean
}

export interface Options {
  readonly rules: Rules
  /** Whether he may take in keys of his own that wrap: what approval by rule `export` is there to refuse. */
  readonly ownWrappingKeys: boolean
}

export interface Finding {
  readonly secret: Secret
  /** What somebody has to be able to break to read it; 0 for nothing. */
  readonly costBits: number
}

export class Model {
  readonly #rules: Rules
  readonly #options: Options
  readonly #keys = new Map<string, Key>()
  readonly #secrets = new Map<string, Secret>()
  readonly #pending: Key[] = []
  /** Ciphertexts: under which secret (or whose public half), what. */
  readonly #wrapped = new Map<Secret, Set<Secret>>()
  readonly #wrappable = new Map<KeyTypeName, ReadonlySet<Secret>>()
  readonly #cost = new Map<string, number>()
  /** The rules look at attributes alone, so each is asked once for each of them. */
  readonly #answers = new Map<string, boolean>()
  readonly #changed = new Map<string, readonly KeyAttributes[]>()

  constructor(options: Options) {
    this.#rules = options.rules
    this.#options = options
  }

  /**
   * Everything that any sequence of commands reaches.
   *
   * @param until a finding with such a name is enough
   */
  run(until?: RegExp): this {
    for (const attributes of this.#accepted('generated', 'secret')) this.#generate(attributes)
    for (const attributes of this.#accepted('generated', 'private')) this.#generate(attributes)
    for (const keyClass of keyClasses) {
      for (const attributes of this.#accepted('imported', keyClass)) this.#import(attributes)
    }
    for (let key = this.#pending.pop(); key; key = this.#pending.pop()) this.#use(key)
    // Who wraps or derives is known by now; what can be read follows from one another.
    for (let size = -1; size !== this.#size(); ) {
      size = this.#size()
      this.#wrappable.clear()
      for (const key of [...this.#keys.values()]) this.#useOnOthers(key)
      for (let key = this.#pending.pop(); key; key = this.#pending.pop()) this.#use(key)
      this.#read()
      if (until && this.findings().some(({ secret }) => until.test(secret.name))) break
    }
    return this
  }

  get keyCount(): number {
    return this.#keys.size
  }

  get secretCount(): number {
    return this.#secrets.size
  }

  get ciphertextCount(): number {
    return [...this.#wrapped.values()].reduce((sum, targets) => sum + targets.size, 0)
  }

  /** Kept secrets that somebody reads who can break less than their own strength. */
  findings(): Finding[] {
    return [...this.#secrets.values()]
      .map((secret) => ({ secret, costBits: this.#costOf(secret) }))
      .filter(({ secret, costBits }) => secret.isKept && costBits < secret.strengthBits)
  }

  /** Whether a secret of such a name is read for less than its strength, kept or not. */
  isReadable(name: RegExp): boolean {
    return [...this.#secrets.values()].some(
      (secret) => name.test(secret.name) && this.#costOf(secret) < secret.strengthBits,
    )
  }

  #size(): number {
    const costs = [...this.#cost.values()].reduce((sum, bits) => sum + bits, 0)
    return this.#keys.size * 1e9 + this.ciphertextCount * 1e5 + this.#cost.size * 1e3 - costs
  }

  #costOf({ name, isHis, strengthBits }: Secret): number {
    return isHis ? 0 : (this.#cost.get(name) ?? strengthBits)
  }

  #accepted(provenance: Provenance, keyClass: KeyClass): readonly KeyAttributes[] {
    return acceptedBy(this.#rules, { provenance, keyClass })
  }

  #generate(attributes: KeyAttributes): void {
    const isKept = this.#options.ownWrappingKeys ? !attributes.exportable : true
    this.#make(`generated ${text(attributes)}`, attributes, { isKept })
  }

  #import(attributes: KeyAttributes): void {
    const { uses, class: keyClass } = attributes
    const wraps = uses.some((use) => use === 'wrap' || use === 'unwrap')
    if (!wraps || this.#options.ownWrappingKeys) {
      this.#make('his', attributes, { isKept: false, isHis: true })
    }
    // Somebody else's, sealed to the module for exactly this template.
    const isKept = keyClass !== 'public' && !attributes.exportable
    this.#make(`another's ${text(attributes)}`, attributes, { isKept })
  }

  #make(
    name: string,
    attributes: KeyAttributes,
    of: { readonly isKept: boolean; readonly isHis?: boolean; readonly depth?: number },
  ): void {
    const { isKept, isHis = false, depth = 0 } = of
    const { strengthBits } = keyTypes[attributes.type]
    const secret = this.#secrets.get(name) ?? { name, depth, strengthBits, isKept, isHis }
    this.#add({ secret, attributes, isHis })
  }

  #add(key: Key): void {
    this.#secrets.set(key.secret.name, key.secret)
    const name = `${key.secret.name} as ${text(key.attributes)}`
    if (this.#keys.has(name)) return
    this.#keys.set(name, key)
    this.#pending.push(key)
  }

  #may({ attributes }: Key, use: KeyUse): boolean {
    return this.#permits(`${use} ${text(attributes)}`, () =>
      this.#rules.assertUse(attributes, use, undefined, now),
    )
  }

  #permits(question: string, rule: () => unknown): boolean {
    const known = this.#answers.get(question)
    if (known !== undefined) return known
    const answer = allowed(() => {
      rule()
      return true
    })
    this.#answers.set(question, answer === true)
    return answer === true
  }

  #mayMake(command: MakingCommand, made: KeyAttributes, from: KeyAttributes): boolean {
    return this.#permits(`${command} ${text(made)} from ${text(from)}`, () => {
      this.#rules.assertMakes(command, made)
      this.#rules.assertInherits(made, from)
    })
  }

  /** What a key does alone: it is changed, and others are made from it. */
  #use(key: Key): void {
    this.#change(key)
    if (this.#may(key, 'derive')) this.#makeFrom(key, 'deriveKey', 'derived from')
    if (this.#may(key, 'agree')) {
      this.#makeFrom(key, 'agree', 'agreed with another by')
      this.#makeFrom(key, 'agree', 'agreed with him by', true)
    }
    if (this.#may(key, 'encapsulate')) this.#makeFrom(key, 'encapsulate', 'encapsulated to')
    if (this.#may(key, 'decapsulate')) {
      this.#makeFrom(key, 'decapsulate', 'encapsulated to')
      this.#makeFrom(key, 'decapsulate', 'encapsulated by him to', true)
    }
    if (this.#may(key, 'unwrap')) {
      this.#makeFrom(key, 'unwrapKey', "another's, wrapped under")
      // Anybody wraps under a public half.
      if (key.attributes.class === 'private') this.#makeFrom(key, 'unwrapKey', 'his, under', true)
    }
  }

  /** Everything that a change could say, also what none may. */
  #change({ secret, attributes, isHis }: Key): void {
    const name = text(attributes)
    const all = this.#changed.get(name) ?? this.#changesOf(attributes)
    this.#changed.set(name, all)
    for (const changed of all) this.#add({ secret, attributes: changed, isHis })
  }

  #changesOf(attributes: KeyAttributes): KeyAttributes[] {
    const { uses } = attributes
    const changes: object[] = [
      { exportable: true },
      { plaintextRelease: true },
      { provenance: 'generated' },
      { state: 'deactivated' },
      ...keyUses.map((use) => ({ uses: [...uses, use] })),
      ...uses.map((use) => ({ uses: uses.filter((one) => one !== use) })),
    ]
    return changes.flatMap((untrusted) => {
      const changed = allowed(() =>
        this.#rules.changeAttributes(attributes, this.#rules.parseChange(untrusted)),
      )
      return changed ? [{ ...changed, revision: 1 }] : []
    })
  }

  /** A secret that this key makes, as every kind of key; the same secret each time. */
  #makeFrom(parent: Key, command: MakingCommand, how: string, isHis = parent.isHis): void {
    const { secret, attributes } = parent
    if (secret.depth >= depthMax) return
    const name = `${how} (${secret.name})`
    const unwraps = command === 'unwrapKey'
    const classes: readonly KeyClass[] = unwraps ? ['secret', 'private'] : ['secret']
    const leaves = attributes.exportable || attributes.plaintextRelease
    const isKept = !isHis && secret.isKept && !leaves && attributes.class !== 'public'
    for (const keyClass of classes) {
      for (const made of this.#accepted(unwraps ? 'unwrapped' : 'derived', keyClass)) {
        if (!this.#mayMake(command, made, attributes)) continue
        this.#make(name, made, { isKept, isHis, depth: secret.depth + 1 })
      }
    }
    if (attributes.plaintextRelease) this.#learn(this.#secrets.get(name), 0)
  }

  /** What a key does with what others are: wrap them, unwrap what was wrapped, decrypt it. */
  #useOnOthers(key: Key): void {
    if (this.#may(key, 'wrap')) {
      const targets = this.#wrapped.get(key.secret) ?? new Set()
      this.#wrapped.set(key.secret, targets)
      for (const target of this.#wrappableUnder(key.attributes.type)) targets.add(target)
    }
    const [decrypts, unwraps] = [this.#may(key, 'decrypt'), this.#may(key, 'unwrap')]
    for (const target of this.#wrapped.get(key.secret)?.values() ?? []) {
      if (decrypts) this.#learn(target, 0)
      if (unwraps) this.#unwrap(key, target)
    }
    const answers: readonly KeyUse[] = ['mac', 'encrypt', 'decrypt']
    if (answers.some((use) => this.#may(key, use))) {
      // The functions that derive are those that these answer with.
      this.#learn(this.#secrets.get(`derived from (${key.secret.name})`), 0)
    }
  }

  #wrappableUnder(type: KeyTypeName): ReadonlySet<Secret> {
    const known = this.#wrappable.get(type)
    if (known) return known
    const found = new Set<Secret>()
    for (const { secret, attributes } of this.#keys.values()) {
      if (attributes.class === 'public') continue
      const question = `wrap under ${type} ${text(attributes)}`
      const bytes = keyTypes[attributes.type].strengthBits / 8
      if (this.#permits(question, () => this.#rules.assertExport(type, attributes, bytes))) {
        found.add(secret)
      }
    }
    this.#wrappable.set(type, found)
    return found
  }

  #unwrap(key: Key, target: Secret): void {
    for (const keyClass of ['secret', 'private'] as const) {
      for (const made of this.#accepted('unwrapped', keyClass)) {
        if (!this.#mayMake('unwrapKey', made, key.attributes)) continue
        this.#add({ secret: target, attributes: made, isHis: target.isHis })
      }
    }
  }

  /** Whoever breaks the wrapping key reads what it wrapped; whoever reads a parent computes its children. */
  #read(): void {
    for (const [under, targets] of this.#wrapped) {
      for (const target of targets) this.#learn(target, this.#costOf(under))
    }
    for (const secret of this.#secrets.values()) {
      const parent = /\((.*)\)$/.exec(secret.name)?.[1]
      const from = parent === undefined ? undefined : this.#secrets.get(parent)
      if (from && this.#cost.has(from.name)) this.#learn(secret, this.#costOf(from))
    }
  }

  #learn(secret: Secret | undefined, costBits: number): void {
    if (secret && costBits < this.#costOf(secret)) this.#cost.set(secret.name, costBits)
  }
}
