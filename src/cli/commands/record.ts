/** `keyhold record …`: what the module was asked, and the proof that nobody changed that. */

import type { Command } from 'commander'
import type { AnswerOf, Client } from '../../client/client.ts'
import { clientError } from '../../client/errors.ts'
import type { LogKeys } from '../../hsm/contract/checkpoint.ts'
import { decodeLeaf, type Leaf, leafEntry } from '../../hsm/contract/leaf.ts'
import { noteBytesMax } from '../../hsm/contract/signed-note.ts'
import { tilePath, tileWidthIn } from '../../tlog/tiles.ts'
import { identityKey, type TrustOptions, trustedKeys } from '../log-keys.ts'
import { integer } from '../options.ts'
import { fields, styled, table, time, UsageError } from '../output.ts'
import { progressBar } from '../progress.ts'
import { action, type Session } from '../session.ts'
import { readSmallFile, writeWhole } from '../small-file.ts'
import { verifyGrowth } from '../verify-growth.ts'
import { verifyRecord } from '../verify-record.ts'
import { addRecordReceiptCommands } from './record-receipt.ts'
import { addRecordSearchCommand, addRecordSinksCommand } from './record-search.ts'

const pageEntries = 1_000
/** From so many leaves on the work takes long enough for a bar. */
const leavesForBar = 5_000

export function addRecordCommands(program: Command): void {
  const record = program.command('record').summary('the record of everything the module was asked')
  record
    .command('verify')
    .summary('check every leaf and every signed head')
    .description(
      "Fetches the record and checks it here: the module's signature under each head, the Merkle " +
        'tree, the sequence and the times. Ends with 3 and names the first bad entry if something ' +
        'is wrong. To notice a record that was replaced or cut as a whole, keep its identity key ' +
        'or the statement of its domain, and a head: --identity-key, --domain, --save-head, ' +
        '--known-head. With --heads-only the leaves are not fetched: a consistency proof shows ' +
        'that the record goes on from the kept head.',
    )
    .option('--identity-key <hex>', "the module's, from a source that you trust", identityKey)
    .option('--domain <file>', "the domain's statement, from a source that you trust")
    .option('--known-head <file>', 'a head that you kept: must be one of this record')
    .option('--heads-only', 'only that the record goes on from --known-head, without its leaves')
    .option('--save-head <file>', 'keep the head for next time')
    .option('--force', 'replace the file of --save-head')
    .addHelpText(
      'after',
      `
Examples:
  keyhold record verify
  keyhold record verify --known-head head.txt --save-head head.txt --force
  keyhold record verify --domain domain.json --known-head head.txt --heads-only`,
    )
    .action(action<VerifyOptions>((session, { options }) => verify(session, options)))
  record
    .command('list')
    .summary('the last leaves')
    .option('--last <number>', 'how many', integer(1, 100_000), 20)
    .option('--key <id>', 'only those about this key')
    .addHelpText('after', '\nExample:\n  keyhold record list --last 5')
    .action(
      action<{ last: number; key?: string }>(async (session, { options }) => {
        const client = await session.connect()
        const head = await client.call('getRecordHead', {})
        const from = Math.max(0, sizeOf(head.note) - options.last)
        const leaves: Leaf[] = []
        for await (const bytes of leavesFrom(client, from)) {
          const leaf = decodeLeaf(bytes)
          if (options.key === undefined || leaf.key === options.key) leaves.push(leaf)
        }
        const heads = ['LEAF', 'TIME', 'COMMAND', 'OUTCOME', 'KEY', 'IDENTITY']
        session.output.result(
          { items: leaves.map(leafEntry) },
          table(heads, leaves.map(leafRow), 'No leaves.'),
        )
      }),
    )
  addRecordReceiptCommands(record)
  addRecordSearchCommand(record)
  addRecordSinksCommand(record)
}

interface VerifyOptions extends TrustOptions {
  readonly headsOnly?: boolean
  readonly knownHead?: string
  readonly saveHead?: string
  readonly force?: boolean
}

