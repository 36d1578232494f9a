/** `keyhold sign`, `verify`, `encrypt`, `decrypt`: files of any size, with keys in the module. */

import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { clientError } from '../../client/errors.ts'
import { decryptFile, encryptFile, type FileResult } from '../../client/files/encrypt.ts'
import { standardStream } from '../../client/files/input.ts'
import { OutputFile } from '../../client/files/output.ts'
import { type SignWork, signFile, verifyFile } from '../../client/files/sign.ts'
import type { AlgorithmName } from '../../hsm/contract/algorithms.ts'
import { exitCodes } from '../exit-codes.ts'
import { algorithmName, integer, oneOf, pair } from '../options.ts'
import { styled, UsageError } from '../output.ts'
import { progressBar } from '../progress.ts'
import { action, type Session } from '../session.ts'
import { type ApprovalsOptions, approvalsOption, oneSet } from './domain.ts'

const encryptedSuffix = '.keyhold'
const signatureSuffix = '.sig'
/** No signature is as long: ML-DSA-87's has 4,627 bytes. */
const signatureBytesMax = 16 * 1024
const fileArgument = ['<file>', 'a path, or - for standard input'] as const

interface SigningOptions {
  readonly key: string
  readonly algorithm?: AlgorithmName
  readonly format?: 'der' | 'p1363'
  readonly context?: string
  readonly keyVersion?: number
}

export function addFileCommands(program: Command): void {
  addSignCommand(program)
  addVerifyCommand(program)
  addEncryptCommand(program)
  addDecryptCommand(program)
}

function signingOptions(command: Command): Command {
  return command
    .requiredOption('--key <key>', 'name, alias or id of the key')
    .option('--algorithm <name>', "the key's own when left out", algorithmName)
    .option('--format <format>', 'of ECDSA: der or p1363', oneOf(['der', 'p1363']))
    .option('--context <text>', 'of ML-DSA: what the signature is for, up to 255 bytes')
    .option('--key-version <number>', 'a version of the key', integer(1, 0xffff_ffff))
}

function addSignCommand(program: Command): void {
  signingOptions(program.command('sign').argument(...fileArgument))
    .summary('sign a file')
    .description('Hashes the file here, has the digest signed by the module, writes FILE.sig.')
    .option('--output <path>', 'FILE.sig when left out; - for standard output')
    .option('--force', 'replace an output that exists')
    .option(...approvalsOption)
    .addHelpText(
      'after',
      `
Examples:
  keyhold sign report.pdf --key payments
  openssl dgst -sha256 -verify payments.pem -signature report.pdf.sig report.pdf`,
    )
    .action(
      action<SigningOptions & ApprovalsOptions & { output?: string; force?: boolean }>(
        async (session, { args: [file = ''], options }) => {
          const target = options.output ?? beside(file, signatureSuffix)
          const client = await session.connect()
          using bar = progressBar(`signing ${file}`, session.output.json)
          const approvals = await oneSet(options)
          const work = { ...signWork(session, file, options), approvals, onProgress: bar.report }
          if (target === standardStream) {
            const made = await signFile(client, work)
            if (session.output.json) return session.output.result(made, '')
            process.stdout.write(made.signature)
            return
          }
          const mode = { force: options.force, mode: 0o644 }
          await using written = await OutputFile.create(target, mode)
          const made = await signFile(client, work)
          await written.write(made.signature)
          await written.commit()
          const text = `${target}: ${made.algorithm} by ${options.key}, version ${made.version}`
          session.output.result({ ...made, file: target }, text)
        },
      ),
    )
}

function addVerifyCommand(program: Command): void {
  signingOptions(program.command('verify').argument(...fileArgument))
    .summary('check the signature of a file')
    .description(
      'Checks FILE.sig. Without --key-version, the newest versions of the key are tried, the ' +
        'current one first. Ends with 0 if the signature is valid and with 3 if it is not.',
    )
    .option('--signature <path>', 'FILE.sig when left out')
    .addHelpText('after', '\nExample:\n  keyhold verify report.pdf --key payments')
    .action(
      action<SigningOptions & { signature?: string }>(
        async (session, { args: [file = ''], options }) => {
          const signature = await readSignature(options.signature ?? beside(file, signatureSuffix))
          const client = await session.connect()
          using bar = progressBar(`verifying ${file}`, session.output.json)
          const work = { ...signWork(session, file, options), signature, onProgress: bar.report }
          const found = await verifyFile(client, work)
          if (!found.valid) session.exitWith(exitCodes.notValid)
          const by = `${found.algorithm} by ${options.key}, version ${found.version}`
          session.output.result(
            found,
            found.valid
              ? `${styled('green', 'valid', process.stdout)}: ${by}`
              : `${styled('red', 'NOT VALID', process.stdout)}: no signature of ${file} by ${options.key}`,
          )
        },
      ),
    )
}

