/**
 * Safe use by construction: no sequence of commands, by somebody who may ask for all of them, lets out the
 * bytes of a key that was not made to leave. The model of safe-use-model.ts asks the module's own rules about one
 * type of each group of alike ones, every set of up to three uses, exportable, plaintextRelease and externalIv,
 * with the algorithms together and alone, and follows what they permit to the end. Where a rule is weakened it
 * finds the attack that the rule is there for.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  type AlgorithmRow,
  algorithms,
  algorithmsOf,
  isKeyTypeName,
  type KeyType,
  type KeyTypeName,
  type KeyUse,
  keyTypes,
} from '../../src/hsm/contract/algorithms.ts'
import type { KeyAttributes, KeyTemplate } from '../../src/hsm/contract/keys.ts'
import { type Finding, Model } from './safe-use-model.ts'
import { acceptedBy, type Rules, realRules, standsAlone, typesAlike } from './safe-use-rules.ts'

// A refusal is an answer here, and there are hundreds of thousands.
Error.stackTraceLimit = 0

const anything = { rules: realRules, ownWrappingKeys: true }
const honest = { rules: realRules, ownWrappingKeys: false }

interface Attack {
  readonly name: string
  readonly rules: Partial<Rules>
  /** With wrapping keys of his own, where the attack takes one; else by everybody's. */
  readonly ownWrappingKeys: boolean
  /** A secret that is read, by its name in the model. */
  readonly reads: RegExp
}

/** Takes what the rules take, and these uses as well. */
function alsoUses(...uses: KeyTemplate['uses']): Partial<Rules> {
  const [first] = uses
  const parseTemplate: Rules['parseTemplate'] = (value, provenance) => {
    const given = value as KeyTemplate
    if (first === undefined || given.uses.join() !== uses.join()) {
      return realRules.parseTemplate(value, provenance)
    }
    const part = { ...given, uses: [first], plaintextRelease: false }
    return { ...realRules.parseTemplate(part, provenance), ...given }
  }
  return { parseTemplate }
}

/** Takes what stands alone beside others, as if it were not there. */
const beside: Rules['parseTemplate'] = (value, provenance) => {
  const given = value as KeyTemplate
  const others = given.algorithms.filter((name) => !standsAlone(name))
  if (others.length === 0) return realRules.parseTemplate(value, provenance)
  return { ...realRules.parseTemplate({ ...given, algorithms: others }, provenance), ...given }
}

/** Takes IVs from outside for a key with several algorithms. */
const anyIv: Rules['parseTemplate'] = (value, provenance) => {
  const { externalIv } = value as KeyTemplate
  const without = { ...(value as KeyTemplate), externalIv: false }
  return { ...realRules.parseTemplate(without, provenance), externalIv }
}

/** The template that the rules take without this flag or these uses. */
function asIf(provenance: 'generated', when: (template: KeyTemplate) => boolean): Partial<Rules> {
  const parseTemplate: Rules['parseTemplate'] = (value, given) =>
    realRules.parseTemplate(value, when(value as KeyTemplate) ? provenance : given)
  return { parseTemplate }
}

const leaving: Rules['parseTemplate'] = (value, provenance) => {
  const { exportable } = value as KeyTemplate
  const stays = { ...(value as KeyTemplate), exportable: false }
  return { ...realRules.parseTemplate(stays, provenance), exportable }
}

/** The rule with one part of its question answered beforehand. */
const changing = (member: 'exportable' | 'plaintextRelease'): Partial<Rules> => ({
  parseChange: (value) => {
    const change = value as object
    return member in change
      ? (change as ReturnType<Rules['parseChange']>)
      : realRules.parseChange(value)
  },
})

/** What is made with this use may leave, wherever it comes from. */
const exportableFrom = (use: KeyUse): Partial<Rules> => ({
  assertInherits: (template, parent) => {
    const exportable = template.exportable && !parent.uses.includes(use)
    realRules.assertInherits({ ...template, exportable }, parent)
  },
})

const exportOf = (as: (target: KeyAttributes) => Partial<KeyAttributes>): Partial<Rules> => ({
  assertExport: (type, target, bytes) =>
    realRules.assertExport(type, { ...target, ...as(target) }, bytes),
})

