/**
 * Whether a command may run by the rules of the domain: who has signed it, whether their signatures are
 * over exactly this command, and whether that is enough. The manager carries approvals and cannot make
 * them. One that is wrong refuses the whole set, rather than being passed over: whoever sends it should
 * know, and so should the record.
 */

import { createPublicKey, verify } from 'node:crypto'
import type { Parts } from './commands/row.ts'
import {
  type Approval,
  type Approvals,
  type ApprovalTerms,
  approvalMsMax,
  approvalStatement,
  approvalsBytesMax,
  passkeyChallenge,
} from './contract/approval.ts'
import {
  approvalsMax,
  type DomainState,
  domainStateHash,
  type Person,
  type Rule,
  type RuleName,
} from './contract/domain-state.ts'
import { HsmError } from './contract/errors.ts'
import { verifyPasskey } from './contract/passkey.ts'
import type { StoredDomainState } from './ledger.ts'
import { parseHex, parseInteger, parseList, parseObject, parseTime } from './parse.ts'
import { parsePersonName } from './people.ts'

/** The name of the part that brings them, with any command. */
export const approvalsPart = 'approvals'
const signatureTextMax = 8_192

/** What is asked, and what the domain says of it. */
export interface ApprovalQuestion {
  readonly domain: { readonly domainId: Buffer; readonly moduleId: Buffer }
  readonly stored: StoredDomainState
  readonly state: DomainState
  readonly command: string
  readonly arguments: unknown
  readonly parts: Parts
  readonly now: number
  /** True: the command makes the next version of the domain state, which is what binds approvals of it. */
  readonly changesState: boolean
  readonly assertChallenge: (challenge: string) => void
  /** Whether an officer's approval counts now. */
  readonly isPresent: (person: Person) => boolean
}

/** A set that is signed rightly. */
export interface CheckedApprovals {
  readonly terms: ApprovalTerms
  readonly signers: readonly Person[]
  /** Those of them whose approval counts, if they are officers. */
  readonly present: readonly Person[]
}

/**
 * Undefined when the command brings none.
 * @throws HsmError APPROVAL_INVALID, CHALLENGE_INVALID, ARGUMENT_INVALID
 */
export function checkApprovals(question: ApprovalQuestion): CheckedApprovals | undefined {
  const part = question.parts[approvalsPart]
  if (part === undefined) return undefined
  const { approvals, ...terms } = parseApprovals(part)
  assertTerms(question, terms)
  const domain = question.domain.domainId.toString('hex')
  const statement = approvalStatement(domain, question, terms)
  const signers = approvals.map((approval) => signerOf(question.state, statement, approval))
  return { terms, signers, present: signers.filter(question.isPresent) }
}

/**
 * That the people who signed are as many and such as the rule wants; an officer counts only where he is
 * present, which asks for a second factor at the highest security level.
 * @throws HsmError APPROVALS_MISSING
 */
export function assertRule(
  name: RuleName | 'use',
  rule: Rule,
  checked: CheckedApprovals | undefined,
): void {
  const { signers = [], present = [] } = checked ?? {}
  const requester = checked?.terms.requester
  if (rule.excludeRequester && !signers.some((person) => person.name === requester)) {
    throw new HsmError('APPROVALS_MISSING', `the rule ${name} wants the requester's signature too`)
  }
  const counted = signers.filter(
    (person) =>
      person.roles.some((role) => rule.roles.includes(role)) &&
      (!person.roles.includes('officer') || present.includes(person)) &&
      !(rule.excludeRequester && person.name === requester),
  )
  if (counted.length >= rule.approvals) return
  const have = `${counted.length} of ${rule.approvals} approvals`
  const hint = present.length < signers.length ? ', officers have to be logged in' : ''
  throw new HsmError('APPROVALS_MISSING', `the rule ${name} is not met: ${have}${hint}`)
}

