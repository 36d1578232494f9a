/** `keyhold domain …`: the keys that all keys of the domain hang from, renewed while they are in use. */

import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import type { Client, RequestOf } from '../../client/client.ts'
import { clientError } from '../../client/errors.ts'
import { OutputFile } from '../../client/files/output.ts'
import type { Rotation } from '../../client/types.ts'
import type { DomainState } from '../../hsm/contract/domain-state.ts'
import { decodeList } from '../../hsm/contract/share.ts'
import { readSigned } from '../approvals/request-file.ts'
import { askForDomain } from '../ask-for-domain.ts'
import { fields, time, UsageError } from '../output.ts'
import { progressBar } from '../progress.ts'
import { action, type Session } from '../session.ts'
import { type DomainFileOptions, domainFileHelp, domainFileOption } from '../transport-key.ts'
import { type ApprovalsOptions, approvalsOption, oneSet } from './domain.ts'
import { type SealOptions, sealedByTpm, sealedPassphrase, sealOptions } from './seals.ts'

const pollMs = 200
/** Keys below which no bar is worth its flicker. */
const worthShowing = 1_000

export const custodiansOption = [
  '--custodians <file>',
  'who gets shares of the new root: JSON, with their public keys',
] as const
export const noCustodiansOption = [
  '--no-custodians',
  'end the shares of a domain that has custodians, and make no new ones',
] as const

export function addEpochCommands(domain: Command): void {
  domain
    .command('rotate-kek')
    .summary('a new key-encryption key; every key is re-wrapped while it is in use')
    .option('--no-wait', 'begin it, and do not wait for its end')
    .option(...approvalsOption)
    .addHelpText(
      'after',
      `
Routine (SP 800-57): the domain root key and the seals stay. What goes on goes on after a restart of
the server too; see it with: keyhold domain rotation

Example:
  keyhold domain rotate-kek`,
    )
    .action(
      action<ApprovalsOptions & { wait: boolean }>(async (session, { options }) => {
        const approvals = await oneSet(options)
        const client = await session.connect()
        const begun = await client.call('rotateKek', { body: { approvals } })
        show(session, options.wait ? await ended(session, client, begun) : begun)
      }),
    )
  domain
    .command('retire-kek')
    .summary('end a rotation that waits for approvals')
    .option(...approvalsOption)
    .action(
      action<ApprovalsOptions>(async (session, { options }) => {
        const approvals = await oneSet(options)
        const client = await session.connect()
        show(session, await client.call('retireKek', { body: { approvals } }))
      }),
    )
  domain
    .command('shred')
    .summary('a new epoch: new root key, seal and KEK; copies and backups of before open no more')
    .option('--confirm <domain>', 'the id of the domain, instead of being asked for it')
    .option(...custodiansOption)
    .option(...noCustodiansOption)
    .option('--shares <folder>', 'where the new shares go')
    .option(...sealOptions.passphraseFile)
    .option(...sealOptions.tpm)
    .option(...sealOptions.pcrs)
    .option(...domainFileOption)
    .option(...approvalsOption)
    .option('--no-wait', 'begin it, and do not wait for its end')
    .addHelpText(
      'after',
      `${domainFileHelp}
Every key is re-wrapped while it is in use. Afterwards nothing that was backed up before opens without the
seals and shares of then: the certificate names those that are not proved destroyed. Seal the domain with a
passphrase that was never used for it, and give it to the server too, for its next start; or with --tpm. Shares of then do
not open the new epoch: custodians get new ones by --custodians, or --no-custodians says that there are none.

Example:
  keyhold domain shred --passphrase-file new-passphrase`,
    )
    .action(action<ShredOptions>(shred))
  domain
    .command('rotation')
    .summary('how far the last rotation is')
    .action(
      action(async (session) => {
        const { rotation } = await (await session.connect()).call('getRotation', {})
        if (rotation) show(session, rotation)
        else session.output.result({}, 'the key-encryption key was never rotated')
      }),
    )
}

type Custodians = RequestOf<'shredEpoch'>['body']['custodians']

export interface NewEpochOptions extends SealOptions, DomainFileOptions {
  /** False: none any more. */
  readonly custodians?: string | false
}

interface ShredOptions extends NewEpochOptions, ApprovalsOptions {
  readonly confirm?: string
  readonly shares?: string
  readonly wait: boolean
}

