/** `keyhold domain …`: who decides and by which rules, changes of that, PINs and logins, tampering. */

import type { Command } from 'commander'
import type { Client } from '../../client/client.ts'
import { ClientError, clientError } from '../../client/errors.ts'
import type { DomainChange } from '../../client/types.ts'
import { signApproval } from '../../hsm/contract/approval.ts'
import { type DomainState, openSignedDomainState } from '../../hsm/contract/domain-state.ts'
import { sealToTransportKey } from '../../hsm/contract/transport.ts'
import { parseStatement, readApprovals, readSigned } from '../approvals/request-file.ts'
import { statementInWords } from '../approvals/words.ts'
import { askForDomain } from '../ask-for-domain.ts'
import { fields, table, time } from '../output.ts'
import { readPassphrase } from '../passphrase.ts'
import { readPersonKey } from '../person-key.ts'
import { action, type Session } from '../session.ts'
import { readSmallFile } from '../small-file.ts'
import {
  type DomainFileOptions,
  domainFileHelp,
  domainFileOption,
  domainOf,
  transportKeyFor,
} from '../transport-key.ts'

export const approvalsOption = [
  '--approvals <file...>',
  'signed requests: keyhold approval request, approval sign',
] as const

export const pinFileOption = [
  '--pin-file <path>',
  'its first line; typed on the terminal when left out',
] as const

export interface ApprovalsOptions {
  readonly approvals?: readonly string[]
}

export interface PinOptions extends DomainFileOptions {
  readonly pinFile?: string
  readonly key?: string
  readonly passphraseFile?: string
}

/** The module's own: a PIN is shorter than a passphrase that is tried outside. */
const pinBytesMin = 8
const changeBytesMax = 512 * 1024

interface ChangeOptions extends ApprovalsOptions {
  readonly confirm?: string
}

/** Beneath `keyhold domain`. */
export function addDomainCommands(domain: Command): void {
  domain
    .command('show')
    .summary('people, rules and responses in force')
    .action(
      action(async ({ connect, output }) => {
        const { statement, signature, version, hash } = await (await connect()).call(
          'getDomainState',
          {},
        )
        const state = openSignedDomainState({ statement, signature })
        if (!state) throw clientError('ANSWER_INVALID', 'the domain state is not signed rightly')
        output.result({ version, hash, state }, stateText(state, hash))
      }),
    )
  domain
    .command('change <file>')
    .summary('people, rules, level or responses: what stands in the file, as JSON')
    .description(
      'The file has what changes: level, people, rules, tamper. People are given whole. What weakens a ' +
        'policy destroys every key of the domain, and is refused unless "destroysKeys": true stands there too.',
    )
    .option(...approvalsOption)
    .option('--confirm <domain>', 'the id of the domain, instead of being asked for it')
    .addHelpText(
      'after',
      '\nExample:\n  keyhold domain change people.json --approvals request.json',
    )
    .action(action<ChangeOptions>(changeDomain))
  addTamperCommands(domain)
  addPinCommands(domain)
}

async function changeDomain(
  session: Session,
  { args: [file = ''], options }: { args: readonly string[]; options: ChangeOptions },
): Promise<void> {
  const change = await readChange(file)
  const approvals = await oneSet(options)
  const client = await session.connect()
  const confirm = change.destroysKeys
    ? await confirmDestruction(session, client, { change, confirm: options.confirm })
    : {}
  const body = { change, approvals, ...confirm }
  const { version, hash, destroyed } = await client.call('changeDomain', { body })
  const text = `version ${version}, SHA-256 ${hash}`
  if (!destroyed) return session.output.result({ version, hash }, text)
  const gone = `every key under KEK ${destroyed.kek} of epoch ${destroyed.epoch} is destroyed`
  const next = 'What is not proved destroyed: keyhold certificate weakening'
  session.output.result({ version, hash, destroyed }, `${text}\n${gone}\n${next}`)
}

