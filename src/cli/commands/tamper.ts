/**
 * `keyhold tamper`: what stopped a module, and what people do about it: acknowledge, so that it goes on, or
 * zeroise. Where the domain has the rule `tamper` that takes a request that people sign (`keyhold approval`).
 */

import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Command } from 'commander'
import * as z from 'zod'
import { readUnlockPlace, type ServerPlace } from '../../client/config.ts'
import { Connection } from '../../client/connection.ts'
import { ClientError, clientError } from '../../client/errors.ts'
import { approvalMsMax, approvalStatement } from '../../hsm/contract/approval.ts'
import { parseStatement, readRequest, writeRequest } from '../approvals/request-file.ts'
import { statementInWords } from '../approvals/words.ts'
import { fields, UsageError } from '../output.ts'
import { action, type Session } from '../session.ts'
import { approvalsOption, oneSet } from './domain.ts'

const stopped = z.object({
  state: z.literal('tampered'),
  reason: z.string(),
  domain: z.string(),
  module: z.string(),
  rule: z.object({ approvals: z.int(), roles: z.array(z.string()) }).nullable(),
})
const challenge = z.object({ challenge: z.string(), expires: z.int() })
const actions = {
  acknowledge: 'acknowledgeTamper',
  zeroise: 'zeroise',
} as const
type Act = keyof typeof actions

interface ServerOptions {
  readonly server?: string
}
interface ActOptions extends ServerOptions {
  readonly approvals?: readonly string[]
  readonly reason?: string
  readonly confirm?: string
}
interface RequestOptions extends ServerOptions {
  readonly requester: string
  readonly output: string
  readonly reason?: string
}

const serverOption = [
  '--server <file>',
  'unlock.json of the server; that of the data folder when left out',
] as const

export function addTamperCommands(program: Command): void {
  const tamper = program
    .command('tamper')
    .summary('what stopped the module; acknowledge it, or zeroise the module')
    .description(
      'Of a server that was started with a stopped module, and waits. One that ran on when its module was stopped ' +
        'takes: keyhold status, keyhold approval request acknowledge-tamper, keyhold domain acknowledge-tamper.',
    )
  tamper
    .command('status')
    .summary('what stopped the module, and who may act')
    .option(...serverOption)
    .action(
      action<ServerOptions>(async (session, { options }) => {
        using connection = await connect(session, options)
        const found = await status(connection)
        const { reason, domain, module, rule } = found
        const who = rule
          ? `${rule.approvals} of: ${rule.roles.join(', ')}`
          : 'whoever can read the data folder'
        const rows = [
          ['stopped by', reason],
          ['domain', domain],
          ['module', module],
          ['may act', who],
        ] as const
        session.output.result(found, fields(rows))
      }),
    )
  addRequestCommand(tamper)
  addActCommand(tamper, 'acknowledge', 'the module goes back to work')
  addActCommand(tamper, 'zeroise', 'overwrite all secrets of the module; nothing undoes it')
}

function addRequestCommand(tamper: Command): void {
  tamper
    .command('request')
    .argument('<act>', 'acknowledge or zeroise')
    .summary('a file for people to approve')
    .requiredOption('--requester <name>', 'who asks for it: a person of the domain')
    .requiredOption('--output <path>', 'where the request is to be')
    .option('--reason <text>', 'of zeroise')
    .option(...serverOption)
    .addHelpText(
      'after',
      '\nExample:\n  keyhold tamper request acknowledge --requester olga --output request.json',
    )
    .action(
      action<RequestOptions>(async (session, { args: [asked = ''], options }) => {
        if (asked !== 'acknowledge' && asked !== 'zeroise') {
          throw new UsageError('acknowledge or zeroise')
        }
        using connection = await connect(session, options)
        const { domain, module } = await status(connection)
        const command = actions[asked]
        const issued = await post(connection, '/v1/tamper/challenge', { command })
        const given = parse(challenge, issued)
        const notBefore = given.expires - approvalMsMax
        const asks = { command, arguments: argumentsOf(asked, options), parts: {} }
        const terms = { module, ...given, predecessor: '', requester: options.requester, notBefore }
        const text = approvalStatement(domain, asks, terms).toString()
        await writeRequest(options.output, { statements: [text], approvals: [[]] }, {})
        const next = `To be signed with: keyhold approval sign ${options.output} --as NAME --key FILE`
        const words = `${statementInWords(parseStatement(text))}\n\n${next}`
        session.output.result({ file: options.output, statements: [text] }, words)
      }),
    )
}

