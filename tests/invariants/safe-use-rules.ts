/**
 * The rules of the module that the model of safe use asks, and every combination of type, uses and flags that
 * they are asked about.
 */

import {
  type AlgorithmRow,
  algorithms,
  algorithmsOf,
  type KeyUse,
  keyUses,
} from '../../src/hsm/contract/algorithms.ts'
import { HsmError } from '../../src/hsm/contract/errors.ts'
import { type KeyAttributes, parseKeyId } from '../../src/hsm/contract/keys.ts'
import {
  assertClass,
  assertExport,
  assertUse,
  attributesOf,
  changeAttributes,
  type Origin,
  parseChange,
  parseTemplate,
} from '../../src/hsm/keys/attributes.ts'
import { assertInherits, assertMakes } from '../../src/hsm/keys/inheritance.ts'

/** The rules of the module, as they are. */
export const realRules = {
  parseTemplate,
  assertClass,
  assertMakes,
  assertInherits,
  assertExport,
  assertUse,
  parseChange,
  changeAttributes,
}

export type Rules = typeof realRules

/** One type for each strength and each purpose; the rules ask for nothing else of a type. */
const types = ['AES-128', 'AES-256', 'generic-secret', 'RSA-2048', 'X25519', 'ML-KEM-768'] as const
const flags = [false, true]
export const now = 1_000
const reference = { key: parseKeyId(`key_${'0'.repeat(32)}`), version: 1 }

/** Up to three uses: a purpose has two, so every set that mixes purposes has one of these in it. */
const setsOfUses: readonly (readonly KeyUse[])[] = Array.from(
  { length: 1 << keyUses.length },
  (_none, bits) => keyUses.filter((_use, index) => bits & (1 << index)),
).filter(({ length }) => length > 0 && length <= 3)

/** Every type, every set of uses, and every flag that has to do with the bytes of keys. */
function* candidates(): Generator<unknown> {
  for (const type of types) {
    for (const uses of setsOfUses) {
      const names = algorithmsOf(type).filter((name) => {
        const { uses: can, alone }: AlgorithmRow = algorithms[name]
        return !alone && can.some((use: KeyUse) => uses.includes(use))
      })
      if (names.length === 0) continue
      for (const exportable of flags) {
        for (const plaintextRelease of flags) {
          yield {
            ...{ type, algorithms: names, uses, exportable, plaintextRelease },
            ...{ externalIv: false, notBefore: 0, notAfter: 0, lengthBytes: 0 },
          }
        }
      }
    }
  }
}

const acceptedTemplates = new Map<unknown, Map<string, readonly KeyAttributes[]>>()

/** What the rules take, for a key that comes to be like this. */
export function acceptedBy(rules: Rules, origin: Origin): readonly KeyAttributes[] {
  const ofRules = acceptedTemplates.get(rules.parseTemplate) ?? new Map()
  acceptedTemplates.set(rules.parseTemplate, ofRules)
  const name = `${origin.provenance} ${origin.keyClass}`
  const known: readonly KeyAttributes[] | undefined = ofRules.get(name)
  if (known) return known
  const taken = [...candidates()].flatMap((value) => {
    const attributes = allowed(() => {
      const template = rules.parseTemplate(value, origin.provenance)
      rules.assertClass(template, origin.keyClass)
      return attributesOf(reference, template, origin, now)
    })
    return attributes ? [attributes] : []
  })
  ofRules.set(name, taken)
  return taken
}

/** The attributes that the model tells apart. */
const texts = new WeakMap<KeyAttributes, string>()

export function text(attributes: KeyAttributes): string {
  const known = texts.get(attributes)
  if (known !== undefined) return known
  const { type, class: keyClass, uses, exportable, plaintextRelease, ...rest } = attributes
  const may = `${exportable ? ' exportable' : ''}${plaintextRelease ? ' releasing' : ''}`
  const made = `${rest.provenance} ${keyClass} ${type} ${uses.join('+')}${may} ${rest.state}`
  texts.set(attributes, made)
  return made
}

/** Undefined for what the rules refuse. */
export function allowed<T>(rule: () => T): T | undefined {
  try {
    return rule()
  } catch (error) {
    if (error instanceof HsmError) return undefined
    throw error
  }
}
