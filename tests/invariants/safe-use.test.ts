/**
 * Safe use by construction: no sequence of commands, by somebody who may ask for all of them, lets out the
 * bytes of a key that was not made to leave. The model of safe-use-model.ts asks the module's own rules about every
 * combination of types, uses and flags and follows what they permit to the end. With any one of the rules
 * gone it finds the attack that the rule is there for.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { KeyUse } from '../../src/hsm/contract/algorithms.ts'
import type { KeyAttributes, KeyTemplate } from '../../src/hsm/contract/keys.ts'
import { type Finding, Model } from './safe-use-model.ts'
import { type Rules, realRules } from './safe-use-rules.ts'

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
  const parseTemplate: Rules['parseTemplate'] = (value, provenance) => {
    const given = value as KeyTemplate
    const [first] = given.uses
    if (given.uses.join() !== uses.join() || first === undefined) {
      return realRules.parseTemplate(value, provenance)
    }
    const algorithms = given.algorithms.filter((name) => name.endsWith('GCM'))
    if (algorithms.length === 0) return realRules.parseTemplate(value, provenance)
    const alone = realRules.parseTemplate({ ...given, algorithms, uses: [first] }, provenance)
    return { ...alone, uses: given.uses }
  }
  return { parseTemplate }
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
]

suite('safe use by construction', { timeout: 120_000 }, () => {
  test('no key that was not made to leave is ever readable', () => {
    const model = new Model(anything).run()
    assert.deepEqual(names(model.findings()), [])
    assert(model.keyCount > 1_000 && model.ciphertextCount > 100)
  })

  test('with the wrapping keys of honest people alone, none that was made to leave is either', () => {
    const model = new Model(honest).run()
    assert.deepEqual(names(model.findings()), [])
    assert(model.keyCount > 1_000 && model.ciphertextCount > 100)
  })

  test('whoever may wrap under a key of his own reads what was made to leave', () => {
    const all = new Model(anything).run()
    assert(all.isReadable(/^generated .* exportable/))
    assert(!new Model(honest).run().isReadable(/^generated .* exportable/))
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
