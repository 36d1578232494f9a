/**
 * `keyhold witness`: a small witness (c2sp.org/tlog-witness), for the records of others. It is a program of its own: it
 * needs no server and no domain, and should run where those whose records it cosigns do not decide.
 */

import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { isIP } from 'node:net'
import type { Command } from 'commander'
import { encodeVerifierKey, parseVerifierKey } from '../../hsm/contract/cosignature.ts'
import { WitnessKey } from '../../witness/key.ts'
import { listenWitness } from '../../witness/listen.ts'
import { WitnessStore } from '../../witness/store.ts'
import { fields, table, UsageError } from '../output.ts'
import { action, type Session } from '../session.ts'
import { readSmallFile } from '../small-file.ts'

const folderOption = ['--folder <path>', 'of the witness', 'keyhold-witness'] as const
const listenDefault = '127.0.0.1:8444'
const pemBytesMax = 64 * 1024

interface FolderOptions {
  readonly folder: string
}
interface ServeOptions extends FolderOptions {
  readonly listen: string
  readonly log?: readonly string[]
  readonly tlsKey?: string
  readonly tlsCertificate?: string
}

export function addWitnessCommands(program: Command): void {
  const witness = program
    .command('witness')
    .summary('cosign heads of other records, so that nobody can be shown two histories')
  witness
    .command('init')
    .summary('make the keys of a witness')
    .requiredOption('--name <name>', 'by which it is known, like witness.example.org')
    .option(...folderOption)
    .addHelpText('after', '\nExample:\n  keyhold witness init --name witness.example.org')
    .action(
      action<FolderOptions & { readonly name: string }>(async ({ output }, { options }) => {
        const { folder, name } = options
        await mkdir(folder, { recursive: true, mode: 0o700 })
        const { keys } = await WitnessKey.make(folder, name)
        const vkeys = keys.map(encodeVerifierKey)
        output.result({ folder, vkeys }, vkeys.join('\n'))
      }),
    )
  addLogCommands(witness)
  witness
    .command('serve')
    .summary('start the witness')
    .description(
      'Answers POST /add-checkpoint as c2sp.org/tlog-witness has it. HTTP, or with a key and a certificate HTTPS. ' +
        'Each log has one history here: put no older copy of the folder back, and start no second witness with its key.',
    )
    .option(...folderOption)
    .option('--listen <address:port>', 'port 0 takes a free one', listenDefault)
    .option('--log <vkey...>', 'logs to accept, besides those that were added before')
    .option('--tls-key <path>', 'PEM')
    .option('--tls-certificate <path>', 'PEM, with those above it')
    .addHelpText('after', '\nExample:\n  keyhold witness serve --listen 0.0.0.0:8444')
    .action(action<ServeOptions>((session, { options }) => serve(session, options)))
}

function addLogCommands(witness: Command): void {
  const log = witness.command('log').summary('the logs whose heads are cosigned')
  log
    .command('add')
    .argument('<vkey...>', 'of the log: keyhold status says that of a record')
    .summary('accept another log, at once')
    .option(...folderOption)
    .action(
      action<FolderOptions>(async ({ output }, { args, options }) => {
        using store = await openStore(options)
        addLogs(store, args)
        output.result({ added: args }, '')
      }),
    )
  log
    .command('list')
    .summary('what was cosigned of each')
    .option(...folderOption)
    .action(
      action<FolderOptions>(async ({ output }, { options }) => {
        using store = await openStore(options)
        const logs = store.logs()
        const rows = logs.map(({ vkey, size, hasConflict }) => [
          String(size),
          hasConflict ? 'has signed two histories' : '',
          vkey,
        ])
        output.result({ logs }, table(['size', 'conflict', 'log'], rows, 'There is no log yet.'))
      }),
    )
}

async function serve({ output, signal }: Session, options: ServeOptions): Promise<void> {
  const { tlsKey, tlsCertificate } = options
  if ((tlsKey === undefined) !== (tlsCertificate === undefined)) {
    throw new UsageError('--tls-key and --tls-certificate belong together')
  }
  const read = async (file: string) => (await readSmallFile(file, pemBytesMax)).toString('latin1')
  const tls =
    tlsKey === undefined || tlsCertificate === undefined
      ? undefined
      : { key: await read(tlsKey), certificate: await read(tlsCertificate) }
  const key = await WitnessKey.read(options.folder)
  using store = new WitnessStore(options.folder, key.keys)
  addLogs(store, options.log ?? [])
  const now = () => Math.floor(Date.now() / 1_000)
  const listening = {
    ...parseListen(options.listen),
    tls,
    log: (line: string) => output.note(line),
  }
  await using listener = await listenWitness({ key, store, now }, listening)
  const vkeys = key.keys.map(encodeVerifierKey)
  output.result(
    { address: listener.address, vkeys },
    fields([['listens on', listener.address], ...vkeys.map((vkey) => ['witness', vkey] as const)]),
  )
  if (!signal.aborted) await once(signal, 'abort')
}

async function openStore({ folder }: FolderOptions): Promise<WitnessStore> {
  return new WitnessStore(folder, (await WitnessKey.read(folder)).keys)
}

function addLogs(store: WitnessStore, vkeys: readonly string[]): void {
  for (const key of vkeys.map(parseVerifierKey)) store.addLog(key)
}

/** "127.0.0.1:8444", "[::1]:8444". */
function parseListen(text: string): { readonly host: string; readonly port: number } {
  const [, v6, v4, portText] = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(text) ?? []
  const [host, port] = [v6 ?? v4 ?? '', Number(portText)]
  if (isIP(host) === 0 || !(port <= 65_535)) throw new UsageError('--listen takes IP:PORT')
  return { host, port }
}
