/**
 * How versions of the domain state come to be: the first at founding, each further one from a change
 * that was asked for and approved. Only here; so what is in force was parsed once, signed, and follows
 * from the version before it. A weaker policy is one that whoever asks says to destroy every key with
 * (`weakening.ts`). No version takes away what the rules need to be met: a domain in which
 * fewer people could sign than a rule wants would be closed for good.
 */

import type { PersonAsked } from './contract/domain-commands.ts'
import {
  approvalsMax,
  type Custodians,
  type DomainState,
  domainStateBytesMax,
  domainStateFormat,
  domainStateHash,
  encodeDomainState,
  noPredecessor,
  type Person,
  type PinVerifier,
  peopleMax,
  personRoles,
  type Rule,
  type RuleName,
  ruleNames,
  type SecurityLevel,
  securityLevels,
} from './contract/domain-state.ts'
import { HsmError } from './contract/errors.ts'
import {
  type TamperResponse,
  type TamperSignal,
  tamperResponseMax,
  tamperSignals,
} from './contract/tamper.ts'
import type { Domain } from './domain.ts'
import type { StoredDomainState } from './ledger.ts'
import { levelProfiles } from './levels.ts'
import { parseBoolean, parseInteger, parseList, parseObject, type Untrusted } from './parse.ts'
import { parsePerson, parseRole } from './people.ts'

/** What whoever founds a domain decides, besides its custodians. */
export interface Founding {
  readonly level: SecurityLevel
  readonly people: readonly Person[]
  readonly rules: DomainState['rules']
  readonly tamper: DomainState['tamper']
}

/** A domain in which nobody but the holder of the door decides: level 1, development among them. */
export const foundingWithoutPeople: Founding = { level: 1, people: [], rules: {}, tamper: {} }

/** @throws HsmError ARGUMENT_INVALID */
export function parseFounding(untrusted: unknown): Founding {
  const members = ['level', 'people', 'rules', 'tamper']
  const { level, people, rules, tamper } = parseObject(untrusted, members, 'founding')
  return {
    level: parseLevel(level),
    people: parsePeople(people),
    rules: parseRules(rules),
    tamper: parseTamper(tamper),
  }
}

export function parseLevel(value: unknown): SecurityLevel {
  const level = parseInteger(value, { name: 'level', min: 1, max: securityLevels.length })
  return level as SecurityLevel
}

function parsePeople(value: unknown): Person[] {
  if (Array.isArray(value) && value.length === 0) return []
  const people = parseList(value, { name: 'people', lengthMax: peopleMax }, parsePerson)
  const credentials = people.map(({ credential }) => credential.publicKey)
  const names = people.map(({ name }) => name)
  for (const list of [names, credentials]) {
    if (new Set(list).size < list.length) {
      throw invalid('no two people have one name or one public key')
    }
  }
  return people
}

/** One member for each rule, all others are free. @throws HsmError ARGUMENT_INVALID */
export function parseRules(value: unknown): DomainState['rules'] {
  const untrusted = parseObject(value, ruleNames, 'rules')
  const names = ruleNames.filter((name) => untrusted[name] !== undefined)
  return Object.fromEntries(names.map((name) => [name, parseRule(untrusted[name])]))
}

export function parseRule(value: unknown): Rule {
  const members = ['approvals', 'roles', 'excludeRequester']
  const { approvals, roles, excludeRequester } = parseObject(value, members, 'a rule')
  return {
    approvals: parseInteger(approvals, { name: 'approvals', min: 1, max: approvalsMax }),
    roles: parseList(roles, { name: 'roles', lengthMax: personRoles.length }, parseRole),
    excludeRequester: parseBoolean(excludeRequester, 'excludeRequester'),
  }
}

