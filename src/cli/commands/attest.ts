/**
 * `keyhold attest …` and `keyhold domain statement`: what the module says of itself, of a key and of its
 * domain, signed; and the check of it, which needs no server.
 */

import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { Command } from 'commander'
import { clientError } from '../../client/errors.ts'
import { OutputFile } from '../../client/files/output.ts'
import type { SignedStatement } from '../../client/types.ts'
import {
  type Attestation,
  attestationBytesMax,
  type DomainStatement,
  domainStatementBytesMax,
  type KeyStatement,
  type ModuleStatement,
  moduleFormat,
  nonceBytesMax,
  nonceBytesMin,
  openDomainStatement,
  verifyAttestation,
} from '../../hsm/contract/attestation.ts'
import { canonicalJson } from '../../hsm/contract/canonical-json.ts'
import { hex, integer } from '../options.ts'
import { fields, styled, time, UsageError } from '../output.ts'
import { action, type Session } from '../session.ts'

interface FileOptions {
  readonly output?: string
  readonly force?: boolean
}

interface AttestOptions extends FileOptions {
  readonly key?: string
  readonly keyVersion?: number
  readonly nonce?: Buffer
}

interface VerifyOptions {
  readonly domain: string
  readonly nonce?: Buffer
}

export function addAttestCommands(program: Command): void {
  const attest = program
    .command('attest')
    .summary('what the module says of itself or a key, signed')
    .option('--key <key>', 'of this key, by id, name or alias')
    .option('--key-version <number>', 'of this version of the key', integer(1, 0xffff_ffff))
    .option('--nonce <hex>', 'a number that nobody used before; random when left out', hex)
    .option('--output <file>', 'into this file')
    .option('--force', 'replace the file')
    .addHelpText(
      'after',
      `
Examples:
  keyhold attest --output module.json
  keyhold attest --key payments --output key.json
  keyhold attest verify module.json --domain domain.json`,
    )
    .action(action<AttestOptions>(fetchAttestation))
  attest
    .command('verify <file>')
    .summary('check one, with nothing but the file and the statement of its domain')
    .description(
      'Checks here, without a server, that a member of the domain signed the file with both of its ' +
        'identity keys. The statement of the domain has to come from a source that you trust: ' +
        'keyhold domain statement. Ends with 3 and says what is wrong if something is.',
    )
    .requiredOption('--domain <file>', "the domain's statement, from a source that you trust")
    .option('--nonce <hex>', 'must be the one that it was asked with', hex)
    .addHelpText(
      'after',
      '\nExample:\n  keyhold attest verify module.json --domain domain.json --nonce 00112233…',
    )
    .action(
      action<VerifyOptions>(async ({ output }, { args: [file = ''], options }) => {
        const domain = await readDomainStatement(options.domain)
        const nonce = options.nonce && nonceText(options.nonce)
        const attestation = verifyAttestation(await read(file, attestationBytesMax), domain, nonce)
        const held = styled('green', 'the attestation holds', process.stdout)
        output.result(
          attestation,
          `${held}\n${fields(rowsOf(attestation, domain, nonce))}\n${attestation.notice}`,
        )
      }),
    )
}

/** Beneath `keyhold domain`. */
export function addDomainStatementCommand(domain: Command): void {
  domain
    .command('statement')
    .summary("the domain's members and people, signed: what verifiers pin")
    .option('--output <file>', 'into this file')
    .option('--force', 'replace the file')
    .addHelpText('after', '\nExample:\n  keyhold domain statement --output domain.json')
    .action(
      action<FileOptions>(async (session, { options }) => {
        const client = await session.connect()
        const statement = await client.call('getDomainStatement', {})
        openDomainStatement(bytesOf(statement))
        await put(session, statement, options)
      }),
    )
}

async function fetchAttestation(
  session: Session,
  { options }: { readonly options: AttestOptions },
): Promise<void> {
  const { key, keyVersion: version } = options
  if (key === undefined && version !== undefined)
    throw new UsageError('--key-version is of a --key')
  const nonce = nonceText(options.nonce ?? randomBytes(32))
  const client = await session.connect()
  const statement =
    key === undefined
      ? await client.call('attestModule', { query: { nonce } })
      : await client.call('attestKey', {
          path: { namespace: session.namespace, key },
          query: { nonce, version },
        })
  await put(session, statement, options)
  if (options.nonce === undefined) session.output.note(`nonce ${nonce}`)
}

