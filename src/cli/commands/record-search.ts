/** `keyhold record search`: entries by key, identity, outcome, time and request id; `record sinks`. */

import type { Command } from 'commander'
import type { AnswerOf, Client } from '../../client/client.ts'
import { findIdentity } from '../find-identity.ts'
import { ago, integer } from '../options.ts'
import { table, time } from '../output.ts'
import { action, type Session } from '../session.ts'

const pageEntries = 1_000

interface SearchOptions {
  readonly key?: string
  readonly identity?: string
  readonly command?: string
  readonly outcome?: string
  readonly request?: string
  readonly protocol?: string
  readonly since?: (now: number) => number
  readonly until?: (now: number) => number
  readonly oldest?: boolean
  readonly limit: number
}

export function addRecordSearchCommand(record: Command): void {
  record
    .command('search')
    .summary('entries by key, identity, outcome, time and request id')
    .description('Entries with all that is asked for, the newest first.')
    .option('--key <key>', 'id, or a name in the namespace')
    .option('--identity <identity>', 'id or name')
    .option('--command <name>', 'what the module was asked: sign, generateKey, …')
    .option('--outcome <code>', 'OK, a code, or "refused" for all but OK')
    .option('--request <id>', 'of one request (X-Request-Id)')
    .option('--protocol <name>', 'the way in: rest, …')
    .option('--since <time>', 'a moment, or how long ago: 30m, 2h, 7d', ago)
    .option('--until <time>', 'the same', ago)
    .option('--oldest', 'the oldest first')
    .option('--limit <number>', 'how many', integer(1, 100_000), 20)
    .addHelpText(
      'after',
      `
Examples:
  keyhold record search --key payments --since 2h --outcome refused
  keyhold record search --identity payroll --since 2027-01-01 --oldest --limit 1000 --json`,
    )
    .action(action<SearchOptions>((session, { options }) => search(session, options)))
}

export function addRecordSinksCommand(record: Command): void {
  record
    .command('sinks')
    .summary('where entries are sent, and how far behind each is')
    .addHelpText('after', '\nExample:\n  keyhold record sinks')
    .action(
      action(async ({ connect, output }) => {
        const { items } = await (await connect()).call('listSinks', {})
        const heads = ['SINK', 'TYPE', 'SENT UP TO', 'BEHIND', 'SECONDS', 'LAST SENT', 'ERROR']
        const rows = items.map((sink) => [
          ...[sink.name, sink.type, String(sink.next), String(sink.lagEntries)],
          ...[String(sink.lagSeconds), time(sink.sentTime) ?? 'never', sink.error],
        ])
        output.result({ items }, table(heads, rows, 'No sinks.'))
      }),
    )
}

type Entry = AnswerOf<'searchRecord'>['entries'][number]

async function search(session: Session, options: SearchOptions): Promise<void> {
  const client = await session.connect()
  const now = Date.now()
  const { command, outcome, request: requestId, protocol, limit } = options
  const query = {
    key: options.key && (await findKey(client, session.namespace, options.key)),
    identity: options.identity && (await findIdentity(client, options.identity)),
    ...{ command, outcome, requestId, protocol },
    since: options.since?.(now),
    until: options.until?.(now),
    order: options.oldest ? ('oldest' as const) : undefined,
  }
  const items: Entry[] = []
  let from: number | undefined
  do {
    const page: AnswerOf<'searchRecord'> = await client.call('searchRecord', {
      query: { ...query, from, limit: Math.min(pageEntries, limit - items.length) },
    })
    items.push(...page.entries)
    from = page.next
  } while (from !== undefined && items.length < limit)
  const heads = ['LEAF', 'TIME', 'COMMAND', 'OUTCOME', 'KEY', 'IDENTITY', 'REQUEST']
  session.output.result({ items, next: from }, table(heads, items.map(row), 'No entries.'))
}

/** A key that is destroyed has its name still; of one that never was, its id is enough. */
async function findKey(client: Client, namespace: string, key: string): Promise<string> {
  if (/^key_[0-9a-f]{32}$/.test(key)) return key
  const { id } = await client.call('getKey', { path: { namespace, key } })
  return id
}

function row(entry: Entry): string[] {
  const { sequence, timeMicros, command, outcome, identity, requestId } = entry
  const key = entry.key === '' ? '' : `${entry.key.slice(0, 12)}… v${entry.version}`
  const shown = time(Math.floor(timeMicros / 1_000)) ?? ''
  return [String(sequence), shown, command, outcome, key, identity, requestId]
}