/** @throws HsmError ARGUMENT_INVALID, also for a response beyond what the signal's cause permits */
export function parseTamper(value: unknown): DomainState['tamper'] {
  const names = Object.keys(tamperSignals) as TamperSignal[]
  const untrusted: Untrusted = parseObject(value, names, 'tamper')
  const given = names.filter((name) => untrusted[name] !== undefined)
  return Object.fromEntries(
    given.map((name) => {
      const range = { name, min: 1, max: tamperResponseMax(name) }
      return [name, parseInteger(untrusted[name], range) as TamperResponse]
    }),
  )
}

/** The first version, in which this module is the only member. @throws HsmError RULES_NOT_MET */
export function foundDomainState(
  domain: Domain,
  founding: Founding,
  { custodians, time }: { readonly custodians: Custodians | null; readonly time: number },
): StoredDomainState {
  const module = domain.moduleId.toString('hex')
  return signDomainState(domain, {
    format: domainStateFormat,
    domain: domain.domainId.toString('hex'),
    version: 1,
    predecessor: noPredecessor,
    development: domain.development,
    epoch: domain.epoch,
    members: [{ module, ...domain.identityPublicKeys }],
    ...founding,
    custodians,
    maker: module,
    time,
  })
}

/** What a version may change; everything else follows from the one before it. */
export type DomainChange = Partial<
  Pick<DomainState, 'level' | 'rules' | 'tamper' | 'custodians' | 'epoch' | 'members' | 'weakening'>
> & { readonly people?: readonly (PersonAsked & { readonly pin?: PinVerifier | null })[] }

export interface ParsedChange {
  readonly change: DomainChange
  readonly destroysKeys: boolean
}

const changeMembers = ['level', 'people', 'rules', 'tamper', 'destroysKeys'] as const

/** What people may ask for; custodians, epochs and members have commands of their own. @throws HsmError */
export function parseDomainChange(value: unknown): ParsedChange {
  const untrusted = parseObject(value, changeMembers, 'change')
  const { level, people, rules, tamper, destroysKeys = false } = untrusted
  const change: DomainChange = {
    ...(level === undefined ? {} : { level: parseLevel(level) }),
    ...(people === undefined ? {} : { people: parsePeople(people) }),
    ...(rules === undefined ? {} : { rules: parseRules(rules) }),
    ...(tamper === undefined ? {} : { tamper: parseTamper(tamper) }),
  }
  if (Object.keys(change).length === 0) throw invalid('a change that changes nothing')
  return { change, destroysKeys: parseBoolean(destroysKeys, 'destroysKeys') }
}

/** Policies that are weaker after the change: level, rules and responses to tampering protect keys. */
export function weakenedPolicies(state: DomainState, change: DomainChange): string[] {
  const { level = state.level, rules = state.rules, tamper = state.tamper } = change
  const isRuleWeaker = (name: RuleName) => {
    const [before, after] = [state.rules[name], rules[name]]
    if (!before || !after) return before !== undefined
    return (
      after.approvals < before.approvals ||
      after.roles.some((role) => !before.roles.includes(role)) ||
      (before.excludeRequester && !after.excludeRequester)
    )
  }
  const isResponseWeaker = (signal: TamperSignal) => {
    const before = Math.max(state.tamper[signal] ?? 1, levelProfiles[state.level].tamper[signal])
    return Math.max(tamper[signal] ?? 1, levelProfiles[level].tamper[signal]) < before
  }
  const signals = Object.keys(tamperSignals) as TamperSignal[]
  return [
    ...(level < state.level ? ['level'] : []),
    ...ruleNames.filter(isRuleWeaker).map((name) => `rule ${name}`),
    ...signals.filter(isResponseWeaker).map((signal) => `response to ${signal}`),
  ]
}

/** The version behind the one in force. @throws HsmError RULES_NOT_MET, ARGUMENT_INVALID when too long */
export function nextDomainState(
  domain: Domain,
  before: StoredDomainState,
  { change, time }: { readonly change: DomainChange; readonly time: number },
): StoredDomainState {
  const state = JSON.parse(before.statement) as DomainState
  const people = change.people?.map((person) => withPin(person, state.people)) ?? state.people
  return signDomainState(domain, {
    ...state,
    ...change,
    people,
    version: state.version + 1,
    predecessor: domainStateHash(Buffer.from(before.statement)),
    maker: domain.moduleId.toString('hex'),
    time: Math.max(time, state.time),
  })
}

