/**
 * The rules of the module that the model of safe use asks, and every combination of type, uses and flags that
 * they are asked about.
 */

import {
  type AlgorithmName,
  type AlgorithmRow,
  algorithms,
  algorithmsOf,
  type KeyTypeName,
  type KeyUse,
  keyUses,
} from '../../src/hsm/contract/algorithms.ts'
import { HsmError } from '../../src/hsm/contract/errors.ts'
import {
  type KeyAttributes,
  type KeyTemplate,
  type Provenance,
  parseKeyId,
} from '../../src/hsm/contract/keys.ts'
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

/**
 * The first of each line stands for all of it: the rules ask of a type whether it is secret, whether only its
 * public half is taken in, what its algorithms may and which stand alone, in which all of a line are alike
 * (safe-use.test.ts holds that to the registry). Strengths are only ever compared, where a key is wrapped; a
 * test of its own does so for every two types.
 */
export const typesAlike: readonly (readonly [KeyTypeName, ...KeyTypeName[]])[] = [
  ['AES-128', 'AES-192'],
  ['AES-256'],
  ['ChaCha20'],
  ['generic-secret'],
  ['AES-128-XTS', 'AES-256-XTS'],
  ['RSA-4096', 'RSA-2048', 'RSA-3072'],
  ['P-521', 'P-256', 'P-384'],
  ['secp256k1', 'brainpoolP256r1', 'brainpoolP384r1', 'brainpoolP512r1'],
  ['P-224'],
  [
    ...(['Ed25519', 'Ed448', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const),
    ...(['SLH-DSA-SHA2-128s', 'SLH-DSA-SHA2-128f', 'SLH-DSA-SHA2-192s'] as const),
    ...(['SLH-DSA-SHA2-192f', 'SLH-DSA-SHA2-256s', 'SLH-DSA-SHA2-256f'] as const),
    ...(['SLH-DSA-SHAKE-128s', 'SLH-DSA-SHAKE-128f', 'SLH-DSA-SHAKE-192s'] as const),
    ...(['SLH-DSA-SHAKE-192f', 'SLH-DSA-SHAKE-256s', 'SLH-DSA-SHAKE-256f'] as const),
  ],
  ['X448', 'X25519'],
  ['ML-KEM-1024', 'ML-KEM-512', 'ML-KEM-768'],
]
const flags = [false, true]
export const now = 1_000
const reference = { key: parseKeyId(`key_${'0'.repeat(32)}`), version: 1 }

/** Up to three uses: a purpose has two, so every set that mixes purposes has one of these in it. */
const setsOfUses: readonly (readonly KeyUse[])[] = Array.from(
  { length: 1 << keyUses.length },
  (_none, bits) => keyUses.filter((_use, index) => bits & (1 << index)),
).filter(({ length }) => length > 0 && length <= 3)

const rowOf = (name: AlgorithmName): AlgorithmRow => algorithms[name]
export const standsAlone = (name: AlgorithmName): boolean => rowOf(name).alone === true

/** Every algorithm at once, all that may stand together, and each by itself that has to, or has an IV from outside. */
function* choices(
  type: KeyTypeName,
  uses: readonly KeyUse[],
): Generator<{ readonly algorithms: readonly AlgorithmName[]; readonly externalIv: boolean }> {
  const names = algorithmsOf(type).filter((name) =>
    rowOf(name).uses.some((use) => uses.includes(use)),
  )
  const [together, alone] = [names.filter((name) => !standsAlone(name)), names.filter(standsAlone)]
  const isCipher = uses.includes('encrypt') || uses.includes('decrypt')
  if (together.length > 0) {
    yield { algorithms: together, externalIv: false }
    if (isCipher) yield { algorithms: together, externalIv: true }
    if (alone.length > 0) yield { algorithms: names, externalIv: false }
  }
  for (const name of alone) yield { algorithms: [name], externalIv: false }
  if (isCipher) for (const name of names) yield { algorithms: [name], externalIv: true }
}

/** Every type, every set of uses, and every flag that has to do with the bytes of keys. */
const candidates: readonly object[] = typesAlike.flatMap(([type]) =>
  setsOfUses.flatMap((uses) =>
    [...choices(type, uses)].flatMap((choice) =>
      flags.flatMap((exportable) =>
        flags.map((plaintextRelease) => ({
          ...{ type, uses, ...choice, exportable, plaintextRelease },
          ...{ notBefore: 0, notAfter: 0, lengthBytes: 0 },
        })),
      ),
    ),
  ),
)

/** By the rules and by how a key comes to be. */
const parsed = new Map<Rules['parseTemplate'], Map<string, readonly KeyTemplate[]>>()
const accepted = new Map<Rules['parseTemplate'], Map<string, readonly KeyAttributes[]>>()

function parsedBy({ parseTemplate }: Rules, provenance: Provenance): readonly KeyTemplate[] {
  return once(parsed, parseTemplate, provenance, () =>
    candidates.flatMap((value) => allowed(() => parseTemplate(value, provenance)) ?? []),
  )
}

/** What the rules take, for a key that comes to be like this. */
export function acceptedBy(rules: Rules, origin: Origin): readonly KeyAttributes[] {
  const { provenance, keyClass } = origin
  return once(accepted, rules.parseTemplate, `${provenance} ${keyClass}`, () =>
    parsedBy(rules, provenance).flatMap(
      (template) =>
        allowed(() => {
          rules.assertClass(template, keyClass)
          return attributesOf(reference, template, origin, now)
        }) ?? [],
    ),
  )
}

function once<K, T>(all: Map<K, Map<string, T>>, key: K, name: string, make: () => T): T {
  const ofKey = all.get(key) ?? new Map<string, T>()
  all.set(key, ofKey)
  const made = ofKey.get(name) ?? make()
  ofKey.set(name, made)
  return made
}

/** The attributes that the model tells apart. */
const texts = new WeakMap<KeyAttributes, string>()

export function text(attributes: KeyAttributes): string {
  const known = texts.get(attributes)
  if (known !== undefined) return known
  const { type, class: keyClass, uses, exportable, plaintextRelease, ...rest } = attributes
  const may = `${exportable ? ' exportable' : ''}${plaintextRelease ? ' releasing' : ''}`
  const by = rest.algorithms.some(standsAlone) || rest.externalIv ? ` by ${rest.algorithms}` : ''
  const iv = rest.externalIv ? ' with IVs from outside' : ''
  const of = `${rest.provenance} ${keyClass} ${type} ${uses.join('+')}`
  const made = `${of}${may} ${rest.state}${by}${iv}`
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

/** What becomes of a key by everything that a change could say, also what none may. */
export function changesOf(rules: Rules, attributes: KeyAttributes): KeyAttributes[] {
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
    const changed = allowed(() => rules.changeAttributes(attributes, rules.parseChange(untrusted)))
    return changed ? [{ ...changed, revision: 1 }] : []
  })
}
