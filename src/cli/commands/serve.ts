/**
 * `keyhold serve`: starts the server as a process of its own with the same Node, hands signals on to
 * it, and says what to type next once it is ready, in plain lines that read the same on a terminal and
 * in a log. It ends with what the server ends with.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import { clientError } from '../../client/errors.ts'
import { exitCodes } from '../exit-codes.ts'
import { integer } from '../options.ts'
import { styled } from '../output.ts'
import { action } from '../session.ts'

const server = path.join(import.meta.dirname, '../../server/main.ts')

interface ServeOptions {
  readonly development?: boolean
  readonly found?: boolean
  readonly seal?: string
  readonly passphraseFile?: string
  readonly tpm?: string
  readonly pcrs?: string
  readonly sensors?: string
  readonly sinks?: string
  readonly witness?: readonly string[]
  readonly freshnessWitness?: string
  readonly locked?: boolean
  readonly port?: number
  readonly address?: string
}

/** What the server says when it is ready, and when it waits for custodians. */
interface Said {
  readonly ready?: true
  readonly locked?: true
  readonly tampered?: true
  readonly address: string
  readonly data: string
}

export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .summary('start the server and its module')
    .description(
      'Starts the server and its module. With --development it founds a domain on first run whose ' +
        'key lies beside its data, and listens on the loopback interface alone.',
    )
    .option('--development', 'to try things out: protects nothing from who reads the data folder')
    .option('--found', 'found a domain in an empty data folder; needs --seal')
    .option('--seal <kind>', 'how the domain is opened at each start: passphrase or tpm')
    .option('--passphrase-file <path>', 'read the passphrase there instead of asking for it')
    .option('--tpm <tcti>', 'how tpm2-tools reach the TPM; /dev/tpmrm0 when left out')
    .option('--pcrs <bank:list>', 'what a new TPM seal is bound to; sha256:7 when left out')
    .option(
      '--sensors <path>',
      'ranges of the machine’s sensors; those of the drivers when left out',
    )
    .option('--sinks <path>', 'where entries of the record are sent: file, syslog, HTTP')
    .option('--witness <vkey=url...>', 'an outside witness that cosigns heads of the record')
    .option('--freshness-witness <vkey=url>', 'the one that confirms each start, too')
    .option('--locked', 'start locked: custodians open it with keyhold unlock')
    .option('--port <number>', '8443 when left out; 0 takes a free one', integer(0, 65_535))
    .option('--address <ip>', '127.0.0.1 when left out')
    .addHelpText(
      'after',
      `
Examples:
  keyhold serve --development
  keyhold serve --found --seal passphrase --data /var/lib/keyhold
  keyhold serve --found --seal tpm --data /var/lib/keyhold
  keyhold serve --data /var/lib/keyhold --passphrase-file /etc/keyhold/passphrase`,
    )
    .action(
      action<ServeOptions>(async ({ output, exitWith }, { options }) => {
        const child = spawn(
          process.execPath,
          ['--no-experimental-ffi', server, ...serverArguments(options)],
          { stdio: ['inherit', 'pipe', 'inherit'] },
        )
        using _ = forwardSignals(child)
        // Whoever reads what it says may go; the server stays, and so does whoever can stop it.
        process.stdout.removeAllListeners('error').on('error', () => undefined)
        const ended = new Promise<number>((resolve, reject) => {
          child.once('error', (cause) =>
            reject(clientError('SERVER_UNREACHABLE', 'the server cannot be started', { cause })),
          )
          child.once('exit', (code) => resolve(code ?? exitCodes.refused))
        })
        for await (const line of createInterface({ input: child.stdout })) {
          const said = parseSaid(line)
          if (said?.ready) output.result(said, readyText(said, options))
          else if (said?.locked) output.result(said, lockedText(said))
          else if (said?.tampered) output.result(said, tamperedText(said))
        }
        exitWith(await ended)
      }),
    )
}