/** Who stays keeps the PIN, unless the key is another. */
function withPin(
  person: NonNullable<DomainChange['people']>[number],
  before: readonly Person[],
): Person {
  const known = before.find(
    ({ name, credential }) =>
      name === person.name && credential.publicKey === person.credential.publicKey,
  )
  return { ...person, pin: person.pin ?? known?.pin ?? null }
}

function signDomainState(domain: Domain, state: DomainState): StoredDomainState {
  assertRulesCanBeMet(state)
  assertRulesProtected(state)
  assertLevel(state)
  const statement = encodeDomainState(state)
  if (statement.length > domainStateBytesMax) throw invalid('the domain state is too long')
  return {
    statement: statement.toString(),
    signature: domain.signStatement(statement),
    mac: domain.stateMac(statement),
  }
}

/**
 * That there are people enough for each rule, one more where whoever asks does not count.
 * @throws HsmError RULES_NOT_MET
 */
export function assertRulesCanBeMet({
  people,
  rules,
}: Pick<DomainState, 'people' | 'rules'>): void {
  for (const [name, rule] of Object.entries(rules) as [RuleName, Rule][]) {
    const able = people.filter((person) => person.roles.some((role) => rule.roles.includes(role)))
    const needed = rule.approvals + (rule.excludeRequester ? 1 : 0)
    if (able.length < needed) {
      throw new HsmError('RULES_NOT_MET', `the rule ${name} needs ${needed} people who may sign`)
    }
  }
}

/**
 * That nobody meets a rule by first changing who the people are: whoever may do that could sign as all of
 * them.
 * @throws HsmError RULES_NOT_MET
 */
function assertRulesProtected({ rules }: Pick<DomainState, 'rules'>): void {
  for (const [name, { approvals, excludeRequester }] of Object.entries(rules) as [
    RuleName,
    Rule,
  ][]) {
    const { officers } = rules
    const isProtected =
      officers !== undefined &&
      officers.approvals >= approvals &&
      (officers.excludeRequester || !excludeRequester)
    if (!isProtected) {
      throw new HsmError('RULES_NOT_MET', `the rule officers is weaker than the rule ${name}`)
    }
  }
}

/** That the domain has what its security level asks for. @throws HsmError LEVEL_NOT_PERMITTED */
function assertLevel({ level, rules, custodians, tamper, development }: DomainState): void {
  const { quorumMin, custodiansMin, tamper: responses } = levelProfiles[level]
  if (development && level > 1) throw notOfLevel(level, 'a domain that is not for development')
  const weak = ruleNames.filter((name) => (rules[name]?.approvals ?? 0) < quorumMin)
  if (weak.length > 0) {
    const people = quorumMin === 1 ? 'one approval' : `${quorumMin} approvals`
    const met = ruleNames.filter((name) => !weak.includes(name))
    // The longest list would not fit the message of an answer.
    const all = met.length > 0 ? `every rule but ${met.join(', ')}` : 'every rule'
    const which = weak.length > met.length ? all : weak.join(', ')
    throw notOfLevel(level, `${people} or more for ${which}`)
  }
  for (const [signal, response] of Object.entries(tamper) as [TamperSignal, TamperResponse][]) {
    if (response < responses[signal]) throw notOfLevel(level, `zeroising at ${signal}`)
  }
  if ((custodians?.threshold ?? 0) < custodiansMin) {
    throw notOfLevel(level, `custodians, ${custodiansMin} or more to unlock`)
  }
}

function notOfLevel(level: SecurityLevel, what: string): HsmError {
  return new HsmError('LEVEL_NOT_PERMITTED', `security level ${level} asks for ${what}`)
}

function invalid(message: string): HsmError {
  return new HsmError('ARGUMENT_INVALID', message)
}