function addActCommand(tamper: Command, act: Act, summary: string): void {
  const command = tamper
    .command(act)
    .summary(summary)
    .option(...approvalsOption)
    .option(...serverOption)
  if (act === 'zeroise') {
    command
      .option('--reason <text>', 'for the record', '')
      .requiredOption(
        '--confirm <domain>',
        'the id of the domain, as keyhold tamper status says it',
      )
  }
  command.action(
    action<ActOptions>(async (session, { options }) => {
      using connection = await connect(session, options, await tokenIn(session.folder))
      const { domain } = await status(connection)
      if (act === 'zeroise' && options.confirm !== domain) {
        throw clientError('FILE_INVALID', `--confirm has to be ${domain}`)
      }
      const done = await post(connection, `/v1/tamper/${act}`, await bodyOf(act, options))
      const text =
        act === 'zeroise' ? 'The module is zeroised.' : 'Acknowledged: the module goes on.'
      session.output.result(done, text)
    }),
  )
}

/** What is sent is what was signed. */
async function bodyOf(act: Act, options: ActOptions): Promise<object> {
  const approvals = await oneSet(options)
  const [file] = options.approvals ?? []
  if (!approvals || file === undefined) return argumentsOf(act, options)
  const [text = ''] = (await readRequest(file)).statements
  const { command, arguments: args } = parseStatement(text)
  if (command !== actions[act]) {
    throw clientError('FILE_INVALID', `the request is for ${command}`)
  }
  return { ...args, approvals }
}

function argumentsOf(act: Act, { reason = '' }: { readonly reason?: string }): { reason?: string } {
  return act === 'zeroise' ? { reason } : {}
}

async function connect(
  { folder, signal }: Session,
  { server }: ServerOptions,
  token?: string,
): Promise<Connection> {
  const place = await placeOf(folder, server)
  return new Connection(token === undefined ? place : { ...place, token }, { signal })
}

/** @throws ClientError CONFIGURATION_MISSING, CONFIGURATION_INVALID */
async function placeOf(folder: string, server: string | undefined): Promise<ServerPlace> {
  try {
    return await readUnlockPlace(folder, server)
  } catch (cause) {
    const isMissing = cause instanceof ClientError && cause.code === 'CONFIGURATION_MISSING'
    if (server !== undefined || !isMissing) throw cause
    const message =
      'no server has started with a stopped module here; of one that runs, keyhold status says more, and ' +
      'keyhold domain acknowledge-tamper lets it go on'
    throw clientError('CONFIGURATION_MISSING', message, { cause })
  }
}

/** Of whoever may read the data folder; nobody else needs one. */
async function tokenIn(folder: string): Promise<string | undefined> {
  try {
    return (await readFile(path.join(folder, 'tamper.token'), 'latin1')).trim()
  } catch {
    return undefined
  }
}

async function status(connection: Connection): Promise<z.output<typeof stopped>> {
  const answer = await connection.send({ method: 'GET', path: '/v1/unlock', repeatable: true })
  return parse(stopped, answer.body)
}

async function post(connection: Connection, route: string, body: object): Promise<unknown> {
  const sent = { method: 'POST', path: route, body: JSON.stringify(body), repeatable: false }
  return (await connection.send(sent)).body
}

function parse<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  throw clientError('ANSWER_INVALID', 'the server answered something else: was its module stopped?')
}
