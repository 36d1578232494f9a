/**
 * `keyhold approval …`: ask for approvals, read what they are for, sign it. Only asking needs a server; who
 * signs needs the request and a key, and sees all that the signature is over.
 */

import { hash } from 'node:crypto'
import { confirm, isCancel } from '@clack/prompts'
import type { Command } from 'commander'
import { clientError } from '../../client/errors.ts'
import { type Approval, signApproval } from '../../hsm/contract/approval.ts'
import {
  parseStatement,
  readRequest,
  type Statement,
  writeRequest,
} from '../approvals/request-file.ts'
import { statementInWords } from '../approvals/words.ts'
import { pair } from '../options.ts'
import { UsageError } from '../output.ts'
import { type BrowserOptions, browserOptions, inBrowser } from '../passkey/options.ts'
import { type PassphraseOptions, passphraseFileOption } from '../passphrase.ts'
import { personKeyOptions, readPersonKey } from '../person-key.ts'
import { action, type Session } from '../session.ts'
import { readSmallFile } from '../small-file.ts'
import { addRequestCommands } from './approval-requests.ts'

interface SignOptions extends PassphraseOptions, BrowserOptions {
  readonly as: string
  readonly key?: string
  readonly passkey?: string
  readonly part?: Readonly<Record<string, string>>
  readonly yes?: boolean
}

const digests = ['sha256', 'sha384', 'sha512', 'sha3-256', 'sha3-384', 'sha3-512'] as const
const partBytesMax = 64 * 1024 * 1024

export function addApprovalCommands(program: Command): void {
  const approval = program
    .command('approval')
    .summary('ask for approvals, read what they are for, sign')
  addRequestCommands(approval)
  approval
    .command('show <request>')
    .summary('what a request is for, and who has signed it')
    .action(
      action(async ({ output }, { args: [file = ''] }) => {
        const { statements, approvals } = await readRequest(file)
        const shown = statements.map((text, index) => {
          const signed = (approvals[index] ?? []).map(({ person }) => person)
          return { ...parseStatement(text), signed }
        })
        const text = shown.map(
          (one) => `${statementInWords(one)}\nSigned by: ${one.signed.join(', ') || 'nobody yet'}`,
        )
        output.result(shown, text.join('\n\n'))
      }),
    )
  approval
    .command('sign <request>')
    .summary('read it, and sign it with your key or passkey')
    .requiredOption(...personKeyOptions.as)
    .option(...personKeyOptions.key)
    .option('--passkey <file>', 'your passkey: of keyhold officer passkey')
    .option('--part <name=file>', 'must be this file: its digest is compared', pair)
    .option('--yes', 'sign without being asked; a passkey always asks')
    .option(...passphraseFileOption)
    .option(...browserOptions.open)
    .option(...browserOptions.seconds)
    .description(
      'Shows in plain words everything that the signature is over, asks, and adds your signature to the ' +
        'request. Nothing else that stands in the file is believed. A passkey is asked on a page that this ' +
        'command serves to your browser on this machine, which shows the same.',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  keyhold approval sign destroy.json --as anna --key anna.key\n' +
        '  keyhold approval sign destroy.json --as ben --passkey ben.passkey --open',
    )
    .action(action<SignOptions>(signRequest))
}

async function signRequest(
  session: Session,
  {
    args: [file = ''],
    options,
  }: { readonly args: readonly string[]; readonly options: SignOptions },
): Promise<void> {
  const { output } = session
  const request = await readRequest(file)
  const statements = request.statements.map(parseStatement)
  for (const statement of statements) output.note(`${statementInWords(statement)}\n`)
  await compareParts(statements, options.part ?? {})
  const made = await sign(session, request.statements, options)
  const approvals = made.map((approval, index) => {
    const others = (request.approvals[index] ?? []).filter(({ person }) => person !== options.as)
    return [...others, approval]
  })
  await writeRequest(file, { ...request, approvals }, { force: true })
  const signed = approvals[0]?.map(({ person }) => person) ?? []
  output.result({ file, signed }, `signed by ${signed.join(', ')}: ${file}`)
}

/** By the key in a file after a question here, or by a passkey after one in the browser. */
async function sign(
  session: Session,
  statements: readonly string[],
  options: SignOptions,
): Promise<Approval[]> {
  const { as: person, key: keyFile, passkey: passkeyFile } = options
  if (passkeyFile !== undefined && keyFile === undefined) {
    const [{ approveInBrowser }, { readPasskey }] = await Promise.all([
      import('../passkey/ask.ts'),
      import('../passkey/passkey-file.ts'),
    ])
    const who = { person, passkey: await readPasskey(passkeyFile) }
    return approveInBrowser(statements, who, inBrowser(session, options))
  }
  if (keyFile === undefined || passkeyFile !== undefined) {
    throw new UsageError('sign with --key or with --passkey')
  }
  if (!options.yes) await askToSign(session.signal)
  const key = await readPersonKey(keyFile, options)
  return statements.map((text) => signApproval(Buffer.from(text), person, key))
}

/** @throws ClientError APPROVAL_INVALID */
async function compareParts(
  statements: readonly Statement[],
  files: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [name, file] of Object.entries(files)) {
    const bytes = await readSmallFile(file, partBytesMax)
    if (statements.every((statement) => isPart(statement, name, bytes))) continue
    throw clientError('APPROVAL_INVALID', `the part ${name} is not ${file}`)
  }
}

/** Where a digest is signed, the part is the digest of the file. */
function isPart({ arguments: args, parts }: Statement, name: string, bytes: Uint8Array): boolean {
  if (parts[name] === hash('sha256', bytes, 'hex')) return true
  return (
    args.input === 'digest' &&
    digests.some((digest) => parts[name] === hash('sha256', hash(digest, bytes, 'buffer'), 'hex'))
  )
}

async function askToSign(signal: AbortSignal): Promise<void> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError('nobody can be asked here; add --yes')
  }
  const message = 'Sign this?'
  const answer = await confirm({ message, initialValue: false, output: process.stderr, signal })
  if (answer !== true || isCancel(answer)) throw clientError('INTERRUPTED', 'nothing was signed')
}
