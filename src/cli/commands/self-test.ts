/** `keyhold self-test`: the module's known answers again, one by one, and its noise sources. */

import type { Command } from 'commander'
import { table } from '../output.ts'
import { action } from '../session.ts'

export function addSelfTestCommand(program: Command): void {
  program
    .command('self-test')
    .argument('[names...]', 'algorithms, or tests by name; everything when left out')
    .summary('test the known answers of the module again')
    .description(
      'Each test has a published answer. With everything, each noise source starts again with its start-up ' +
        'test, too. A test that is not met is named, and from then on the module answers nothing but status ' +
        'and self-test.',
    )
    .addHelpText('after', '\nExample:\n  keyhold self-test AES-256-GCM')
    .action(
      action(async ({ connect, output }, { args: names }) => {
        const client = await connect()
        const body = names.length > 0 ? { tests: names } : {}
        const tested = await client.call('selfTest', { body })
        const rows = [
          ...tested.tests.map(({ name, result }) => [name, result]),
          ...tested.sources.map(({ name, state }) => [`noise source ${name}`, state]),
        ]
        output.result(tested, table(['TEST', 'RESULT'], rows, 'No tests.'))
      }),
    )
}
