/** `keyhold record …`: what the module was asked, and the proof that nobody changed that. */

import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { AnswerOf, Client } from '../../client/client.ts'
import { clientError } from '../../client/errors.ts'
import { OutputFile } from '../../client/files/output.ts'
import { decodeLeaf, type Leaf, leafEntry } from '../../hsm/contract/leaf.ts'
import { hex, integer } from '../options.ts'
import { fields, styled, table, time, UsageError } from '../output.ts'
import { progressBar } from '../progress.ts'
import { action, type Session } from '../session.ts'
import { verifyRecord } from '../verify-record.ts'
import { addRecordSearchCommand, addRecordSinksCommand } from './record-search.ts'

const pageEntries = 1_000
/** From so many leaves on the work takes long enough for a bar. */
const leavesForBar = 5_000
const identityKeyBytes = 32

export function addRecordCommands(program: Command): void {
  const record = program.command('record').summary('the record of everything the module was asked')
  record
    .command('verify')
    .summary('check every leaf and every signed head')
    .description(
      "Fetches the record and checks it here: the module's signature under each head, the Merkle " +
        'tree, the sequence and the times. Ends with 3 and names the first bad entry if something ' +
        'is wrong. To notice a record that was replaced or cut as a whole, keep its identity key ' +
        'and a head: --identity-key, --save-head, --known-head.',
    )
    .option('--identity-key <hex>', "the module's, from a source that you trust", hex)
    .option('--known-head <file>', 'a head that you kept: must be one of this record')
    .option('--save-head <file>', 'keep the head for next time')
    .option('--force', 'replace the file of --save-head')
    .addHelpText(
      'after',
      `
Examples:
  keyhold record verify
  keyhold record verify --known-head head.txt --save-head head.txt --force`,
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
  addRecordSearchCommand(record)
  addRecordSinksCommand(record)
}

interface VerifyOptions {
  readonly identityKey?: Buffer
  readonly knownHead?: string
  readonly saveHead?: string
  readonly force?: boolean
}

async function verify({ connect, output }: Session, options: VerifyOptions): Promise<void> {
  if (options.identityKey && options.identityKey.length !== identityKeyBytes) {
    throw new UsageError('an identity key has 32 bytes')
  }
  const knownHead = options.knownHead === undefined ? undefined : await readHead(options.knownHead)
  const client = await connect()
  const { module } = await client.call('getStatus', {})
  const identityKey = options.identityKey ?? Buffer.from(module.identityKey, 'hex')
  const origin = `keyhold/${module.domainId}/${module.moduleId}`
  const { note } = await client.call('getRecordHead', {})
  using bar = progressBar('verifying the record', output.json, leavesForBar)
  const found = await verifyRecord(
    { head: note, heads: allHeads(client), leaves: leavesFrom(client, 0), knownHead },
    { identityKey, origin, onProgress: bar.report },
  )
  if (options.saveHead !== undefined) {
    const mode = { force: options.force, mode: 0o644 }
    await using file = await OutputFile.create(options.saveHead, mode)
    await file.write(Buffer.from(note))
    await file.commit()
  }
  const root = Buffer.from(found.root)
  const pinned = options.identityKey !== undefined
  const result = {
    ...found,
    root,
    origin,
    identityKey: identityKey.toString('hex'),
    pinned,
    head: note,
  }
  output.result(
    result,
    [
      `${styled('green', 'the record holds', process.stdout)}: ` +
        `${count(found.size, 'leaf', 'leaves')}, ${count(found.heads, 'signed head', 'signed heads')}`,
      fields([
        ['record', origin],
        ['root', root.toString('base64')],
        ['from', micros(found.firstMicros)],
        ['to', micros(found.lastMicros)],
        ['signed by', `${result.identityKey}${pinned ? '' : ' (as the server says)'}`],
      ]),
    ].join('\n'),
  )
}

async function readHead(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw clientError('FILE_NOT_READABLE', `${file} cannot be read`, { cause })
  }
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