function serverArguments(options: ServeOptions & { readonly data?: string }): string[] {
  const { development, found, locked, seal, passphraseFile, tpm, pcrs, sensors, sinks } = options
  const { port, address, data, witness = [], freshnessWitness } = options
  const flag = (name: string, given: boolean | undefined) => (given ? [name] : [])
  const value = (name: string, given: string | number | undefined) =>
    given === undefined ? [] : [`${name}=${given}`]
  return [
    ...flag('--development', development),
    ...flag('--found', found),
    ...flag('--locked', locked),
    ...value('--seal', seal),
    ...value('--passphrase-file', passphraseFile),
    ...value('--tpm', tpm),
    ...value('--pcrs', pcrs),
    ...value('--sensors', sensors),
    ...value('--sinks', sinks),
    ...witness.flatMap((each) => value('--witness', each)),
    ...value('--freshness-witness', freshnessWitness),
    ...value('--port', port),
    ...value('--address', address),
    ...value('--data', data),
  ]
}

/** A terminal that closes is a reason to stop in good order, too. */
function forwardSignals(child: ChildProcess): Disposable {
  const forward = (signal: NodeJS.Signals): void => {
    child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, forward)
  return {
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, forward)
    },
  }
}

function parseSaid(line: string): Said | undefined {
  try {
    const { ready, locked, tampered, address, data } = { ...JSON.parse(line) }
    if (typeof address !== 'string' || typeof data !== 'string') return undefined
    if (ready === true) return { ready, address, data }
    if (locked === true) return { locked, address, data }
    return tampered === true ? { tampered, address, data } : undefined
  } catch {
    return undefined
  }
}

function lockedText({ address, data }: Said): string {
  return [
    '',
    `Keyhold is locked: ${address}, data in ${data}`,
    'It opens when enough custodians have offered their shares. Each of them types, with --key when',
    'the share is sealed to a key:',
    '',
    `  ./keyhold unlock --share FILE --key FILE --server ${path.join(data, 'unlock.json')}`,
    '',
  ].join('\n')
}

function tamperedText({ address, data }: Said): string {
  return [
    '',
    styled('red', `Keyhold was stopped: ${address}, data in ${data}`, process.stdout),
    'A tamper signal stopped the module. See what it was, and acknowledge it when it is cleared up:',
    '',
    `  ./keyhold tamper status --data ${data}`,
    `  ./keyhold tamper acknowledge --data ${data}`,
    '',
    'Where the domain has a rule for that, people sign it before: docs/stopped.md.',
    '',
  ].join('\n')
}

function readyText({ address, data }: Said, { development }: ServeOptions): string {
  const isDefault = data === path.resolve('keyhold-data')
  const loud = (text: string) => styled(['yellow', 'bold'], text, process.stdout)
  const warning = [
    '',
    loud('DEVELOPMENT: the key that opens this domain lies beside its data.'),
    loud('Whoever can read the data folder can read every key in it. Keep no real keys here.'),
  ]
  // Of a real domain the administrator decides who does the rest, and is nobody else at first.
  const everything = 'administrator security-officer operator auditor'
  const roles = [`  ./keyhold roles set administrator ${everything} --namespace "*"`]
  return [
    '',
    `Keyhold is ready: ${address}, data in ${data}`,
    ...(development ? warning : []),
    '',
    'What to type next, in a second terminal:',
    '',
    ...(isDefault ? [] : [`  export KEYHOLD_DATA='${data}'`]),
    ...(development ? [] : roles),
    '  ./keyhold keys create payments --type P-256 --owner finance --purpose "sign payment files"',
    '  ./keyhold sign README.md --key payments',
    '  ./keyhold verify README.md --key payments',
    '  ./keyhold keys create vault --owner finance --purpose "encrypt archives"',
    '  ./keyhold encrypt README.md --key vault',
    '  ./keyhold record verify',
    '',
    'The whole life of a key, shown on a domain of its own: ./keyhold tour',
    'All commands: ./keyhold --help. To stop: Ctrl-C.',
    '',
  ].join('\n')
}