async function verify({ connect, output }: Session, options: VerifyOptions): Promise<void> {
  if (options.headsOnly && options.knownHead === undefined) {
    throw new UsageError('--heads-only needs a head: --known-head')
  }
  const knownHead =
    options.knownHead === undefined
      ? undefined
      : (await readSmallFile(options.knownHead, noteBytesMax)).toString('utf8')
  const client = await connect()
  const { module } = await client.call('getStatus', {})
  const origin = `keyhold/${module.domainId}/${module.moduleId}`
  const trusted = await trustedKeys(options, origin)
  const keys = trusted ?? { ed25519: Buffer.from(module.identityKey, 'hex') }
  const { note } = await client.call('getRecordHead', {})
  const read = { client, head: note, knownHead, keys, origin, isJson: output.json }
  const { sentence, rows, root, ...found } = await (options.headsOnly ? headsHold : recordHolds)(
    read,
  )
  if (options.saveHead !== undefined) {
    const mode = { force: options.force, mode: 0o644 }
    await writeWhole(options.saveHead, Buffer.from(note), mode)
  }
  const signer = Buffer.from(keys.ed25519).toString('hex')
  const pinned = trusted !== undefined
  output.result(
    { ...found, root: Buffer.from(root), origin, identityKey: signer, pinned, head: note },
    [
      `${styled('green', sentence[0], process.stdout)}: ${sentence[1]}`,
      fields([
        ['record', origin],
        ['root', Buffer.from(root).toString('base64')],
        ...rows,
        ['signed by', `${signer}${pinned ? '' : ' (as the server says)'}`],
      ]),
    ].join('\n'),
  )
}

interface ReadRecord {
  readonly client: Client
  readonly head: string
  readonly knownHead: string | undefined
  readonly keys: LogKeys
  readonly origin: string
  readonly isJson: boolean
}

async function recordHolds({ client, head, knownHead, keys, origin, isJson }: ReadRecord) {
  using bar = progressBar('verifying the record', isJson, leavesForBar)
  const found = await verifyRecord(
    { head, heads: allHeads(client), leaves: leavesFrom(client, 0), knownHead },
    { keys, origin, onProgress: bar.report },
  )
  const leaves = count(found.size, 'leaf', 'leaves')
  const heads = count(found.heads, 'signed head', 'signed heads')
  const rows: [string, unknown][] = [
    ['from', micros(found.firstMicros)],
    ['to', micros(found.lastMicros)],
  ]
  return { ...found, sentence: ['the record holds', `${leaves}, ${heads}`] as const, rows }
}

async function headsHold({ client, head, knownHead = '', keys, origin }: ReadRecord) {
  const size = sizeOf(head)
  const readTile = (level: number, index: number) => {
    const tile = tilePath({ level, index, width: tileWidthIn(size, { level, index }) })
    const path = { log: 'module', tile: tile.slice('tile/'.length) }
    return client.call('getLogTile', { path })
  }
  const { before, now } = await verifyGrowth({ head, knownHead, readTile }, { keys, origin })
  const leaves = count(now.size, 'leaf', 'leaves')
  const sentence = ['the record goes on', `${leaves}, ${before.size} of them before`] as const
  return { size, root: now.root, knownSize: before.size, sentence, rows: [] }
}

async function* allHeads(client: Client): AsyncGenerator<string> {
  for (let from: number | undefined = 0; from !== undefined; ) {
    const page: AnswerOf<'listRecordHeads'> = await client.call('listRecordHeads', {
      query: { from, limit: pageEntries },
    })
    yield* page.heads
    from = page.next
  }
}

async function* leavesFrom(client: Client, first: number): AsyncGenerator<Uint8Array> {
  for (let from: number | undefined = first; from !== undefined; ) {
    const page: AnswerOf<'listRecordLeaves'> = await client.call('listRecordLeaves', {
      query: { from, limit: pageEntries },
    })
    yield* page.leaves
    from = page.next
  }
}

/** The second line of a head is its size. */
function sizeOf(note: string): number {
  const size = Number(note.split('\n')[1])
  if (!Number.isSafeInteger(size)) throw clientError('RECORD_BROKEN', 'the head says no size')
  return size
}

function leafRow(leaf: Leaf): string[] {
  const key = leaf.key === '' ? '' : `${leaf.key.slice(0, 12)}… v${leaf.version}`
  const { sequence, timeMicros, command, outcome, identity } = leaf
  return [String(sequence), micros(timeMicros) ?? '', command, outcome, key, identity]
}

function micros(value: number | undefined): string | undefined {
  return value === undefined ? undefined : time(Math.floor(value / 1000))
}

function count(number: number, one: string, more: string): string {
  return `${number.toLocaleString('en')} ${number === 1 ? one : more}`
}
