/**
 * The domain state and what approvals of it need: the version in force, the next one, and challenges for
 * commands that are approved once. A change that weakens a policy is refused: it would have to destroy what the
 * policy protected.
 */

import type { DomainState, RuleName } from '../contract/domain-state.ts'
import { domainStateHash } from '../contract/domain-state.ts'
import { HsmError } from '../contract/errors.ts'
import { commandNameLengthMax } from '../contract/limits.ts'
import {
  assertNotWeaker,
  type DomainChange,
  nextDomainState,
  parseDomainChange,
} from '../domain-state.ts'
import type { StoredDomainState } from '../ledger.ts'
import { parseNothing, parseObject } from '../parse.ts'
import { command, unrestricted } from './row.ts'

const whileOpen = ['operational', 'tampered'] as const
const commandPattern = /^[a-zA-Z]+$/

export const getChallenge = command({
  name: 'getChallenge',
  states: ['locked', ...whileOpen],
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
  run: (module) => describeDomainState(module.open.ledger.signedDomainState),
})

export const changeDomain = command({
  name: 'changeDomain',
  states: ['operational'],
  rules: ({ change }) => rulesOf(change),
  changesState: true,
  alone: true,
  record: 'nothing',
  parts: {},
  parse: (untrusted): { change: DomainChange } => {
    const { change } = parseObject(untrusted, ['change'], 'arguments')
    return { change: parseDomainChange(change) }
  },
  run: (module, { change }) => {
    const { domain, ledger } = module.open
    assertNotWeaker(ledger.domainState, change)
    const before = ledger.signedDomainState
    const next = nextDomainState(domain, before, { change, time: module.now() })
    const { result, parts } = describeDomainState(next)
    const changes = [ledger.putDomainState(next)]
    return { result, parts, changes }
  },
})

const ruleOfMember: Readonly<Record<keyof DomainChange, RuleName>> = {
  level: 'level',
  people: 'officers',
  rules: 'rules',
  tamper: 'tamper',
  custodians: 'founding',
  epoch: 'epoch',
  members: 'join',
}

function rulesOf(change: object): RuleName[] {
  return (Object.keys(change) as (keyof DomainChange)[]).map((member) => ruleOfMember[member])
}

/** Of a version: the answer to whoever made or asked for it. */
export function describeDomainState({ statement, signature }: StoredDomainState) {
  const { version } = JSON.parse(statement) as DomainState
  const hash = domainStateHash(Buffer.from(statement))
  const state = Buffer.from(JSON.stringify({ statement, signature }))
  return { result: { version, hash }, parts: { state } }
}
