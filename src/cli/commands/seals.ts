/**
 * `keyhold domain …`: what opens the domain at a start, side by side: its seals, and the counter of the server's
 * TPM that says whether its state is the newest. A passphrase is sealed here; only the module reads it.
 */

import type { Command } from 'commander'
import type { AnswerOf, Client } from '../../client/client.ts'
import { sealForCommand, sealSecretFor } from '../../hsm/contract/sealed-part.ts'
import { readSigned } from '../approvals/request-file.ts'
import { oneOf } from '../options.ts'
import { table, time, UsageError } from '../output.ts'
import { type PassphraseOptions, passphraseFileOption, readPassphrase } from '../passphrase.ts'
import { action } from '../session.ts'
import {
  type DomainFileOptions,
  domainFileHelp,
  domainFileOption,
  domainOf,
  sealingKeyFor,
} from '../transport-key.ts'
import { type ApprovalsOptions, approvalsOption, oneSet } from './domain.ts'

export interface SealOptions extends PassphraseOptions, DomainFileOptions {
  readonly tpm?: boolean
  readonly pcrs?: string
}

export const sealOptions = {
  passphraseFile: passphraseFileOption,
  tpm: ['--tpm', "by the server's TPM, where nobody has to type"],
  pcrs: ['--pcrs <bank:list>', 'what the TPM seal is bound to; sha256:7 when left out'],
} as const

export function addSealCommands(domain: Command): void {
  domain
    .command('seals')
    .summary('what opens the domain, beside its custodians')
    .action(
      action(async ({ connect, output }) => {
        const { seals } = await (await connect()).call('listSeals', {})
        const rows = seals.map(({ kind, made }) => [kind, time(made) ?? ''])
        output.result({ seals }, table(['SEAL', 'MADE'], rows, 'none: its custodians open it'))
      }),
    )
  addAddCommand(domain)
  domain
    .command('remove-seal <kind>')
    .summary('take a seal away: passphrase, tpm or key-file')
    .description(
      'Whoever has a copy of it, as in a backup, and its secret still opens the domain, until: keyhold domain shred.',
    )
    .option(...approvalsOption)
    .action(
      action<ApprovalsOptions>(async ({ connect, output }, { args: [text = ''], options }) => {
        const kind = oneOf(['passphrase', 'tpm', 'key-file'] as const)(text)
        const approvals = await oneSet(options)
        await (await connect()).call('removeSeal', { body: { kind, approvals } })
        output.result({ kind }, `the seal by ${kind} is gone`)
      }),
    )
  addCounterCommand(domain)
}

function addAddCommand(domain: Command): void {
  domain
    .command('add-seal')
    .summary('open the domain by a passphrase or the TPM of the server too')
    .description(
      'Takes the place of the seal of the same kind and leaves all others and the shares of custodians: ' +
        'a server can start by itself while custodians keep the way in for an emergency.',
    )
    .option(...sealOptions.passphraseFile)
    .option(...sealOptions.tpm)
    .option(...sealOptions.pcrs)
    .option(...domainFileOption)
    .option(...approvalsOption)
    .addHelpText(
      'after',
      `${domainFileHelp}
Examples:
  keyhold domain add-seal --tpm
  keyhold domain add-seal --passphrase-file new-passphrase
  keyhold approval request add-seal --tpm --requester anna --output seal.json
  keyhold domain add-seal --approvals seal.json`,
    )
    .action(
      action<SealOptions & ApprovalsOptions>(async ({ connect, output }, { options }) => {
        const client = await connect()
        const body = await sealBody(client, options)
        await client.call('addSeal', { body })
        const next =
          body.kind === 'tpm' ? '--seal tpm' : '--seal passphrase, and --passphrase-file or typed'
        output.result({ kind: body.kind }, `sealed; it opens with: keyhold serve ${next}`)
      }),
    )
}

async function sealBody(client: Client, options: SealOptions & ApprovalsOptions) {
  if (options.approvals === undefined) return sealedSecret(client, options)
  const { approvals, arguments: args, parts } = await readSigned(options.approvals, 'addSeal')
  const { secret: sealed = new Uint8Array() } = parts
  return { kind: args.seal === 'tpm' ? 'tpm' : 'passphrase', sealed, approvals } as const
}

function addCounterCommand(domain: Command): void {
  domain
    .command('pin-counter')
    .summary("have the server's TPM confirm at each start that the state is the newest")
    .description(
      'Makes a counter in the TPM if there is none yet. From then on a module whose state is older than ' +
        'the counter knows is stopped, until an officer acknowledges it.',
    )
    .option(...approvalsOption)
    .action(
      action<ApprovalsOptions>(async ({ connect, output }, { options: { approvals: files } }) => {
        const client = await connect()
        const body = files ? await signedWord(files) : await counterWord(client)
        await client.call('pinCounter', { body })
        output.result({ pinned: body.pin }, 'pinned: freshness is confirmed by the TPM counter')
      }),
    )
}

type CounterWord = AnswerOf<'prepareCounter'>

export function counterWord(client: Client): Promise<CounterWord> {
  return client.call('prepareCounter', {})
}

async function signedWord(files: readonly string[]) {
  const { approvals, arguments: args, parts } = await readSigned(files, 'confirmCounter')
  const { attestation = new Uint8Array(), signature = new Uint8Array() } = parts
  const { challenge, pin } = args as unknown as Pick<CounterWord, 'challenge' | 'pin'>
  return { challenge, pin, attestation, signature, approvals }
}

/** For a new seal: of the passphrase, or of what the server's TPM keeps. @throws UsageError */
export async function sealedSecret(client: Client, options: SealOptions) {
  const { tpm = false, pcrs, passphraseFile } = options
  if (tpm ? passphraseFile !== undefined : pcrs !== undefined) {
    throw new UsageError('a seal is by --tpm, with --pcrs, or by a passphrase')
  }
  if (!tpm)
    return {
      kind: 'passphrase',
      sealed: await sealedPassphrase(client, options, 'addSeal'),
    } as const
  return { kind: 'tpm', sealed: await sealedByTpm(client, pcrs, 'addSeal') } as const
}

/** What the server's TPM keeps for a seal, sealed by the server to the module. */
export async function sealedByTpm(
  client: Client,
  pcrs: string | undefined,
  command: 'addSeal' | 'beginEpoch',
): Promise<Uint8Array> {
  const body = pcrs === undefined ? { command } : { pcrs, command }
  return (await client.call('prepareTpmSeal', { body })).sealed
}

/** Typed, or the first line of a file. */
export async function sealedPassphrase(
  client: Client,
  options: PassphraseOptions & DomainFileOptions,
  command: 'addSeal' | 'beginEpoch',
): Promise<Uint8Array> {
  const domain = await domainOf(options)
  const passphrase = await readPassphrase(options, { what: 'New passphrase', isNew: true })
  try {
    const { publicKey, challenge } = await sealingKeyFor(client, command, domain)
    const destination = sealSecretFor(command, 'passphrase')
    return sealForCommand(publicKey, challenge, destination, passphrase)
  } finally {
    passphrase.fill(0)
  }
}
