/** `keyhold keys alias …`: further names of a key. */

import type { Command } from 'commander'
import { table } from '../output.ts'
import { action } from '../session.ts'
import { keyArgument } from './keys.ts'

export function addAliasCommands(keys: Command): void {
  const aliases = keys.command('alias').summary('further names of a key, which can move to another')
  aliases
    .command('set')
    .summary('make an alias, or point it at another key')
    .argument('<alias>', 'a-z 0-9 . _ -')
    .argument(...keyArgument)
    .addHelpText('after', '\nExample:\n  keyhold keys alias set payments-current payments-2027')
    .action(
      action(async ({ connect, namespace, output }, { args: [alias = '', key = ''] }) => {
        const client = await connect()
        const answer = await client.call('setAlias', { path: { namespace, alias }, body: { key } })
        output.result(answer, `${answer.name} → ${answer.key}`)
      }),
    )
  aliases
    .command('remove')
    .summary('remove an alias; the key stays')
    .argument('<alias>')
    .action(
      action(async ({ connect, namespace, output }, { args: [alias = ''] }) => {
        await (await connect()).call('removeAlias', { path: { namespace, alias } })
        output.result({ removed: alias }, `removed: ${alias}`)
      }),
    )
  aliases
    .command('list')
    .summary('the aliases of the namespace')
    .action(
      action(async ({ connect, namespace, output }) => {
        const client = await connect()
        const items = await Array.fromAsync(client.pages('listAliases', { path: { namespace } }))
        const rows = items.map(({ name, key }) => [name, key])
        output.result({ items }, table(['ALIAS', 'KEY'], rows, 'No aliases.'))
      }),
    )
}