/** Has the server say what is destroyed, and the id of the domain typed. @throws UsageError where nobody can be asked */
async function confirmDestruction(
  { output, signal }: Session,
  client: Client,
  { change, confirm }: { readonly change: DomainChange; readonly confirm: string | undefined },
): Promise<{ readonly confirm: string }> {
  const { domainId } = (await client.call('getStatus', {})).module
  try {
    await client.call('changeDomain', { body: { change } })
  } catch (error) {
    if (!(error instanceof ClientError) || error.code !== 'CONFIRMATION_INVALID') throw error
    output.note(error.message)
  }
  const question = 'Type the id of the domain to destroy every key of it'
  return { confirm: confirm ?? (await askForDomain({ signal, domainId, question })) }
}

function addTamperCommands(domain: Command): void {
  domain
    .command('acknowledge-tamper')
    .summary('let a module work again that tampering has stopped')
    .option(...approvalsOption)
    .action(
      action<ApprovalsOptions>(async ({ connect, output }, { options }) => {
        const approvals = await oneSet(options)
        await (await connect()).call('acknowledgeTamper', { body: { approvals } })
        output.result({ acknowledged: true }, 'acknowledged: the module works again')
      }),
    )
  domain
    .command('zeroise <reason>')
    .summary('end this module and overwrite its secrets')
    .requiredOption('--confirm <id>', 'the id of the domain')
    .option(...approvalsOption)
    .action(
      action<ApprovalsOptions & { readonly confirm: string }>(
        async ({ connect, output }, { args: [reason = ''], options }) => {
          const approvals = await oneSet(options)
          const body = { reason, confirm: options.confirm, approvals }
          await (await connect()).call('zeroise', { body })
          output.result({ zeroised: true }, 'zeroised: this module holds no secret any more')
        },
      ),
    )
  domain
    .command('reset-login <name>')
    .summary('let somebody try again who is locked out')
    .option(...approvalsOption)
    .action(
      action<ApprovalsOptions>(async ({ connect, output }, { args: [person = ''], options }) => {
        const approvals = await oneSet(options)
        await (await connect()).call('resetLogin', { body: { person, approvals } })
        output.result({ person }, `${person} may try again`)
      }),
    )
}

function addPinCommands(domain: Command): void {
  const add = (command: 'pin' | 'login', summary: string) =>
    domain
      .command(`${command} <name>`)
      .summary(summary)
      .option(...pinFileOption)
      .option(...domainFileOption)
      .addHelpText('after', domainFileHelp)
      .option('--key <file>', 'your private key, to sign this yourself')
      .option('--passphrase-file <path>', 'of the key; typed on the terminal when left out')
  add('pin', 'set your PIN or passphrase, sealed to the module')
    .option(...approvalsOption)
    .action(
      action<PinOptions & ApprovalsOptions>(async (session, { args: [person = ''], options }) => {
        const client = await session.connect()
        const body = options.approvals
          ? await signedPin(options.approvals, person)
          : await pinBody(session, client, 'setPin', person, options)
        const { version } = await client.call('setPin', { body })
        session.output.result({ person, version }, `the PIN of ${person} is set`)
      }),
    )
  add('login', 'log in with your PIN, for 15 minutes').action(
    action<PinOptions>(async (session, { args: [person = ''], options }) => {
      const client = await session.connect()
      const body = await pinBody(session, client, 'login', person, options)
      const { expires } = await client.call('logIn', { body })
      session.output.result({ person, expires }, `${person} is logged in until ${time(expires)}`)
    }),
  )
}

/** The PIN is sealed here, for one challenge; only the module reads it. */
export async function sealedPin(
  client: Client,
  command: 'setPin' | 'login',
  { pinFile, ...options }: PinOptions,
): Promise<{ readonly challenge: string; readonly pin: Uint8Array }> {
  const what = { what: 'PIN', isNew: command === 'setPin', bytesMin: pinBytesMin }
  const domain = await domainOf(options)
  const typed = await readPassphrase(pinFile === undefined ? {} : { passphraseFile: pinFile }, what)
  try {
    const publicKey = await transportKeyFor(client, domain)
    const { challenge } = await client.call('getChallenge', { body: { command } })
    const context = Buffer.from(challenge, 'hex')
    return { challenge, pin: sealToTransportKey(publicKey, 'login', typed, context) }
  } finally {
    typed.fill(0)
  }
}