/** @throws HsmError ARGUMENT_INVALID */
function parseApprovals(part: Uint8Array): Approvals {
  if (part.length > approvalsBytesMax) throw invalidArgument('too many approvals')
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(part).toString())
  } catch {
    throw invalidArgument('approvals are JSON')
  }
  const members = ['module', 'challenge', 'predecessor', 'requester', 'notBefore', 'expires']
  const untrusted = parseObject(value, [...members, 'approvals'], 'approvals')
  const approvals = parseList(
    untrusted.approvals,
    { name: 'approvals', lengthMax: approvalsMax },
    parseApproval,
  )
  const names = approvals.map(({ person }) => person)
  if (new Set(names).size < names.length) throw notValid('one person has signed twice')
  return {
    module: untrusted.module === 'any' ? 'any' : parseHex(untrusted.module, 16, 'module'),
    challenge: untrusted.challenge === '' ? '' : parseHex(untrusted.challenge, 32, 'challenge'),
    predecessor: untrusted.predecessor === '' ? '' : parseHex(untrusted.predecessor, 32, 'version'),
    requester: parsePersonName(untrusted.requester),
    notBefore: parseTime(untrusted.notBefore, 'notBefore'),
    expires: parseInteger(untrusted.expires, { name: 'expires', min: 1, max: 8.64e15 }),
    approvals,
  }
}

function parseApproval(value: unknown): Approval {
  const members = ['person', 'signature', 'authenticatorData', 'clientData']
  const untrusted = parseObject(value, members, 'an approval')
  const { authenticatorData, clientData } = untrusted
  const approval = {
    person: parsePersonName(untrusted.person),
    signature: parseBase64(untrusted.signature),
  }
  if (authenticatorData === undefined && clientData === undefined) return approval
  return {
    ...approval,
    authenticatorData: parseBase64(authenticatorData),
    clientData: parseBase64(clientData),
  }
}

/** What binds the set to this module, this command, this moment and one time. */
function assertTerms(question: ApprovalQuestion, terms: ApprovalTerms): void {
  const { now, stored, changesState } = question
  const isHere = terms.module === question.domain.moduleId.toString('hex')
  if (!isHere && !(terms.module === 'any' && changesState)) {
    throw notValid('the approvals are for another module')
  }
  if (terms.expires <= terms.notBefore || terms.expires - terms.notBefore > approvalMsMax) {
    throw notValid('approvals are good for seven days at most')
  }
  if (now < terms.notBefore || now >= terms.expires)
    throw notValid('the approvals are not good now')
  if (changesState) {
    const isNext = terms.predecessor === domainStateHash(Buffer.from(stored.statement))
    if (!isNext || terms.challenge !== '') {
      throw notValid('the approvals are for another version of the domain state')
    }
  } else {
    if (terms.predecessor !== '') throw notValid('this command is bound by a challenge')
    question.assertChallenge(terms.challenge)
  }
}

function signerOf(state: DomainState, statement: Uint8Array, approval: Approval): Person {
  const person = state.people.find(({ name }) => name === approval.person)
  if (!person || !isSignedBy(person, statement, approval)) {
    throw notValid(`the approval of ${approval.person} is not over this command`)
  }
  return person
}

function isSignedBy({ credential }: Person, statement: Uint8Array, approval: Approval): boolean {
  const signature = Buffer.from(approval.signature, 'base64')
  const { authenticatorData, clientData } = approval
  if (credential.kind === 'passkey') {
    if (authenticatorData === undefined || clientData === undefined) return false
    return verifyPasskey(credential, passkeyChallenge(statement), {
      authenticatorData: Buffer.from(authenticatorData, 'base64'),
      clientData: Buffer.from(clientData, 'base64'),
      signature,
    })
  }
  if (authenticatorData !== undefined) return false
  const der = Buffer.from(credential.publicKey, 'base64')
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
  return verify(credential.kind === 'p-256' ? 'sha256' : null, statement, key, signature)
}

/** One encoding, so that what was signed has one form on its way too. */
function parseBase64(value: unknown): string {
  const isText = typeof value === 'string' && value !== '' && value.length <= signatureTextMax
  if (isText && Buffer.from(value, 'base64').toString('base64') === value) return value
  throw invalidArgument('a signature and what goes with it are in base64')
}

function notValid(message: string): HsmError {
  return new HsmError('APPROVAL_INVALID', message)
}

function invalidArgument(message: string): HsmError {
  return new HsmError('ARGUMENT_INVALID', message)
}
