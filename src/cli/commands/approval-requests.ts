/**
 * `keyhold approval request …`: what people are to sign, for each command that a rule of the domain can stand in
 * front of. Secrets that go with a command are sealed to the module here, and kept in the request.
 */

import type { Command } from 'commander'
import type { Client, RequestOf } from '../../client/client.ts'
import { signStatements } from '../../client/files/sign.ts'
import { parseStatement, writeRequest } from '../approvals/request-file.ts'
import { statementInWords } from '../approvals/words.ts'
import { integer } from '../options.ts'
import { action, type Session } from '../session.ts'
import { domainFileOption } from '../transport-key.ts'
import { type PinOptions, pinFileOption, readChange, sealedPin } from './domain.ts'
import {
  assertCustodiansNamed,
  custodiansOption,
  type NewEpochOptions,
  newEpoch,
  noCustodiansOption,
} from './epochs.ts'
import { counterWord, type SealOptions, sealedSecret, sealOptions } from './seals.ts'

interface RequestOptions {
  readonly requester: string
  readonly output: string
  readonly minutes?: number
}

interface Asked<O> {
  readonly client: Client
  readonly who: { readonly requester: string; readonly validSeconds?: number | undefined }
  readonly args: readonly string[]
  readonly options: O
  readonly session: Session
}

interface Made {
  readonly statements: readonly string[]
  /** That are sent again, as they are. */
  readonly parts?: Readonly<Record<string, Uint8Array>>
}

/** Has the server say what people are to approve. */
type Ask<O> = (asked: Asked<O>) => Promise<Made>

type DomainCommand = RequestOf<'domainStatement'>['body']['command']

export function addRequestCommands(approval: Command): void {
  const request = approval.command('request').summary('ask for what people are to sign')
  addKeyRequests(request)
  addDomainRequests(request)
  addSealedRequests(request)
}

function add<O extends object = object>(
  request: Command,
  usage: string,
  summary: string,
  ask: Ask<O>,
): Command {
  return request
    .command(usage)
    .summary(summary)
    .requiredOption('--requester <name>', 'who asks: your name in the domain')
    .requiredOption('--output <file>', 'the request, for everybody who signs')
    .option('--minutes <number>', 'how long approvals are good', integer(1, 10_000), 60)
    .action(
      action<RequestOptions & O>(async (session, { args, options }) => {
        const client = await session.connect()
        const { requester, minutes = 60, output } = options
        const who = { requester, validSeconds: minutes * 60 }
        const { statements, parts } = await ask({ client, who, args, options, session })
        const made = { statements, approvals: statements.map(() => []) }
        await writeRequest(output, parts ? { ...made, parts: inBase64(parts) } : made, {})
        const words = statements.map((text) => statementInWords(parseStatement(text)))
        session.output.result({ file: output, statements }, words.join('\n\n'))
      }),
    )
}

function addKeyRequests(request: Command): void {
  add(request, 'destroy <key>', 'to destroy a key', (asked) => {
    const { client, who: body, args, session } = asked
    const [key = ''] = args
    return client.call('destroyStatement', { path: { namespace: session.namespace, key }, body })
  })
  add(request, 'sign <key> <file>', 'to sign a file', (asked) => {
    const { client, who, args, session } = asked
    const [key = '', input = ''] = args
    const { namespace, signal } = session
    return signStatements(client, { namespace, key, input, signal }, who)
  })
  add(request, 'wrap <key> <target>', 'to let the target out under the key', (asked) => {
    const { client, who, args, session } = asked
    const [key = '', target = ''] = args
    const path = { namespace: session.namespace, key }
    return client.call('wrapStatement', { path, body: { ...who, request: { target } } })
  })
}

/** Commands that are their arguments. */
function addDomainRequests(request: Command): void {
  const addPlain = (
    usage: string,
    summary: string,
    command: DomainCommand,
    argumentsOf: (arg: string) => object | Promise<object> = () => ({}),
  ) =>
    add(request, usage, summary, async (asked) =>
      statementsOf(asked, command, await argumentsOf(asked.args[0] ?? '')),
    )
  addPlain(
    'change <file>',
    'to change the domain: JSON as for domain change',
    'changeDomain',
    async (file) => ({ change: await readChange(file) }),
  )
  addPlain('acknowledge-tamper', 'to let a stopped module work again', 'acknowledgeTamper')
  addPlain('rotate-kek', 'to make a new key-encryption key', 'rotateKek')
  addPlain('retire-kek', 'to give up the key-encryption key before', 'retireKek')
  const reasonOf = (reason: string) => ({ reason })
  addPlain('zeroise <reason>', 'to end a module and overwrite its secrets', 'zeroise', reasonOf)
  const personOf = (person: string) => ({ person })
  addPlain('reset-login <name>', 'to let somebody try again', 'resetLogin', personOf)
  addPlain('remove-seal <kind>', 'to take a seal away', 'removeSeal', (seal) => ({ seal }))
}

/** Commands with something that is made for them once, and kept in the request. */
function addSealedRequests(request: Command): void {
  add<SealOptions>(
    request,
    'add-seal',
    'to open the domain by a passphrase or TPM too',
    async (asked) => {
      const { kind: seal, sealed: secret } = await sealedSecret(asked.client, asked.options)
      return statementsOf(asked, 'addSeal', { seal }, { secret })
    },
  )
    .option(...sealOptions.passphraseFile)
    .option(...sealOptions.tpm)
    .option(...sealOptions.pcrs)
    .option(...domainFileOption)
  add(request, 'pin-counter', "to confirm freshness by the server's TPM", async (asked) => {
    const { challenge, pin, ...parts } = await counterWord(asked.client)
    return statementsOf(asked, 'confirmCounter', { challenge, pin }, parts)
  })
  add<PinOptions>(request, 'pin <name>', "to set somebody's PIN", async (asked) => {
    const { client, args, options } = asked
    const [person = ''] = args
    const { challenge, pin } = await sealedPin(client, 'setPin', options)
    return statementsOf(asked, 'setPin', { person, challenge }, { pin })
  })
    .option(...pinFileOption)
    .option(...domainFileOption)
  add<NewEpochOptions>(request, 'shred', 'to shred the epoch', async (asked) => {
    const { client, who, options } = asked
    await assertCustodiansNamed(client, options)
    const next = await newEpoch(client, options)
    const { statements } = await client.call('shredStatement', { body: { ...who, ...next } })
    return { statements, ...('sealed' in next ? { parts: { secret: next.sealed } } : {}) }
  })
    .option(...custodiansOption)
    .option(...noCustodiansOption)
    .option(...sealOptions.passphraseFile)
    .option(...sealOptions.tpm)
    .option(...sealOptions.pcrs)
    .option(...domainFileOption)
}

async function statementsOf(
  { client, who }: Pick<Asked<object>, 'client' | 'who'>,
  command: DomainCommand,
  args: object,
  parts?: Readonly<Record<string, Uint8Array>>,
): Promise<Made> {
  const asked = { ...who, command, arguments: { ...args } }
  const body = parts ? { ...asked, parts } : asked
  const { statements } = await client.call('domainStatement', { body })
  return { statements, ...(parts ? { parts } : {}) }
}

function inBase64(parts: Readonly<Record<string, Uint8Array>>): Record<string, string> {
  const texts = Object.entries(parts).map(([name, bytes]) => [
    name,
    Buffer.from(bytes).toString('base64'),
  ])
  return Object.fromEntries(texts)
}