async function shred(
  session: Session,
  { options }: { readonly options: ShredOptions },
): Promise<void> {
  const client = await session.connect()
  const { domainId, epoch } = (await client.call('getStatus', {})).module
  const { approvals, custodians, shares: folder } = options
  const signed = approvals && (await signedEpoch(approvals))
  const isShared = Boolean(signed ? signed.custodians : custodians)
  if (isShared !== (folder !== undefined)) {
    throw new UsageError(
      'custodians, of --custodians or of the request, and --shares come together',
    )
  }
  if (!signed) await assertCustodiansNamed(client, options)
  session.output.note(`This shreds epoch ${epoch} of the domain ${domainId}.`)
  session.output.note('No backup of before opens any more without the seals and shares of then.')
  if (!isShared) session.output.note('Nobody gets shares of the new root: its seal alone opens it.')
  const question = 'Type the id of the domain to shred the epoch'
  const { signal } = session
  const confirm = options.confirm ?? (await askForDomain({ signal, domainId, question }))
  const next = signed ?? (await newEpoch(client, options))
  const body = { confirm, ...next, ...(isShared ? {} : ({ endsShares: true } as const)) }
  const { rotation, shares } = await client.call('shredEpoch', { body })
  if (shares && folder !== undefined) await writeShares(folder, shares)
  if ('sealed' in next && !('seal' in next))
    session.output.note('From its next start on, the server needs the new passphrase.')
  show(session, options.wait ? await ended(session, client, rotation) : rotation)
}

/** What a new epoch is made with. In development the server makes the secret of its seal. */
export async function newEpoch(client: Client, options: NewEpochOptions) {
  const { development } = await client.call('getStatus', {})
  const { custodians: file } = options
  const custodians = file ? await readCustodians(file) : undefined
  const shared = custodians ? { custodians } : {}
  if (development) return shared
  if (!options.tpm) {
    return { ...shared, sealed: await sealedPassphrase(client, options, 'beginEpoch') }
  }
  const sealed = await sealedByTpm(client, options.pcrs, 'beginEpoch')
  return { ...shared, seal: 'tpm', sealed } as const
}

/** Shares do not end by a word that is left out. @throws UsageError */
export async function assertCustodiansNamed(
  client: Client,
  { custodians }: NewEpochOptions,
): Promise<void> {
  if (custodians !== undefined) return
  const { statement } = await client.call('getDomainState', {})
  const state = JSON.parse(statement) as DomainState
  if (!state.custodians) return
  const { threshold, names } = state.custodians
  throw new UsageError(
    `the domain has custodians, ${threshold} of ${names.join(', ')}: give --custodians <file> for their new shares, or --no-custodians to end them`,
  )
}

/** As it was signed. */
async function signedEpoch(files: readonly string[]) {
  const { approvals, arguments: args, parts } = await readSigned(files, 'beginEpoch')
  const { custodians, seal } = args as { readonly custodians?: Custodians; readonly seal?: string }
  const { secret: sealed } = parts
  const shared = { approvals, ...(custodians ? { custodians } : {}) }
  if (!sealed) return shared
  return seal === 'tpm' ? ({ ...shared, sealed, seal: 'tpm' } as const) : { ...shared, sealed }
}

/** {"threshold": 2, "people": [{"name", "kind": "key", "publicKey"}, …]}; the module checks it. */
async function readCustodians(file: string): Promise<Custodians> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw clientError('FILE_INVALID', `${file} does not say who the custodians are`, { cause })
  }
}

async function writeShares(folder: string, shares: Uint8Array): Promise<void> {
  for (const [index, share] of decodeList(shares).entries()) {
    await using file = await OutputFile.create(path.join(folder, `share-${index + 1}`))
    await file.write(share)
    await file.commit()
  }
}

/** @throws ClientError INTERRUPTED: it goes on without us */
async function ended(
  { output, signal }: Session,
  client: Client,
  begun: Rotation,
): Promise<Rotation> {
  using bar = progressBar('keys re-wrapped', output.json, worthShowing)
  for (let rotation = begun; ; ) {
    if (rotation.phase === 'done' || rotation.phase === 'retire') return rotation
    bar.report(rotation.total - rotation.left, rotation.total)
    if (rotation.failed.length > 0) {
      output.note('Not every key could be re-wrapped; the key-encryption key before stays.')
      return rotation
    }
    if (signal.aborted) throw clientError('INTERRUPTED', 'it goes on in the server')
    await sleep(pollMs)
    rotation = (await client.call('getRotation', {})).rotation ?? begun
  }
}

function show({ output }: Session, rotation: Rotation): void {
  const { kind, phase, epoch, kek, total, left, started, ended: end, failed } = rotation
  output.result(
    rotation,
    fields([
      ['KEK', `${kek} of epoch ${epoch}`],
      ['keys', `${total - left} of ${total} ${kind === 'weaken' ? 'destroyed' : 're-wrapped'}`],
      ['phase', phase],
      ['started', time(started)],
      ['ended', end === 0 ? '' : time(end)],
      ...failed.map(
        ({ key, version, code }) =>
          ['not re-wrapped', `${key} version ${version}: ${code}`] as const,
      ),
    ]),
  )
}
