/**
 * A model of every command that makes, changes or carries keys, over symbolic secrets, with somebody who may
 * ask for all of them. What the commands permit is not written here: the model asks the rules of the module
 * (safe-use-rules.ts), which a test may replace by weaker ones.
 *
 * Commands only ever add keys, ciphertexts and knowledge, so the set of everything that any sequence can
 * reach is the least fixpoint of the rules below. A secret is a term: who made it and from what.
 */

import {
  type AlgorithmName,
  type KeyClass,
  type KeyTypeName,
  type KeyUse,
  keyClasses,
  keyTypes,
  keyUses,
} from '../../src/hsm/contract/algorithms.ts'
import type { KeyAttributes, Provenance } from '../../src/hsm/contract/keys.ts'
import type { MakingCommand } from '../../src/hsm/keys/inheritance.ts'
import {
  acceptedBy,
  allowed,
  changesOf,
  now,
  type Rules,
  standsAlone,
  text,
} from './safe-use-rules.ts'

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
  readonly #keys = new Map<Secret, Map<string, Key>>()
  readonly #secrets = new Map<string, Secret>()
  readonly #pending: Key[] = []
  /** Ciphertexts: under which secret (or whose public half), all of what. */
  readonly #wrapped = new Map<Secret, Set<ReadonlySet<Secret>>>()
  readonly #wrappable = new Map<KeyTypeName, Set<Secret>>()
  readonly #cost = new Map<string, number>()
  /** The rules look at attributes alone, so each is asked once for each of them. */
  readonly #answers = new WeakMap<KeyAttributes, Map<string, boolean>>()
  readonly #uses = new WeakMap<KeyAttributes, readonly KeyUse[]>()
  readonly #changed = new Map<string, readonly KeyAttributes[]>()
  /** What a key may be made into, and which secrets are all of that by now. */
  readonly #kinds = new Map<string, readonly KeyAttributes[]>()
  readonly #made = new Map<string, Set<readonly KeyAttributes[]>>()

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
      for (const type of this.#wrappable.keys()) this.#findWrappable(type)
      for (const key of this.#allKeys()) this.#useOnOthers(key)
      for (let key = this.#pending.pop(); key; key = this.#pending.pop()) this.#use(key)
      this.#read()
      if (until && this.findings().some(({ secret }) => until.test(secret.name))) break
    }
    return this
  }

  get keyCount(): number {
    return this.#allKeys().length
  }

  get secretCount(): number {
    return this.#secrets.size
  }

  get ciphertextCount(): number {
    const sets = [...this.#wrapped.values()].flatMap((all) => [...all])
    return sets.reduce((sum, { size }) => sum + size, 0)
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

  #allKeys(): Key[] {
    return [...this.#keys.values()].flatMap((copies) => [...copies.values()])
  }

  #size(): number {
    const costs = [...this.#cost.values()].reduce((sum, bits) => sum + bits, 0)
    return this.keyCount * 1e9 + this.ciphertextCount * 1e5 + this.#cost.size * 1e3 - costs
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
    const copies = this.#keys.get(key.secret) ?? new Map<string, Key>()
    const name = text(key.attributes)
    if (copies.has(name)) return
    this.#secrets.set(key.secret.name, key.secret)
    this.#keys.set(key.secret, copies.set(name, key))
    this.#pending.push(key)
  }

  #may({ attributes }: Key, use: KeyUse, by?: AlgorithmName): boolean {
    if (by === undefined) return this.#usesOf(attributes).includes(use)
    return this.#permits(attributes, use + by, () =>
      this.#rules.assertUse(attributes, use, by, now),
    )
  }

  #usesOf(attributes: KeyAttributes): readonly KeyUse[] {
    const known = this.#uses.get(attributes)
    if (known) return known
    const uses = keyUses.filter((use) =>
      allowed(() => this.#rules.assertUse(attributes, use, undefined, now)),
    )
    this.#uses.set(attributes, uses)
    return uses
  }

  #permits(attributes: KeyAttributes, question: string, rule: () => unknown): boolean {
    const answers = this.#answers.get(attributes) ?? new Map<string, boolean>()
    this.#answers.set(attributes, answers)
    const known = answers.get(question)
    if (known !== undefined) return known
    const answer = allowed(() => {
      rule()
      return true
    })
    answers.set(question, answer === true)
    return answer === true
  }

  /** What this command may make from a key: one list for all keys of which that is the same. */
  #kindsFrom(command: MakingCommand, from: KeyAttributes): readonly KeyAttributes[] {
    const name = `${command} from ${text(from)}`
    const known = this.#kinds.get(name)
    if (known) return known
    const unwraps = command === 'unwrapKey'
    const classes: readonly KeyClass[] = unwraps ? ['secret', 'private'] : ['secret']
    const kinds = classes
      .flatMap((keyClass) => this.#accepted(unwraps ? 'unwrapped' : 'derived', keyClass))
      .filter((made) =>
        allowed(() => {
          this.#rules.assertMakes(command, made)
          this.#rules.assertInherits(made, from)
          return true
        }),
      )
    const all = kinds.map(text).join()
    const same = this.#kinds.get(all) ?? kinds
    this.#kinds.set(all, same)
    this.#kinds.set(name, same)
    return same
  }

  /** Whether this secret is to be made into all of these now: once is enough. */
  #isNew(secretName: string, kinds: readonly KeyAttributes[]): boolean {
    const made = this.#made.get(secretName) ?? new Set()
    this.#made.set(secretName, made)
    return made.size < made.add(kinds).size
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
    const all = this.#changed.get(name) ?? changesOf(this.#rules, attributes)
    this.#changed.set(name, all)
    for (const changed of all) this.#add({ secret, attributes: changed, isHis })
  }

  /** A secret that this key makes, as every kind of key; the same secret each time. */
  #makeFrom(parent: Key, command: MakingCommand, how: string, isHis = parent.isHis): void {
    const { secret, attributes } = parent
    if (secret.depth >= depthMax) return
    const name = `${how} (${secret.name})`
    const leaves = attributes.exportable || attributes.plaintextRelease
    const isKept = !isHis && secret.isKept && !leaves && attributes.class !== 'public'
    const kinds = this.#kindsFrom(command, attributes)
    if (this.#isNew(`${name} ${isKept}`, kinds)) {
      for (const made of kinds) this.#make(name, made, { isKept, isHis, depth: secret.depth + 1 })
    }
    if (attributes.plaintextRelease) this.#learn(this.#secrets.get(name), 0)
  }

  /** What a key does with what others are: wrap them, unwrap what was wrapped, decrypt it. */
  #useOnOthers(key: Key): void {
    const { secret, attributes } = key
    const handlesKeys = this.#may(key, 'wrap') || this.#may(key, 'unwrap')
    for (const by of handlesKeys ? attributes.algorithms : []) {
      if (this.#may(key, 'wrap', by)) this.#wrap(key, by)
      if (!this.#may(key, 'unwrap', by)) continue
      const under = standsAlone(by) ? this.#ephemeralOf(secret) : secret
      for (const target of this.#wrappedUnder(under)) this.#unwrap(key, target)
    }
    // Whoever agrees with what stands in front of an HPKE ciphertext has its key.
    const agrees = attributes.plaintextRelease && this.#may(key, 'agree')
    if (agrees || this.#may(key, 'decrypt')) {
      for (const target of this.#wrappedUnder(secret)) this.#learn(target, 0)
    }
    const answers: readonly KeyUse[] = ['mac', 'encrypt', 'decrypt']
    if (answers.some((use) => this.#may(key, use))) {
      // The functions that derive are those that these answer with.
      this.#learn(this.#secrets.get(`derived from (${secret.name})`), 0)
    }
    this.#encrypt(key)
  }

  /** XAES-256-GCM derives by the block cipher, which some modes compute for whoever asks. */
  #encrypt(key: Key): void {
    if (!this.#may(key, 'encrypt') && !this.#may(key, 'decrypt')) return
    const { secret, attributes } = key
    const xaes = 'XAES-256-GCM'
    const name = `key of ${xaes} from (${secret.name})`
    if (attributes.algorithms.includes(xaes) && this.#may(key, 'encrypt', xaes)) {
      // What comes from another key, or has left, can be made again to decrypt.
      const isFirstHand = !['unwrapped', 'derived'].includes(attributes.provenance)
      const isKept = secret.isKept && isFirstHand && !attributes.exportable
      const made = { name, depth: depthMax, strengthBits: 256, isKept, isHis: false }
      if (!this.#secrets.has(name)) this.#secrets.set(name, made)
    }
    const computes = attributes.algorithms.some(
      (by) =>
        by !== xaes &&
        (standsAlone(by) || attributes.externalIv) &&
        (this.#may(key, 'encrypt', by) || this.#may(key, 'decrypt', by)),
    )
    if (computes) this.#learn(this.#secrets.get(name), 0)
  }

  /** RSA-AES-KEY-WRAP puts a key of its own in front, wrapped by OAEP, and wraps under that. */
  #wrap({ secret, attributes }: Key, by: AlgorithmName): void {
    const targets = this.#wrappable.get(attributes.type) ?? this.#findWrappable(attributes.type)
    if (!standsAlone(by)) {
      this.#addWrapped(secret, targets)
      return
    }
    const ephemeral = this.#ephemeralOf(secret)
    this.#addWrapped(ephemeral, targets)
    if (!this.#wrappedUnder(secret).has(ephemeral)) this.#addWrapped(secret, new Set([ephemeral]))
  }

  #ephemeralOf({ name: of, depth, isHis }: Secret): Secret {
    const name = `ephemeral key under (${of})`
    const made = { name, depth: depth + 1, strengthBits: 256, isKept: false, isHis }
    const secret = this.#secrets.get(name) ?? made
    this.#secrets.set(name, secret)
    return secret
  }

  #addWrapped(under: Secret, targets: ReadonlySet<Secret>): void {
    this.#wrapped.set(under, (this.#wrapped.get(under) ?? new Set()).add(targets))
  }

  #wrappedUnder(secret: Secret): ReadonlySet<Secret> {
    const [first = new Set<Secret>(), ...others] = this.#wrapped.get(secret) ?? []
    return others.reduce<ReadonlySet<Secret>>((all, more) => all.union(more), first)
  }

  /** The same set each time, and what has been added since. */
  #findWrappable(type: KeyTypeName): Set<Secret> {
    const found = this.#wrappable.get(type) ?? new Set<Secret>()
    this.#wrappable.set(type, found)
    for (const { secret, attributes } of this.#allKeys()) {
      if (attributes.class === 'public' || found.has(secret)) continue
      const bytes = keyTypes[attributes.type].strengthBits / 8
      const rule = () => this.#rules.assertExport(type, attributes, bytes)
      if (this.#permits(attributes, `under ${type}`, rule)) {
        found.add(secret)
      }
    }
    return found
  }

  #unwrap({ attributes }: Key, target: Secret): void {
    const kinds = this.#kindsFrom('unwrapKey', attributes)
    if (!this.#isNew(target.name, kinds)) return
    for (const made of kinds) this.#add({ secret: target, attributes: made, isHis: target.isHis })
  }

  /** Whoever breaks the wrapping key reads what it wrapped; whoever reads a parent computes its children. */
  #read(): void {
    for (const [under, sets] of this.#wrapped) {
      for (const targets of sets) {
        for (const target of targets) this.#learn(target, this.#costOf(under))
      }
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
