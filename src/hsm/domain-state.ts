/**
 * How versions of the domain state come to be: the first at founding, each further one from a change
 * that was asked for and approved. Only here; so what is in force was parsed once, signed, and follows
 * from the version before it. No version takes away what the rules need to be met: a domain in which
 * fewer people could sign than a rule wants would be closed for good.
 */

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
  peopleMax,
  personRoles,
  type Rule,
  type RuleName,
  ruleNames,
  type SecurityLevel,
  securityLevels,
} from './contract/domain-state.ts'
import { HsmError } from './contract/errors.ts'
import { type TamperResponse, type TamperSignal, tamperSignals } from './contract/tamper.ts'
import type { Domain } from './domain.ts'
import type { StoredDomainState } from './ledger.ts'
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
      const max = tamperSignals[name].capped ? 1 : 2
      return [name, parseInteger(untrusted[name], { name, min: 0, max }) as TamperResponse]
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
  Pick<DomainState, 'level' | 'people' | 'rules' | 'tamper' | 'custodians' | 'epoch' | 'members'>
>

/** The version behind the one in force. @throws HsmError RULES_NOT_MET, ARGUMENT_INVALID when too long */
export function nextDomainState(
  domain: Domain,
  before: StoredDomainState,
  { change, time }: { readonly change: DomainChange; readonly time: number },
): StoredDomainState {
  const state = JSON.parse(before.statement) as DomainState
  return signDomainState(domain, {
    ...state,
    ...change,
    version: state.version + 1,
    predecessor: domainStateHash(Buffer.from(before.statement)),
    maker: domain.moduleId.toString('hex'),
    time: Math.max(time, state.time),
  })
}

function signDomainState(domain: Domain, state: DomainState): StoredDomainState {
  assertRulesCanBeMet(state)
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

function invalid(message: string): HsmError {
  return new HsmError('ARGUMENT_INVALID', message)
}