/** @throws UsageError */
function nonceText(nonce: Buffer): string {
  if (nonce.length < nonceBytesMin || nonce.length > nonceBytesMax) {
    throw new UsageError(`a nonce has ${nonceBytesMin} to ${nonceBytesMax} bytes`)
  }
  return nonce.toString('hex')
}

/** Byte for byte as the module made it: there is one encoding. */
function bytesOf(statement: SignedStatement): Buffer {
  return Buffer.from(`${canonicalJson(statement)}\n`)
}

/** @throws ClientError FILE_NOT_READABLE; HsmError ATTESTATION_INVALID */
export async function readDomainStatement(file: string): Promise<DomainStatement> {
  return openDomainStatement(await read(file, domainStatementBytesMax))
}

async function put(
  { output }: Session,
  statement: SignedStatement,
  { output: target, force }: FileOptions,
): Promise<void> {
  const bytes = bytesOf(statement)
  if (target === undefined) {
    process.stdout.write(bytes)
    return
  }
  await using file = await OutputFile.create(target, { force, mode: 0o644 })
  await file.write(bytes)
  await file.commit()
  output.result({ file: target, bytes: bytes.length }, `${target}: ${bytes.length} bytes`)
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

function rowsOf(attestation: Attestation, domain: DomainStatement, nonce?: string): Rows {
  const { development, module, epoch, level } = attestation
  const about = attestation.format === moduleFormat ? moduleRows(attestation) : keyRows(attestation)
  return [
    ['domain', `${domain.domain}${development ? ' (DEVELOPMENT)' : ''}`],
    ['module', module],
    ['level', level],
    ['epoch', epoch],
    ...about,
    ['time', time(attestation.time)],
    ['nonce', `${attestation.nonce}${nonce === undefined ? ' (not compared)' : ''}`],
  ]
}

function moduleRows(of: ModuleStatement): Rows {
  const { software, selfTests, entropy, record } = of
  return [
    ['state', of.tamper ? `${of.state}: ${of.tamper.signal} at ${time(of.tamper.time)}` : of.state],
    ['version', `${software.version}, Node ${software.node}, OpenSSL ${software.openssl}`],
    ['source manifest', software.sourceManifest],
    ['wall', of.wall],
    ['self-tests', `${selfTests.passed} met, ${selfTests.failed} not met`],
    ['entropy', `${entropy.mechanism} over ${entropy.sources.map(sourceText).join(', ')}`],
    ['freshness', of.freshness],
    ['record', `${record.size} leaves, root ${record.root}`],
    ['transport key', `SHA-256 ${of.transportKey}`],
    ['domain state', `version ${of.domainState.version}, SHA-256 ${of.domainState.hash}`],
  ]
}

type Source = ModuleStatement['entropy']['sources'][number]

function sourceText({ name, state, physical, failures }: Source): string {
  const failed = failures === 0 ? '' : `, ${failures} failures`
  return `${name} (${physical ? 'hardware, ' : ''}${state}${failed})`
}

function keyRows(of: KeyStatement): Rows {
  const { attributes: key, checkValue, approved, strengthBits } = of
  return [
    ['key', `${key.key} version ${key.version}, revision ${key.revision}`],
    ['type', `${key.class} ${key.type}, ${strengthBits} bits of strength`],
    ['algorithms', key.algorithms.join(', ')],
    ['approved', approved ? 'yes' : 'no'],
    ['uses', key.uses.join(', ')],
    ['state', key.state],
    ['provenance', key.provenance],
    ['exportable', key.exportable ? 'yes' : 'no'],
    ['plaintext release', key.plaintextRelease ? 'yes' : 'no'],
    ['external IV', key.externalIv ? 'yes' : 'no'],
    ['not before', time(key.notBefore)],
    ['not after', time(key.notAfter)],
    ['approvals', key.approvals],
    ['created', time(key.created)],
    [
      'check value',
      Object.entries(checkValue)
        .map(([name, value]) => `${name} ${value}`)
        .join(', '),
    ],
  ]
}
