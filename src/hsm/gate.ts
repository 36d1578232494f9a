/**
 * What the domain's rules put in front of a command: it runs when every rule that it falls under is met
 * by approvals that came with it (`approvals.ts`). A challenge is used up by the command that it was
 * issued for; if that changes nothing, it stays open, so that a step that failed can be repeated.
 */

import { approvalsPart, assertRule, type CheckedApprovals, checkApprovals } from './approvals.ts'
import type { AnyRow, Done, Parts } from './commands/row.ts'
import type { Person, Rule } from './contract/domain-state.ts'
import { HsmError } from './contract/errors.ts'
import type { KeyAttributes } from './contract/keys.ts'
import { levelProfiles } from './levels.ts'
import type { Module } from './module.ts'
import type { Maybe } from './primitives/implementation.ts'

/** One command, its arguments parsed and as they came. */
export interface Passing {
  readonly row: AnyRow
  readonly parsed: unknown
  readonly arguments: unknown
  readonly parts: Parts
}

/**
 * Runs the command if the rules are met.
 * @throws HsmError APPROVALS_MISSING, APPROVAL_INVALID, CHALLENGE_INVALID, and what the command throws
 */
export function runThroughGate(module: Module, passing: Passing): Maybe<Done> {
  const { row, parsed, parts } = passing
  const { opened } = module
  const run = () => row.run(module, parsed, parts)
  if (!opened) {
    if (approvalsPart in parts) {
      throw new HsmError('ARGUMENT_INVALID', 'nobody approves before there is a domain')
    }
    return run()
  }
  const { rules } = opened.ledger.domainState
  const checked = approvalsPart in parts ? check(module, passing) : undefined
  const names = row.isDone?.(module, parsed) ? [] : row.rules(parsed, module)
  for (const name of names) {
    const rule = rules[name]
    if (rule) assertRule(name, rule, checked)
  }
  if (!checked) return run()
  return runOnce(module, checked, run)
}

function check(module: Module, { row, arguments: args, parts }: Passing) {
  const { domain, ledger } = module.open
  const now = module.now()
  return checkApprovals({
    ...{ domain, now, parts, command: row.name, arguments: args },
    stored: ledger.signedDomainState,
    state: ledger.domainState,
    changesState: row.changesState === true,
    isPresent: (person) => factorsOf(module, person) >= levelProfiles[module.level].loginFactorsMin,
    assertChallenge: (challenge) => module.challenges.assertOpen(challenge, row.name, now),
  })
}

/** A key that signs is one; a passkey verifies its user besides, and so does a login. */
function factorsOf(module: Module, person: Person): number {
  return person.credential.kind === 'passkey' || module.logins.isLoggedIn(person) ? 2 : 1
}

/** With the challenge taken meanwhile, and given back if the command comes to nothing. */
function runOnce(module: Module, checked: CheckedApprovals, run: () => Maybe<Done>): Maybe<Done> {
  const giveBack = module.challenges.take(checked.terms.challenge)
  module.approvals = checked
  try {
    const done = run()
    if (done instanceof Promise) done.catch(giveBack)
    return done
  } catch (error) {
    giveBack()
    throw error
  } finally {
    module.approvals = undefined
  }
}

/**
 * For a command that waits for something: that the module still works, and by the version of the domain
 * state, so its rules, people and level, by which the command was let through when this was called.
 * @returns @throws HsmError MODULE_STATE_INVALID, APPROVAL_INVALID
 */
export function watchDomainState(module: Module): () => void {
  const before = module.open.ledger.signedDomainState
  return () => {
    const { state } = module
    if (state !== 'operational') {
      throw new HsmError('MODULE_STATE_INVALID', `the module is ${state}`)
    }
    if (module.open.ledger.signedDomainState === before) return
    throw new HsmError('APPROVAL_INVALID', 'the domain state has changed meanwhile')
  }
}

/**
 * That a change which takes from a key for good what it could do has the approvals of the rule `floor`:
 * fewer uses, or a state from which SP 800-57 knows no way back. It is asked here rather than when the floor
 * is raised, which never goes beyond a revision that was made.
 * @throws HsmError APPROVALS_MISSING
 */
export function assertLastingApproved(
  module: Module,
  before: KeyAttributes,
  after: KeyAttributes,
): void {
  const { floor: rule } = module.open.ledger.domainState.rules
  if (rule && isLasting(module, before, after)) assertRule('floor', rule, module.approvals)
}

function isLasting({ keys }: Module, before: KeyAttributes, after: KeyAttributes): boolean {
  if (after.uses.length < before.uses.length) return true
  if (after.state === before.state) return false
  if (after.state !== 'deactivated') return after.state === 'compromised'
  // What a rotation leaves still opens and verifies what it protected; what it derived it cannot any more.
  if (before.uses.includes('derive') || before.uses.includes('agree')) return true
  const isSuccessor = ({ state, type, class: keyClass, uses, algorithms }: KeyAttributes) =>
    state === 'active' &&
    type === before.type &&
    keyClass === before.class &&
    before.algorithms.every((name) => algorithms.includes(name)) &&
    before.uses.every((use) => uses.includes(use))
  return !keys.laterThan(before).some(isSuccessor)
}

/** Who may sign a use that a key wants approved: whoever works with keys, or decides about them. */
const useRule: Omit<Rule, 'approvals'> = { roles: ['officer', 'operator'], excludeRequester: false }

/**
 * That a key which wants its uses approved has the approvals of the command that is being begun.
 * @throws HsmError APPROVALS_MISSING
 */
export function assertUseApproved(module: Module, { approvals }: KeyAttributes): void {
  if (approvals > 0) assertRule('use', { ...useRule, approvals }, module.approvals)
}
