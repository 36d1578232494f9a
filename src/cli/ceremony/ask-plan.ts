/** The plan of a ceremony from questions on the terminal (docs/ceremony.md). */

import { hash } from 'node:crypto'
import { custodianFingerprint, parseCustodianPublicKey } from '../../hsm/contract/custodian-key.ts'
import {
  approvalsMax,
  type Credential,
  type PersonRole,
  peopleMax,
  personNameLengthMax,
  type Rule,
  type RuleName,
  ruleNames,
} from '../../hsm/contract/domain-state.ts'
import { sharesMax, thresholdMin } from '../../hsm/contract/share.ts'
import {
  assertPlan,
  type CeremonyPlan,
  custodianKey,
  type PlannedCustodian,
  planFormat,
  readCredential,
  readCustodianKey,
} from './plan.ts'
import { askNumber, askOne, askSome, askText, askYes, say } from './questions.ts'

const levels = [
  { value: '1', label: '1', hint: 'approved algorithms, self-tests' },
  { value: '2', label: '2', hint: 'roles, tamper evidence' },
  { value: '3', label: '3', hint: 'identities, quorum, sealed secrets, tamper response' },
  { value: '4', label: '4', hint: 'environment, officers with several factors' },
] as const
const protections = [
  { value: 'key', label: 'their key', hint: 'made by: keyhold custodian key' },
  { value: 'passphrase', label: 'a passphrase', hint: 'typed here, by themselves' },
] as const
const roleChoices = [
  { value: 'officer', label: 'security officer' },
  { value: 'operator', label: 'operator' },
  { value: 'auditor', label: 'auditor' },
] as const
const seals = [
  { value: 'none', label: 'custodians only', hint: 'each start of the module needs them' },
  { value: 'passphrase', label: 'a passphrase too', hint: 'the shares are for breaking glass' },
] as const

/** From here on nobody opens the domain alone, and two sign (docs/security-levels.md); the module holds it. */
const splitKnowledgeLevel = 3

/** What every rule asks of people; excess is for the plan to refuse. */
const ruleTexts: Readonly<Record<RuleName, string>> = {
  founding: 'replace the custodians',
  officers: 'change the people',
  rules: 'change these rules',
  export: 'let a key out',
  restore: 'restore a backup',
  join: 'take in a module',
  destroy: 'destroy a key',
  floor: 'take from a key for good what it can do',
  unlock: 'change how the domain is opened',
  level: 'change the security level',
  epoch: 'renew root and key-encryption key',
  tamper: 'change or acknowledge tamper responses',
}

/** @throws ClientError INTERRUPTED, FILE_INVALID when the answers do not fit together */
export async function askPlan(): Promise<CeremonyPlan> {
  const level = Number(
    await askOne('Security level of the domain', levels),
  ) as CeremonyPlan['level']
  const custodians = await askCustodians()
  const isSplit = level >= splitKnowledgeLevel
  const seal = isSplit ? 'none' : await askOne('What opens the domain at each start?', seals)
  const quorum = isSplit ? 2 : level - 1
  const people = await askPeople(quorum)
  const rules = await askRules(people, quorum)
  const plan: CeremonyPlan = {
    format: planFormat,
    level,
    seal,
    custodians,
    people,
    rules,
    tamper: {},
  }
  assertPlan(plan)
  return plan
}

async function askCustodians(): Promise<NonNullable<CeremonyPlan['custodians']>> {
  const count = await askNumber('How many custodians keep a share of the domain root key?', {
    min: thresholdMin,
    max: sharesMax,
    initial: 3,
  })
  const threshold = await askNumber('How many of them together open the domain?', {
    min: thresholdMin,
    max: count,
    initial: Math.min(count, Math.floor(count / 2) + 1),
  })
  const people: PlannedCustodian[] = []
  while (people.length < count) people.push(await askCustodian(people))
  return { threshold, people }
}

async function askCustodian(before: readonly PlannedCustodian[]): Promise<PlannedCustodian> {
  const name = await askName(`Name of custodian ${before.length + 1}`, before)
  if ((await askOne(`What protects the share of ${name}?`, protections)) === 'passphrase') {
    return { name, kind: 'passphrase' }
  }
  for (;;) {
    const file = await askText(`Public key file of ${name}`)
    const publicKey = await orSay(async () => custodianKey(await readCustodianKey(file), name))
    if (publicKey === undefined) continue
    const digest = hash('sha256', parseCustodianPublicKey(publicKey), 'buffer')
    const question = `Does ${name} read this fingerprint to you?\n${custodianFingerprint(digest)}`
    if (await askYes(question)) return { name, kind: 'key', publicKey }
  }
}

async function askPeople(min: number): Promise<CeremonyPlan['people']> {
  const question = 'How many people decide about the domain?'
  const count = await askNumber(question, { min, max: peopleMax, initial: 2 })
  const people: { name: string; roles: PersonRole[]; credential: Credential }[] = []
  while (people.length < count) {
    const name = await askName(`Name of person ${people.length + 1}`, people)
    const roles = await askSome<PersonRole>(`Roles of ${name}`, roleChoices)
    let credential: Credential | undefined
    while (!credential) {
      const file = await askText(
        `Public key of ${name} (PEM: Ed25519, P-256 or ML-DSA-65; or a passkey file)`,
      )
      credential = await orSay(() => readCredential(file))
    }
    people.push({ name, roles, credential })
  }
  return people
}

async function askRules(
  people: CeremonyPlan['people'],
  quorum: number,
): Promise<CeremonyPlan['rules']> {
  const officers = people.filter(({ roles }) => roles.includes('officer')).length
  if (officers < Math.max(quorum, 1)) {
    say(`There are ${officers} security officers; this level needs ${quorum}. There are no rules.`)
    return {}
  }
  const approvals = await askNumber('Signatures of officers for every decision about the domain', {
    min: Math.max(quorum, 1),
    max: Math.min(officers, approvalsMax),
    initial: Math.min(officers, 2),
  })
  const choices = ruleNames.map((value) => ({ value, label: value, hint: ruleTexts[value] }))
  const asks = quorum > 0 || (await askYes('For everything that rules can stand in front of?'))
  const chosen = asks ? ruleNames : await askSome<RuleName>('For what shall it hold?', choices)
  const isExcluded =
    officers > approvals &&
    (await askYes('Whoever asks for something signs, but does not count?', false))
  const rule: Rule = { approvals, roles: ['officer'], excludeRequester: isExcluded }
  // Whoever could change people or rules alone could go around every other rule.
  const names = new Set<RuleName>(['officers', 'rules', ...chosen])
  return Object.fromEntries([...names].map((name) => [name, rule]))
}

function askName(message: string, before: readonly { readonly name: string }[]): Promise<string> {
  return askText(message, {
    check: (value) => {
      if (before.some(({ name }) => name === value.trim())) return 'there is one of this name'
      const isLong = value.length > personNameLengthMax
      return isLong ? `a name has at most ${personNameLengthMax} letters` : undefined
    },
  })
}

/** What cannot be read is said, and asked again. */
async function orSay<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    return undefined
  }
}
