/**
 * The domain state and what approvals of it need: the version in force, the next one, and challenges for
 * commands that are approved once. A change that weakens a policy destroys what the policy protected
 * (`weakening.ts`), and so takes the approvals of every rule that there is.
 */

import { sealKinds } from '../contract/domain-commands.ts'
import type { DomainState, RuleName } from '../contract/domain-state.ts'
import { domainStateHash, ruleNames } from '../contract/domain-state.ts'
import { HsmError } from '../contract/errors.ts'
import { commandNameLengthMax } from '../contract/limits.ts'
import {
  type DomainChange,
  nextDomainState,
  type ParsedChange,
  parseDomainChange,
  weakenedPolicies,
} from '../domain-state.ts'
import { type StoredDomainState, sealsCounter } from '../ledger.ts'
import { assertCanBeOpened, assertStanding } from '../levels.ts'
import type { Module } from '../module.ts'
import { parseNothing, parseObject } from '../parse.ts'
import { assertSaid, weaken, weakeningCertificate } from '../weakening.ts'
import { command, unrestricted } from './row.ts'

const whileOpen = ['operational', 'tampered'] as const
const commandPattern = /^[a-zA-Z]+$/

export const getChallenge = command({
  name: 'getChallenge',
  states: ['uninitialised', 'locked', ...whileOpen],
  ...unrestricted,
  record: 'nothing',
  parts: {},
  parse: (untrusted) => {
    const { command: name } = parseObject(untrusted, ['command'], 'arguments')
    if (
      typeof name !== 'string' ||
      name.length > commandNameLengthMax ||
      !commandPattern.test(name)
    ) {
      throw new HsmError('ARGUMENT_INVALID', 'command is the name of one')
    }
    return { command: name }
  },
  run: (module, { command: name }) => ({
    result: module.challenges.issue(name, module.now()),
    parts: {},
  }),
})

export const getDomainState = command({
  name: 'getDomainState',
  states: whileOpen,
  ...unrestricted,
  record: 'nothing',
  parts: {},
  parse: parseNothing,
  run: (module) => {
    const { result, parts } = describeDomainState(module.open.ledger.signedDomainState)
    return { result, parts: { ...parts, ...weakeningCertificate(module) } }
  },
})

export const changeDomain = command<'changeDomain', ParsedChange>({
  name: 'changeDomain',
  states: ['operational'],
  rules: ({ change, destroysKeys }) => (destroysKeys ? ruleNames : rulesOf(change)),
  changesState: true,
  alone: true,
  record: 'nothing',
  parts: {},
  parse: (untrusted) => parseDomainChange(parseObject(untrusted, ['change'], 'arguments').change),
  run: (module, { change, destroysKeys }) => {
    const { domain, ledger } = module.open
    const weakened = weakenedPolicies(ledger.domainState, change)
    assertSaid(weakened, destroysKeys)
    // Whoever is at work on a seal asked whether the level as it is permits it.
    if (change.level !== undefined) module.moveNow(() => assertLevelChange(module, change))
    if (destroysKeys) return module.moveNow(() => changeWeakening(module, change, weakened))
    const before = ledger.signedDomainState
    const next = nextDomainState(domain, before, { change, time: module.now() })
    const { result, parts } = describeDomainState(next)
    const changes = [ledger.putDomainState(next)]
    return { result, parts, changes }
  },
})

/**
 * What is asked when a domain is founded or opened: that this module may work at another level, and that
 * the next one can be opened there. Of a seal that was counted the module cannot know whether its file
 * is still there.
 * @throws HsmError LEVEL_NOT_PERMITTED
 */
function assertLevelChange(module: Module, { level }: DomainChange): void {
  if (level === undefined || level === module.level) return
  const { ledger } = module.open
  const counted = ledger.counter(sealsCounter) ?? {}
  const seals = sealKinds.filter((kind) => (counted[kind] ?? 0) > 0)
  assertCanBeOpened(level, ledger.domainState.custodians ? [...seals, 'shares'] : seals)
  assertStanding(level, module)
}

/** The change is in force at once; it is answered when no key from before is in memory any more. */
async function changeWeakening(module: Module, change: DomainChange, policies: readonly string[]) {
  const { erased, destroyed } = weaken(module, change, policies)
  const { result, parts } = describeDomainState(module.open.ledger.signedDomainState)
  const answer = { ...parts, ...weakeningCertificate(module) }
  await erased
  return { result: { ...result, destroyed }, parts: answer }
}

const ruleOfMember: Readonly<Record<Exclude<keyof DomainChange, 'weakening'>, RuleName>> = {
  level: 'level',
  people: 'officers',
  rules: 'rules',
  tamper: 'tamper',
  custodians: 'founding',
  epoch: 'epoch',
  members: 'join',
}

function rulesOf(change: object): RuleName[] {
  return (Object.keys(change) as (keyof typeof ruleOfMember)[]).map(
    (member) => ruleOfMember[member],
  )
}

/** Of a version: the answer to whoever made or asked for it. */
export function describeDomainState({ statement, signature }: StoredDomainState) {
  const { version } = JSON.parse(statement) as DomainState
  const hash = domainStateHash(Buffer.from(statement))
  const state = Buffer.from(JSON.stringify({ statement, signature }))
  return { result: { version, hash }, parts: { state } }
}
