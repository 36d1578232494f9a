/** `keyhold keys …`: the end of a key, at once or after a waiting period. It asks before it does it. */

import { isCancel, text } from '@clack/prompts'
import type { Command } from 'commander'
import { clientError } from '../../client/errors.ts'
import type { Key } from '../../client/types.ts'
import { readApprovals } from '../approvals/request-file.ts'
import { daysFrom, integer } from '../options.ts'
import { time, UsageError } from '../output.ts'
import { action, type Session } from '../session.ts'
import { writeWhole } from '../small-file.ts'
import { type ApprovalsOptions, approvalsOption, oneSet } from './domain.ts'
import { keyArgument, stateText } from './keys.ts'

export function addKeyEndCommands(keys: Command): void {
  keys
    .command('schedule-destruction')
    .summary('disable a key now and destroy it after a waiting period')
    .argument(...keyArgument)
    .option('--days <number>', 'how long to wait', integer(0, 30), 7)
    .addHelpText('after', '\nExample:\n  keyhold keys schedule-destruction payments --days 30')
    .action(
      action<{ days: number }>(
        async ({ connect, namespace, output }, { args: [key = ''], options: { days } }) => {
          const path = { namespace, key }
          const record = await (await connect()).call('scheduleDestruction', {
            path,
            body: { days },
          })
          output.result(record, scheduledText(record))
        },
      ),
    )
  keys
    .command('cancel-destruction')
    .summary('take a scheduled destruction back; the key stays disabled')
    .argument(...keyArgument)
    .action(
      action(async ({ connect, namespace, output }, { args: [key = ''] }) => {
        const record = await (await connect()).call('cancelDestruction', {
          path: { namespace, key },
        })
        output.result(record, `${stateText(record)}; to use it again: keys enable ${record.name}`)
      }),
    )
  keys
    .command('destroy')
    .summary('destroy a key at once and for good')
    .argument(...keyArgument)
    .option('--confirm <name>', "the key's exact name, instead of being asked for it")
    .option(...approvalsOption)
    .addHelpText(
      'after',
      `
Every version is destroyed, and every copy of it in any backup is refused from then on. What only
this key can decrypt is lost. schedule-destruction leaves you time to think.

Example:
  keyhold keys destroy payments --confirm payments`,
    )
    .action(
      action<ApprovalsOptions & { confirm?: string }>(
        async (session, { args: [key = ''], options }) => {
          const client = await session.connect()
          const path = { namespace: session.namespace, key }
          const record = await client.call('getKey', { path })
          const confirm = options.confirm ?? (await askForName(session, record))
          const ifMatch = `"${record.etag}"`
          const approvals = options.approvals && (await readApprovals(options.approvals))
          const body = { confirm, approvals }
          const destroyed = await client.call('destroyKey', { path, body, ifMatch })
          session.output.result(destroyed, stateText(destroyed))
        },
      ),
    )
}

/** `keyhold keys wrap`: the one way for a key to leave, encrypted. */
export function addWrapCommand(keys: Command): void {
  keys
    .command('wrap')
    .summary('let an exportable key out, encrypted under another')
    .argument('<key>', 'the key that wraps, by id, name or alias')
    .argument('<target>', 'the key that is let out')
    .requiredOption('--output <file>', 'the wrapped key')
    .option(...approvalsOption)
    .addHelpText(
      'after',
      '\nExample:\n  keyhold keys wrap transport payments --output payments.wrapped',
    )
    .action(
      action<ApprovalsOptions & { output: string }>(
        async ({ connect, namespace, output }, { args: [key = '', target = ''], options }) => {
          const approvals = await oneSet(options)
          const path = { namespace, key }
          const client = await connect()
          const { wrapped, algorithm } = await client.call('wrap', {
            path,
            body: { target, approvals },
          })
          await writeWhole(options.output, wrapped, {})
          const result = { file: options.output, bytes: wrapped.length, algorithm }
          output.result(result, `${options.output}: ${wrapped.length} bytes by ${algorithm}`)
        },
      ),
    )
}

function scheduledText(key: Key): string {
  const due = key.destructionDue ?? 0
  return `${key.name}: ${key.state}, destroyed ${daysFrom(Date.now(), due)} (${time(due)})`
}

/** Shows what will happen and asks for the name. @throws UsageError where nobody can be asked */
async function askForName({ output, signal }: Session, key: Key): Promise<string> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError(`nobody can be asked here; add --confirm ${key.name}`)
  }
  output.note(`This destroys ${key.name} (${key.type}, ${key.versions} versions) for good.`)
  output.note(`Owner: ${key.owner}. Purpose: ${key.purpose}.`)
  output.note('Nothing that only this key can decrypt will ever be read again.')
  const answer = await text({
    message: 'Type the name of the key to destroy it',
    output: process.stderr,
    signal,
  })
  if (isCancel(answer)) throw clientError('INTERRUPTED', 'nothing was destroyed')
  return answer
}
