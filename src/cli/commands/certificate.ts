/** `keyhold certificate …`: what the module certifies of the end of keys and epochs, fetched and checked. */

import { open } from 'node:fs/promises'
import type { Command } from 'commander'
import { clientError } from '../../client/errors.ts'
import { OutputFile } from '../../client/files/output.ts'
import { domainStatementBytesMax, openDomainStatement } from '../../hsm/contract/attestation.ts'
import {
  type Certificate,
  certificateBytesMax,
  type DestructionCertificate,
  type ShredCertificate,
  shredFormat,
  verifyCertificate,
  type WeakeningCertificate,
  weakeningFormat,
} from '../../hsm/contract/certificate.ts'
import { integer } from '../options.ts'
import { fields, styled, time } from '../output.ts'
import { action, type Session } from '../session.ts'

interface FileOptions {
  readonly output?: string
  readonly force?: boolean
}

export function addCertificateCommands(program: Command): void {
  const certificate = program
    .command('certificate')
    .summary('what the module certifies of the end of keys and epochs')
  certificate
    .command('epoch')
    .summary('that an epoch was shredded')
    .argument('<epoch>', 'its number', integer(1, 0xffff_ffff))
    .option('--output <file>', 'into this file')
    .option('--force', 'replace the file')
    .addHelpText('after', '\nExample:\n  keyhold certificate epoch 1 --output shredded.json')
    .action(
      action<FileOptions>(async (session, { values: [epoch], options }) => {
        const client = await session.connect()
        const path = { epoch: String(epoch) }
        const answer = await client.call('getShredCertificate', { path })
        await put(session, answer.certificate, options)
      }),
    )
  certificate
    .command('key')
    .summary('that a key was destroyed')
    .argument('<key>', 'its id, or its name')
    .option(
      '--key-version <number>',
      'of this version; the last when left out',
      integer(1, 0xffff_ffff),
    )
    .option('--output <file>', 'into this file')
    .option('--force', 'replace the file')
    .addHelpText('after', '\nExample:\n  keyhold certificate key payments --output destroyed.json')
    .action(
      action<FileOptions & { keyVersion?: number }>(
        async (session, { args: [key = ''], options }) => {
          const client = await session.connect()
          const answer = await client.call('getDestruction', {
            path: { namespace: session.namespace, key },
            query: { version: options.keyVersion },
          })
          await put(session, answer.certificate, options)
        },
      ),
    )
  certificate
    .command('weakening')
    .summary('of the last policy that became weaker in this epoch, and so destroyed every key')
    .option('--output <file>', 'into this file')
    .option('--force', 'replace the file')
    .addHelpText('after', '\nExample:\n  keyhold certificate weakening --output weakening.json')
    .action(
      action<FileOptions>(async (session, { options }) => {
        const { certificate: found } = await (await session.connect()).call('getDomainState', {})
        if (!found) throw clientError('FILE_INVALID', 'no policy became weaker in this epoch')
        await put(session, found, options)
      }),
    )
  certificate
    .command('verify <file>')
    .summary('check one, with nothing but the file and the statement of its domain')
    .requiredOption('--domain <file>', "the domain's statement, from a source that you trust")
    .addHelpText(
      'after',
      '\nExample:\n  keyhold certificate verify shredded.json --domain domain.json',
    )
    .action(
      action<{ domain: string }>(async ({ output }, { args: [file = ''], options }) => {
        const domain = openDomainStatement(await read(options.domain, domainStatementBytesMax))
        const found = verifyCertificate(await read(file, certificateBytesMax), domain)
        const held = styled('green', 'the certificate holds', process.stdout)
        output.result(found, `${held}\n${fields(rowsOf(found))}`)
      }),
    )
}

/** Byte for byte as the module made it. */
async function put(
  { output }: Session,
  certificate: Uint8Array,
  { output: target, force }: FileOptions,
): Promise<void> {
  if (target === undefined) {
    process.stdout.write(certificate)
    return
  }
  await using file = await OutputFile.create(target, { force, mode: 0o644 })
  await file.write(certificate)
  await file.commit()
  const { length } = certificate
  output.result({ file: target, bytes: length }, `${target}: ${length} bytes`)
}

async function read(file: string, bytesMax: number): Promise<Buffer> {
  try {
    await using handle = await open(file)
    // One byte more than there may be shows that there are too many.
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytesMax + 1))
    return buffer.subarray(0, bytesRead)
  } catch (cause) {
    throw clientError('FILE_NOT_READABLE', `${file} cannot be read`, { cause })
  }
}

type Rows = readonly (readonly [string, unknown])[]

function rowsOf(certificate: Certificate): Rows {
  const { domain, module, development } = certificate
  const about = aboutRows(certificate)
  return [
    ['domain', `${domain}${development ? ' (DEVELOPMENT)' : ''}`],
    ['module', module],
    ...about,
  ]
}

function aboutRows(certificate: Certificate): Rows {
  if (certificate.format === shredFormat) return shredRows(certificate)
  if (certificate.format === weakeningFormat) return weakeningRows(certificate)
  return keyRows(certificate)
}

function weakeningRows({ weakening, notProvedDestroyed }: WeakeningCertificate): Rows {
  return [
    ['destroyed', `every key under KEK ${weakening.kek} and older`],
    ['because weaker', weakening.policies.join(', ')],
    ['time', time(weakening.time)],
    ['epoch', weakening.epoch],
    ['domain state', `version ${weakening.version}`],
    ['wrapped copies', `refused; not proved destroyed ${notProvedDestroyed.wrappedCopies}`],
    ...holderRows(notProvedDestroyed, 'that open them'),
  ]
}

function keyRows(of: DestructionCertificate): Rows {
  const { known, notProvedDestroyed } = of
  const checks = Object.entries(known?.checkValue ?? {}).map(([name, value]) => `${name} ${value}`)
  return [
    ['destroyed', `${of.key} version ${of.version}`],
    ['time', time(of.time)],
    ['epoch', of.epoch],
    ['record', `behind ${of.recordSize} leaves`],
    ['type', known?.type ?? 'not known: it did not open'],
    ['provenance', known?.provenance ?? ''],
    ['check value', checks.join(', ')],
    ['wrapped copies', `refused; not proved destroyed ${notProvedDestroyed.wrappedCopies}`],
    ['copies outside, not proved destroyed', notProvedDestroyed.outside.join(', ') || 'none'],
  ]
}

function shredRows(of: ShredCertificate): Rows {
  return [
    ['shredded', `epoch ${of.epochBefore}, in favour of epoch ${of.epoch}`],
    ['begun', time(of.begun)],
    ['ended', time(of.ended)],
    ['members expelled', of.expelled.join(', ') || 'none'],
    ...holderRows(of.notProvedDestroyed, 'not proved destroyed'),
  ]
}

function holderRows({ shares, seals }: ShredCertificate['notProvedDestroyed'], what: string): Rows {
  const sealed = Object.entries(seals).map(([kind, count]) => `${count} by ${kind}`)
  return [
    [`old seals ${what}`, sealed.join(', ') || 'none'],
    [`old shares ${what}`, shares ? `${shares.threshold} of: ${shares.names.join(', ')}` : 'none'],
  ]
}