const attacks: readonly Attack[] = [
  {
    name: 'a key that wraps and decrypts opens what it wrapped',
    rules: alsoUses('decrypt', 'wrap'),
    ownWrappingKeys: false,
    reads: /^generated .* exportable/,
  },
  {
    name: 'a key is unwrapped a second time with weaker attributes',
    rules: exportableFrom('unwrap'),
    ownWrappingKeys: true,
    reads: /^another's, wrapped under \(/,
  },
  {
    name: 'a key is derived a second time with weaker attributes',
    rules: exportableFrom('derive'),
    ownWrappingKeys: true,
    reads: /^derived from \(generated /,
  },
  {
    name: 'a key is wrapped under a weaker one',
    rules: {
      assertExport: (_type, target, bytes) => realRules.assertExport('AES-256', target, bytes),
    },
    ownWrappingKeys: false,
    reads: /^generated .* AES-256 .* exportable/,
  },
  {
    name: 'a key is changed to be exportable',
    rules: changing('exportable'),
    ownWrappingKeys: true,
    reads: /^generated /,
  },
  {
    name: 'a key is changed to release what it derives',
    rules: changing('plaintextRelease'),
    ownWrappingKeys: true,
    reads: /^derived from \(generated /,
  },
  {
    name: 'a key that was made never to leave is exported once it is deactivated',
    rules: exportOf(({ state }) => (state === 'deactivated' ? { exportable: true } : {})),
    ownWrappingKeys: true,
    reads: /^generated /,
  },
  {
    name: 'a key that was derived wraps what its twin decrypts',
    rules: asIf('generated', ({ type, uses }) => type === 'AES-256' && uses.join() === 'wrap'),
    ownWrappingKeys: false,
    reads: /^generated .* exportable/,
  },
  {
    name: 'a key that wraps leaves and comes back to decrypt',
    rules: { parseTemplate: leaving },
    ownWrappingKeys: false,
    reads: /^generated .* exportable/,
  },
  {
    name: 'what was derived or agreed derives, and its twin answers with what it derives',
    rules: { assertMakes: () => undefined },
    ownWrappingKeys: true,
    reads: /^derived from \((derived from|agreed with another by) \(generated /,
  },
  {
    name: 'a key that stands before the key that it wraps is unwrapped by itself, to decrypt',
    rules: { parseTemplate: beside },
    ownWrappingKeys: false,
    reads: /^generated .* exportable/,
  },
  {
    name: 'a cipher that does not authenticate computes what another derives under the same key',
    rules: { parseTemplate: beside },
    ownWrappingKeys: true,
    reads: /^key of XAES-256-GCM from \(generated /,
  },
  {
    name: 'with an IV of his own, a cipher computes what another derives under the same key',
    rules: { parseTemplate: anyIv },
    ownWrappingKeys: true,
    reads: /^key of XAES-256-GCM from \(generated /,
  },
  {
    name: 'a key that agrees and unwraps opens what HPKE wrapped',
    rules: alsoUses('wrap', 'unwrap', 'agree'),
    ownWrappingKeys: false,
    reads: /^generated .* exportable/,
  },
]

suite('safe use by construction', { timeout: 120_000 }, () => {
  const real = once(() => ({ all: new Model(anything).run(), ofHonest: new Model(honest).run() }))

  test('every type of key stands for those alone that the registry has alike', () => {
    const alike = Map.groupBy(Object.keys(keyTypes).filter(isKeyTypeName), shape)
    const sorted = (groups: Iterable<readonly string[]>) =>
      [...groups].map((group) => [...group].sort()).sort()
    assert.deepEqual(sorted(typesAlike), sorted(alike.values()))
  })

  test('every key is wrapped under those alone that are at least as strong, for every two types', () => {
    const [key] = acceptedBy(realRules, { provenance: 'generated', keyClass: 'secret' })
    assert(key)
    for (const [wrapping, { strengthBits }] of Object.entries(keyTypes)) {
      for (const [type, { strengthBits: bits }] of Object.entries(keyTypes)) {
        assert(isKeyTypeName(wrapping) && isKeyTypeName(type))
        const target = { ...key, type, exportable: true }
        const wrap = () => realRules.assertExport(wrapping, target, bits / 8)
        if (strengthBits >= bits) wrap()
        else assert.throws(wrap, { code: 'KEY_TOO_WEAK' }, `${type} under ${wrapping}`)
      }
    }
  })

  test('no key that was not made to leave is ever readable', () => {
    const { all } = real()
    assert.deepEqual(names(all.findings()), [])
    assert(all.keyCount > 100_000 && all.ciphertextCount > 10_000)
  })

  test('with the wrapping keys of honest people alone, none that was made to leave is either', () => {
    const { ofHonest } = real()
    assert.deepEqual(names(ofHonest.findings()), [])
    assert(ofHonest.keyCount > 100_000 && ofHonest.ciphertextCount > 10_000)
  })

  test('whoever may wrap under a key of his own reads what was made to leave', () => {
    const { all, ofHonest } = real()
    assert(all.isReadable(/^generated .* exportable/))
    assert(!ofHonest.isReadable(/^generated .* exportable/))
  })

  for (const { name, rules, ownWrappingKeys, reads } of attacks) {
    test(`found without its rule: ${name}`, () => {
      const model = new Model({ rules: { ...realRules, ...rules }, ownWrappingKeys }).run(reads)
      const found = names(model.findings())
      assert(
        found.some((secret) => reads.test(secret)),
        found.slice(0, 5).join('\n') || 'nothing was found',
      )
    })
  }
})

function names(findings: readonly Finding[]): string[] {
  return findings.map(({ secret }) => secret.name)
}

/** All that the rules ask of a type but its strength, with XAES-256-GCM, of which the model knows more. */
function shape(type: KeyTypeName): string {
  const { family, publicOnly }: KeyType = keyTypes[type]
  const names = algorithmsOf(type)
  const may = names.map((name) => {
    const { uses }: AlgorithmRow = algorithms[name]
    return `${uses}${standsAlone(name)}`
  })
  const isSecret = family === 'secret'
  const hasLength = type === 'generic-secret'
  const derives = names.includes('XAES-256-GCM')
  return JSON.stringify([isSecret, hasLength, publicOnly, derives, [...new Set(may)].sort()])
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
