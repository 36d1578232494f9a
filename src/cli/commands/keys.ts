/** `keyhold keys …`: making, looking at and changing keys. Their end is in keys-end.ts. */

import { readFile, writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { Client } from '../../client/client.ts'
import { clientError, systemCode } from '../../client/errors.ts'
import type { Key } from '../../client/types.ts'
import { type algorithms, keyTypes, type keyUses } from '../../hsm/contract/algorithms.ts'
import { approvalsMax } from '../../hsm/contract/domain-state.ts'
import { dependsOnLevel } from '../../kms/keys/template.ts'
import { integer, list, moment, oneOf, pair } from '../options.ts'
import { fields, table, time } from '../output.ts'
import { sealedKeyFrom } from '../sealed-key.ts'
import { action, type Session } from '../session.ts'
import {
  type DomainFileOptions,
  domainFileHelp,
  domainFileOption,
  domainOf,
  sealingKeyFor,
} from '../transport-key.ts'

interface MakingOptions {
  readonly owner: string
  readonly purpose: string
  readonly type?: keyof typeof keyTypes
  readonly algorithm?: (keyof typeof algorithms)[]
  readonly use?: (typeof keyUses)[number][]
  readonly label?: Readonly<Record<string, string>>
  readonly exportable?: boolean
  readonly externalIv?: boolean
  readonly plaintextRelease?: boolean
  readonly notBefore?: number
  readonly notAfter?: number
  readonly bytes?: number
  readonly approvals?: number
  readonly canary?: boolean
  readonly usesMax?: number
  readonly grant: boolean
}

interface ImportOptions extends MakingOptions, DomainFileOptions {
  readonly file: string
  readonly class: 'secret' | 'private' | 'public'
}

/** Options that `create` and `import` share. */
function makingOptions(command: Command): Command {
  const type = oneOf(Object.keys(keyTypes) as (keyof typeof keyTypes)[])
  return command
    .requiredOption('--owner <name>', 'who answers for the key')
    .requiredOption('--purpose <text>', 'what the key is for')
    .option('--type <type>', 'AES-256 when left out; P-256, Ed25519, RSA-3072, ML-DSA-65, …', type)
    .option('--algorithm <names>', 'permitted algorithms; the first is the default', list)
    .option('--use <names>', 'permitted uses: sign, verify, encrypt, …', list)
    .option('--label <name=value>', 'a label; may be repeated', pair)
    .option('--exportable', 'the key may be wrapped by another')
    .option('--external-iv', 'the caller may choose the IV')
    .option('--plaintext-release', 'derived and agreed secrets may leave the module')
    .option('--not-before <day>', 'not usable earlier', moment)
    .option('--not-after <day>', 'protects nothing later', moment)
    .option('--approvals <number>', 'people who have to sign each use', integer(1, approvalsMax))
    .option('--canary', 'nobody is meant to use it: a use is a tamper signal')
    .option('--uses-max <number>', 'how often each version may be used', integer(1, 1e15 - 1))
    .option('--bytes <number>', 'length of a generic secret', integer(14, 512))
    .option('--no-grant', 'do not grant yourself the uses of the key')
}

function newKeyFrom(name: string, options: MakingOptions) {
  return {
    name,
    owner: options.owner,
    purpose: options.purpose,
    type: options.type,
    algorithms: options.algorithm,
    uses: options.use,
    labels: options.label,
    exportable: options.exportable,
    externalIv: options.externalIv,
    plaintextRelease: options.plaintextRelease,
    notBefore: options.notBefore,
    notAfter: options.notAfter,
    lengthBytes: options.bytes,
    approvals: options.approvals,
    canary: options.canary,
    usesMax: options.usesMax,
  }
}

/** The name of a key, as the one argument. */
export const keyArgument = ['<key>', 'its name, an alias, or its id'] as const

export function addKeyCommands(keys: Command): void {
  addMakingCommands(keys)
  addReadingCommands(keys)
  addChangingCommands(keys)
}

function addMakingCommands(keys: Command): void {
  makingOptions(keys.command('create').argument('<name>', 'a-z 0-9 . _ -'))
    .summary('make a key in the module')
    .description('Makes a key in the module and grants you its uses (--no-grant leaves that out).')
    .addHelpText(
      'after',
      `
Examples:
  keyhold keys create vault --owner finance --purpose "encrypt archives"
  keyhold keys create payments --type P-256 --owner finance --purpose "sign payment files"
  keyhold keys create tokens --type generic-secret --owner web --purpose "session MACs"`,
    )
    .action(
      action<MakingOptions>(async (session, { args: [name = ''], options }) => {
        const client = await session.connect()
        const key = await client.call('createKey', {
          path: { namespace: session.namespace },
          body: newKeyFrom(name, options),
        })
        await grantToOneself(session, client, key, options.grant)
        session.output.result(key, keyText(key))
      }),
    )
  makingOptions(keys.command('import').argument('<name>', 'a-z 0-9 . _ -'))
    .summary('take in a key that exists')
    .description(
      'Takes in a key from a file: a secret as raw bytes, a private key as PKCS#8, a public key as ' +
        'SPKI (PEM or DER). It is sealed to the module here; the server never sees it.',
    )
    .requiredOption('--file <path>', 'where the key is')
    .requiredOption(
      '--class <class>',
      'secret, private or public',
      oneOf(['secret', 'private', 'public']),
    )
    .option(...domainFileOption)
    .addHelpText(
      'after',
      `${domainFileHelp}
Example:
  keyhold keys import legacy --class private --type RSA-3072 --file legacy.pem \\
    --owner finance --purpose "verify old archives"`,
    )
    .action(
      action<ImportOptions>(async (session, { args: [name = ''], options }) => {
        const client = await session.connect()
        const to = await sealingKeyFor(client, 'importKey', await domainOf(options))
        const bytes = await readKeyFile(options.file)
        const asked = newKeyFrom(name, options)
        const level = dependsOnLevel(asked)
          ? (await client.call('getStatus', {})).module.level
          : undefined
        const wanted = { shape: asked, class: options.class, level }
        const key = await client.call('importKey', {
          path: { namespace: session.namespace },
          body: { ...asked, ...sealedKeyFrom(bytes, to, wanted) },
        })
        await grantToOneself(session, client, key, options.grant)
        session.output.result(key, keyText(key))
      }),
    )
}

/** No role permits the use of a key: whoever makes one for themselves needs a grant, and is told so. */
async function grantToOneself(
  { namespace, output }: Session,
  client: Client,
  key: Key,
  wanted: boolean,
): Promise<void> {
  if (!wanted) return
  const { identity } = await client.call('whoAmI', {})
  try {
    await client.call('createGrant', {
      path: { namespace },
      body: { key: key.id, identity: identity.id, operations: key.uses },
    })
    output.note(`granted ${key.uses.join(', ')} to ${identity.name}`)
  } catch (error) {
    if (systemCode(error) !== 'ACCESS_DENIED') throw error
    output.note(`no grant was made: ask an administrator to grant you its use`)
  }
}

async function readKeyFile(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (cause) {
    throw clientError('FILE_NOT_READABLE', `${file} cannot be read`, { cause })
  }
}

interface ListOptions {
  readonly state?: Key['state']
  readonly type?: Key['type']
  readonly prefix?: string
}

function addReadingCommands(keys: Command): void {
  keys
    .command('list')
    .summary('the keys of the namespace')
    .option('--state <state>', 'only those in this state: active, suspended, destroyed, …')
    .option('--type <type>', 'only those of this type')
    .option('--prefix <text>', 'only those whose name begins so')
    .addHelpText('after', '\nExample:\n  keyhold keys list --state active --json')
    .action(
      action<ListOptions>(async ({ connect, namespace, output }, { options }) => {
        const client = await connect()
        const { state, type, prefix } = options
        const request = { path: { namespace }, query: { state, type, prefix } }
        const items = await Array.fromAsync(client.pages('listKeys', request))
        const rows = items.map((key) => [
          key.name,
          key.type,
          key.state,
          String(key.currentVersion),
          key.owner,
          key.purpose,
        ])
        const heads = ['NAME', 'TYPE', 'STATE', 'VERSION', 'OWNER', 'PURPOSE']
        const empty = 'No keys yet. Make one: keyhold keys create NAME --owner WHO --purpose WHY'
        output.result({ items }, table(heads, rows, empty))
      }),
    )
  keys
    .command('show')
    .summary('all that is known of a key')
    .argument(...keyArgument)
    .action(
      action(async ({ connect, namespace, output }, { args: [key = ''] }) => {
        const record = await (await connect()).call('getKey', { path: { namespace, key } })
        output.result(record, keyText(record))
      }),
    )
  keys
    .command('versions')
    .summary('the versions of a key, with check values')
    .argument(...keyArgument)
    .action(
      action(async ({ connect, namespace, output }, { args: [key = ''] }) => {
        const { items } = await (await connect()).call('listVersions', { path: { namespace, key } })
        const rows = items.map(({ version, state, provenance, created, checkValue }) => [
          String(version),
          state,
          provenance,
          time(created) ?? '',
          checkValue.cmac ?? checkValue.fingerprint ?? '',
        ])
        const heads = ['VERSION', 'STATE', 'PROVENANCE', 'CREATED', 'CHECK VALUE']
        output.result({ items }, table(heads, rows, 'No versions.'))
      }),
    )
  keys
    .command('export-public')
    .summary('the public key, as PEM, SPKI (DER) or JWK')
    .argument(...keyArgument)
    .option('--format <format>', 'pem, spki or jwk', oneOf(['pem', 'spki', 'jwk']), 'pem')
    .option('--key-version <number>', 'the current one when left out', integer(1, 0xffff_ffff))
    .option('--output <path>', 'standard output when left out')
    .addHelpText(
      'after',
      `
Example:
  keyhold keys export-public payments --output payments.pem
  openssl dgst -sha256 -verify payments.pem -signature report.pdf.sig report.pdf`,
    )
    .action(action<ExportOptions>(exportPublic))
}

interface ExportOptions {
  readonly format: 'pem' | 'spki' | 'jwk'
  readonly keyVersion?: number
  readonly output?: string
}

async function exportPublic(
  { connect, namespace, output }: Session,
  { args: [key = ''], options }: { args: readonly string[]; options: ExportOptions },
): Promise<void> {
  const { format, keyVersion: version, output: file } = options
  const answer = await (await connect()).call('getPublicKey', {
    path: { namespace, key },
    query: { format, version },
  })
  const { pem, spki, jwk } = answer
  const bytes = pem ?? spki ?? `${JSON.stringify(jwk)}\n`
  if (file !== undefined) {
    await writeFile(file, bytes).catch((cause: unknown) => {
      throw clientError('FILE_NOT_WRITABLE', `${file} cannot be written`, { cause })
    })
    return output.result({ ...answer, file }, `written: ${file}`)
  }
  if (output.json) return output.result(answer, '')
  process.stdout.write(bytes)
}

type Change = 'rotateKey' | 'enableKey' | 'disableKey'

function addChangingCommands(keys: Command): void {
  const change = (
    name: string,
    call: Change,
    summary: string,
    done: (key: Key) => string,
  ): void => {
    keys
      .command(name)
      .summary(summary)
      .argument(...keyArgument)
      .action(
        action(async ({ connect, namespace, output }, { args: [key = ''] }) => {
          const record = await (await connect()).call(call, { path: { namespace, key } })
          output.result(record, done(record))
        }),
      )
  }
  change(
    'rotate',
    'rotateKey',
    'make a new version; older ones still decrypt and verify',
    (key) => `${key.name}: version ${key.currentVersion} is used from now on`,
  )
  change('enable', 'enableKey', 'let a disabled key be used again', stateText)
  change('disable', 'disableKey', 'let a key do nothing but verify, until it is enabled', stateText)
  keys
    .command('update')
    .summary('change owner, purpose or labels')
    .argument(...keyArgument)
    .option('--owner <name>', 'who answers for the key')
    .option('--purpose <text>', 'what the key is for')
    .option('--label <name=value>', 'replaces all labels; may be repeated', pair)
    .action(
      action<{ owner?: string; purpose?: string; label?: Record<string, string> }>(
        async ({ connect, namespace, output }, { args: [key = ''], options }) => {
          const client = await connect()
          const { etag } = await client.call('getKey', { path: { namespace, key } })
          const { owner, purpose, label: labels } = options
          const body = { owner, purpose, labels }
          const ifMatch = `"${etag}"`
          const path = { namespace, key }
          const record = await client.call('updateKey', { path, body, ifMatch })
          output.result(record, keyText(record))
        },
      ),
    )
}

export function stateText(key: Key): string {
  return `${key.name}: ${key.state}`
}

export function keyText(key: Key): string {
  const labels = Object.entries(key.labels).map(([name, value]) => `${name}=${value}`)
  const may = [
    key.exportable && 'exportable',
    key.externalIv && 'external IV',
    key.plaintextRelease && 'plaintext release',
    key.approvals > 0 && `${key.approvals} approvals for each use`,
    key.canary && 'canary',
    key.usesMax > 0 && `used ${key.usesMax} times at most`,
  ].filter((text) => text !== false)
  return fields([
    ['name', key.name],
    ['id', key.id],
    ['namespace', key.namespace],
    ['owner', key.owner],
    ['purpose', key.purpose],
    ['labels', labels.join(', ')],
    ['type', key.type],
    ['algorithms', key.algorithms.join(', ')],
    ['uses', key.uses.join(', ')],
    ['state', key.state],
    ['also', may.join(', ')],
    ['version', `${key.currentVersion} of ${key.versions}`],
    ['aliases', key.aliases.join(', ')],
    ['created', time(key.created)],
    ['not before', time(key.notBefore)],
    ['not after', time(key.notAfter)],
    ['destroyed on', time(key.destructionDue)],
  ])
}