/** As others do it for somebody, with the PIN that the request brought. @throws ClientError APPROVAL_INVALID */
async function signedPin(files: readonly string[], person: string) {
  const { approvals, arguments: args, parts } = await readSigned(files, 'setPin')
  const { pin = new Uint8Array() } = parts
  if (args.person !== person) throw clientError('APPROVAL_INVALID', 'the PIN is for somebody else')
  return { person, challenge: String(args.challenge), pin, approvals }
}

/** As somebody does it himself. */
async function pinBody(
  { output }: Session,
  client: Client,
  command: 'setPin' | 'login',
  person: string,
  options: PinOptions,
) {
  const { key, passphraseFile } = options
  const { challenge, pin } = await sealedPin(client, command, options)
  if (key === undefined) return { person, challenge, pin }
  const asked = { command, arguments: { person, challenge }, parts: { pin }, requester: person }
  const { statements } = await client.call('domainStatement', { body: asked })
  const [text = ''] = statements
  const statement = parseStatement(text)
  output.note(statementInWords(statement))
  if (statement.command !== command || statement.arguments.person !== person) {
    throw clientError('APPROVAL_INVALID', 'the server asks for a signature over something else')
  }
  const signing = await readPersonKey(key, passphraseFile === undefined ? {} : { passphraseFile })
  const approval = signApproval(Buffer.from(text), person, signing)
  const { module, challenge: bound, predecessor, requester, notBefore, expires } = statement
  const terms = { module, challenge: bound, predecessor, requester, notBefore, expires }
  return { person, challenge, pin, approvals: { ...terms, approvals: [approval] } }
}

/** For a command that is one command of the module. @throws ClientError APPROVAL_INVALID */
export async function oneSet({ approvals }: ApprovalsOptions) {
  if (approvals === undefined) return undefined
  const [first, ...others] = await readApprovals(approvals)
  if (others.length === 0) return first
  throw clientError('APPROVAL_INVALID', 'these approvals are for something else')
}

/** What stands in the file is checked by the server. @throws ClientError FILE_NOT_READABLE */
export async function readChange(file: string): Promise<DomainChange> {
  const text = (await readSmallFile(file, changeBytesMax)).toString('utf8')
  try {
    return JSON.parse(text) as DomainChange
  } catch (cause) {
    throw clientError('FILE_NOT_READABLE', `${file} is not JSON`, { cause })
  }
}

function stateText(state: DomainState, hash: string): string {
  const rules = Object.entries(state.rules).map(([name, rule]) => [
    name,
    String(rule.approvals),
    rule.roles.join(', '),
    rule.excludeRequester ? 'without the requester' : '',
  ])
  const people = state.people.map(({ name, roles, credential, pin }) => [
    name,
    roles.join(', '),
    credential.kind,
    pin === null ? '' : 'PIN',
  ])
  return [
    fields([
      ['domain', `${state.domain}${state.development ? ' (DEVELOPMENT)' : ''}`],
      ['version', `${state.version}, ${time(state.time) ?? ''}, SHA-256 ${hash}`],
      ['level', state.level],
      ['epoch', state.epoch],
      ['members', state.members.length],
      [
        'custodians',
        state.custodians
          ? `${state.custodians.threshold} of ${state.custodians.names.length}`
          : undefined,
      ],
    ]),
    table(['PERSON', 'ROLES', 'KEY', ''], people, 'nobody: whoever holds the server decides'),
    table(['RULE', 'APPROVALS', 'BY', ''], rules, 'no rules: nothing takes approvals'),
  ].join('\n\n')
}
