/**
 * A request to acknowledge tampering as a file that goes from person to person, where the module has stopped
 * before the REST API is there: the command, the terms that the module has set, and the signatures so far
 * (docs/formats/approval.md). Each signer's program makes the statement anew from what it shows.
 */

import { createPublicKey, type KeyObject } from 'node:crypto'
import * as z from 'zod'
import { clientError } from '../../client/errors.ts'
import {
  type Approvals,
  type ApprovalTerms,
  approvalStatement,
  approvalsBytesMax,
  signApproval,
} from '../../hsm/contract/approval.ts'
import { approvalsMax } from '../../hsm/contract/domain-state.ts'
import { kindOf } from '../ceremony/plan.ts'
import { fields, time } from '../output.ts'
import { readSmallFile } from '../small-file.ts'

const requestFormat = 'keyhold acknowledgement request v1'

const requestFile = z.strictObject({
  format: z.literal(requestFormat),
  domain: z.string().regex(/^[0-9a-f]{32}$/),
  command: z.string().regex(/^[a-zA-Z]{1,64}$/),
  arguments: z.record(z.string(), z.unknown()),
  module: z.string(),
  challenge: z.string(),
  predecessor: z.string(),
  requester: z.string(),
  notBefore: z.int(),
  expires: z.int(),
  approvals: z
    .array(z.strictObject({ person: z.string(), signature: z.string() }))
    .max(approvalsMax),
})

export type ApprovalRequest = Readonly<z.output<typeof requestFile>>

export function newRequest(
  asked: Pick<ApprovalRequest, 'domain' | 'command' | 'arguments'>,
  terms: ApprovalTerms,
): ApprovalRequest {
  return { format: requestFormat, ...asked, ...terms, approvals: [] }
}

export function encodeRequest(request: ApprovalRequest): Buffer {
  return Buffer.from(`${JSON.stringify(request, null, 2)}\n`)
}

/** @throws ClientError FILE_INVALID, FILE_NOT_READABLE, FILE_TOO_LARGE */
export async function readRequest(file: string): Promise<ApprovalRequest> {
  const text = await readSmallFile(file, approvalsBytesMax)
  try {
    return requestFile.parse(JSON.parse(text.toString('utf8')))
  } catch (cause) {
    throw clientError('FILE_INVALID', `${file} is no request for approvals`, { cause })
  }
}

/** With the signature of this person, in place of an earlier one. @throws ClientError FILE_INVALID */
export function approve(request: ApprovalRequest, person: string, key: KeyObject): ApprovalRequest {
  if (!kindOf(createPublicKey(key))) {
    throw clientError('FILE_INVALID', 'a person signs with Ed25519, P-256 or ML-DSA-65')
  }
  const { domain, command, arguments: args } = request
  const statement = approvalStatement(domain, { command, arguments: args, parts: {} }, request)
  const others = request.approvals.filter((other) => other.person !== person)
  return { ...request, approvals: [...others, signApproval(statement, person, key)] }
}

/** What goes to the module with the command. */
export function approvalsOf(request: ApprovalRequest): Approvals {
  const { module, challenge, predecessor, requester, notBefore, expires, approvals } = request
  const terms = { module, challenge, predecessor, requester, notBefore, expires }
  return { ...terms, approvals }
}

/** For people: what they are asked to sign. */
export function describeRequest(request: ApprovalRequest): string {
  return fields([
    ['command', request.command],
    ['arguments', JSON.stringify(request.arguments)],
    ['domain', request.domain],
    ['module', request.module],
    ['asked by', request.requester],
    ['good until', time(request.expires)],
    ['signed by', request.approvals.map(({ person }) => person).join(', ') || 'nobody yet'],
  ])
}