function signWork(
  { namespace, signal }: Session,
  input: string,
  options: SigningOptions,
): SignWork {
  const { key, algorithm, format, context, keyVersion: version } = options
  const bytes = context === undefined ? undefined : Buffer.from(context, 'utf8')
  return { namespace, key, input, algorithm, format, context: bytes, version, signal }
}

async function readSignature(file: string): Promise<Buffer> {
  try {
    const bytes = await readFile(file)
    if (bytes.length <= signatureBytesMax) return bytes
  } catch (cause) {
    throw clientError('FILE_NOT_READABLE', `the signature ${file} cannot be read`, { cause })
  }
  throw clientError('FILE_INVALID', `${file} is too large to be a signature`)
}

interface EncryptionOptions {
  readonly key?: string
  readonly output?: string
  readonly context?: Readonly<Record<string, string>>
  readonly force?: boolean
}

function addEncryptCommand(program: Command): void {
  program
    .command('encrypt')
    .argument(...fileArgument)
    .summary('encrypt a file')
    .description(
      'Encrypts a file of any size, here, under a key of its own, which the module encrypts ' +
        '(docs/formats/file.md). Writes FILE.keyhold and leaves FILE as it is.',
    )
    .requiredOption('--key <key>', 'name, alias or id of the key')
    .option('--output <path>', 'FILE.keyhold when left out; - for standard output')
    .option('--context <name=value>', 'has to be given again to decrypt; may be repeated', pair)
    .option('--force', 'replace an output that exists')
    .addHelpText(
      'after',
      `
Examples:
  keyhold encrypt archive.tar --key vault
  tar c folder | keyhold encrypt - --key vault --output folder.tar.keyhold`,
    )
    .action(
      action<EncryptionOptions & { key: string }>(
        async (session, { args: [file = ''], options }) => {
          const output = options.output ?? beside(file, encryptedSuffix)
          const client = await session.connect()
          using bar = progressBar(`encrypting ${file}`, session.output.json)
          const work = fileWork(session, file, output, options)
          const made = await encryptFile(client, {
            ...work,
            key: options.key,
            onProgress: bar.report,
          })
          report(session, output, made)
        },
      ),
    )
}

function addDecryptCommand(program: Command): void {
  program
    .command('decrypt')
    .argument(...fileArgument)
    .summary('decrypt a file')
    .description(
      'Decrypts what encrypt wrote. The output appears under its name only when all of it is ' +
        'authenticated; a file that was cut or altered leaves nothing behind. To standard output ' +
        '(--output -) goes 1 MiB at most, and only after that.',
    )
    .option('--key <key>', 'the key that the file names when left out')
    .option('--output <path>', 'FILE without .keyhold when left out; - for standard output')
    .option('--context <name=value>', 'as given for encryption; may be repeated', pair)
    .option('--force', 'replace an output that exists')
    .addHelpText('after', '\nExample:\n  keyhold decrypt archive.tar.keyhold --output copy.tar')
    .action(
      action<EncryptionOptions>(async (session, { args: [file = ''], options }) => {
        const output = options.output ?? withoutSuffix(file)
        const client = await session.connect()
        using bar = progressBar(`decrypting ${file}`, session.output.json)
        const work = fileWork(session, file, output, options)
        const made = await decryptFile(client, {
          ...work,
          key: options.key,
          onProgress: bar.report,
        })
        report(session, output, made)
      }),
    )
}

function fileWork(
  { namespace, signal }: Session,
  input: string,
  output: string,
  { context, force }: EncryptionOptions,
) {
  return { namespace, input, output, context, force, signal }
}

/** What went to standard output is the result; there is nothing to add. */
function report({ output }: Session, file: string, made: FileResult): void {
  if (file === standardStream) return
  const text = `${file}: ${made.bytes.toLocaleString('en')} bytes, key version ${made.version}`
  output.result({ ...made, file }, text)
}

function beside(file: string, suffix: string): string {
  return file === standardStream ? standardStream : `${file}${suffix}`
}

function withoutSuffix(file: string): string {
  if (file.endsWith(encryptedSuffix) && file.length > encryptedSuffix.length) {
    return file.slice(0, -encryptedSuffix.length)
  }
  throw new UsageError(`${file} does not end in ${encryptedSuffix}; name an output with --output`)
}
