/**
 * The file that goes from person to person (docs/formats/approval.md section 7): what is to be signed, a
 * text for each command, and what was signed so far. It holds no secret but sealed ones, and nothing in it is believed:
 * whoever signs reads the statement itself, and the module makes it again.
 */

import { hash } from 'node:crypto'
import { clientError } from '../../client/errors.ts'
import {
  type Approval,
  type Approvals,
  type ApprovalTerms,
  approvalFormat,
} from '../../hsm/contract/approval.ts'
import { canonicalJson } from '../../hsm/contract/canonical-json.ts'
import { readSmallFile, writeWhole } from '../small-file.ts'

const requestFormat = 'keyhold approval request v1'
const requestBytesMax = 8 * 1024 * 1024

export interface ApprovalRequest {
  readonly statements: readonly string[]
  /** Of each statement. */
  readonly approvals: readonly (readonly Approval[])[]
  /**
   * Of a request of one statement: base64 of parts that are made once, such as a secret that was sealed for
   * it, so that what runs is what was signed. Whoever the parts are not for cannot read them.
   */
  readonly parts?: Readonly<Record<string, string>>
}

/** A command as it was signed. */
export interface SignedCommand {
  readonly approvals: Approvals
  readonly arguments: Statement['arguments']
  /** Those that the request has. */
  readonly parts: Readonly<Record<string, Uint8Array | undefined>>
}

/** What a statement says, all of it. */
export interface Statement extends ApprovalTerms {
  readonly format: string
  readonly domain: string
  readonly command: string
  readonly arguments: Readonly<Record<string, unknown>>
  readonly parts: Readonly<Record<string, string>>
}

const statementMembers = [
  ...['arguments', 'challenge', 'command', 'domain', 'expires', 'format', 'module', 'notBefore'],
  ...['parts', 'predecessor', 'requester'],
]

/** @throws ClientError APPROVAL_INVALID for a text that says more or less than its members do */
export function parseStatement(text: string): Statement {
  const statement = parse(text) as Statement
  const isWhole =
    typeof statement === 'object' &&
    statement !== null &&
    statement.format === approvalFormat &&
    Object.keys(statement).join() === statementMembers.join() &&
    canonicalJson(statement) === text
  if (isWhole) return statement
  throw notValid('a statement in it is not one')
}

/** @throws ClientError FILE_NOT_READABLE, APPROVAL_INVALID */
export async function readRequest(file: string): Promise<ApprovalRequest> {
  const found = parse((await readSmallFile(file, requestBytesMax)).toString('utf8'))
  const { format, statements, approvals, parts } = (found ?? {}) as Partial<
    ApprovalRequest & { readonly format: string }
  >
  const isRequest =
    format === requestFormat &&
    Array.isArray(statements) &&
    statements.length > 0 &&
    Array.isArray(approvals) &&
    approvals.length === statements.length &&
    approvals.every((list) => Array.isArray(list))
  if (!isRequest || !statements || !approvals) throw notValid(`${file} is no request for approvals`)
  const [statement] = statements.map((text) => parseStatement(String(text)))
  if (parts === undefined) return { statements, approvals }
  for (const [name, text] of Object.entries(parts)) {
    const digest = hash('sha256', Buffer.from(String(text), 'base64'), 'hex')
    if (statement?.parts[name] !== digest) throw notValid(`the part ${name} is not what is signed`)
  }
  return { statements, approvals, parts }
}

export async function writeRequest(
  file: string,
  request: ApprovalRequest,
  { force }: { readonly force?: boolean | undefined },
): Promise<void> {
  const text = JSON.stringify({ format: requestFormat, ...request }, undefined, 2)
  await writeWhole(file, Buffer.from(`${text}\n`), { force, mode: 0o644 })
}

/** One set for each command, with what every file has for it. @throws ClientError APPROVAL_INVALID */
export async function readApprovals(files: readonly string[]): Promise<Approvals[]> {
  const requests = await Promise.all(files.map(readRequest))
  const [first] = requests
  if (!first) throw notValid('no file of approvals')
  const isSame = requests.every(
    ({ statements }) => statements.join('\n') === first.statements.join('\n'),
  )
  if (!isSame) throw notValid('the files are of different requests')
  return first.statements.map((text, index) => {
    const { module, challenge, predecessor, requester, notBefore, expires } = parseStatement(text)
    const all = new Map<string, Approval>()
    for (const { approvals } of requests) {
      for (const approval of approvals[index] ?? []) all.set(approval.person, approval)
    }
    if (all.size === 0) throw notValid('nobody has signed it yet: keyhold approval sign')
    const terms = { module, challenge, predecessor, requester, notBefore, expires }
    return { ...terms, approvals: [...all.values()] }
  })
}

/**
 * Of a request for one command: what it is run with.
 * @throws ClientError APPROVAL_INVALID when it is for another command
 */
export async function readSigned(
  files: readonly string[],
  command: string,
): Promise<SignedCommand> {
  const [approvals, ...others] = await readApprovals(files)
  const { statements, parts = {} } = await readRequest(files[0] ?? '')
  const statement = parseStatement(statements[0] ?? '')
  if (!approvals || others.length > 0 || statement.command !== command) {
    throw notValid('these approvals are for something else')
  }
  const bytes = Object.entries(parts).map(([name, text]) => [name, Buffer.from(text, 'base64')])
  return { approvals, arguments: statement.arguments, parts: Object.fromEntries(bytes) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function notValid(message: string): Error {
  return clientError('APPROVAL_INVALID', message)
}
