/** `keyhold lock`: the module forgets everything that it holds, until the domain is opened again. */

import type { Command } from 'commander'
import { action } from '../session.ts'

export function addLockCommand(program: Command): void {
  program
    .command('lock')
    .summary('erase all secrets of the module from memory, until the domain is opened again')
    .description(
      'What was begun is answered first. Then the server waits, and answers nothing else, until enough ' +
        'custodians have offered their shares, or until it is started anew and opens the domain by a seal.',
    )
    .addHelpText('after', '\nExample:\n  keyhold lock')
    .action(
      action(async ({ connect, output }) => {
        const client = await connect()
        const { domainId: confirm } = (await client.call('getStatus', {})).module
        await client.call('lock', { body: { confirm } })
        output.result(
          { locked: true },
          'locked; it opens with: keyhold unlock --share FILE, or a new start of the server',
        )
      }),
    )
}
