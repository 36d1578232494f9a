/** `keyhold unlock`: a custodian offers their share to a locked module. */

import type { Command } from 'commander'
import { readUnlockPlace } from '../../client/config.ts'
import { Connection } from '../../client/connection.ts'
import { shareFileBytesMax } from '../../hsm/contract/share.ts'
import { passphraseFileOption } from '../passphrase.ts'
import { action } from '../session.ts'
import { offerShare } from '../shares/offer.ts'
import { keyFileOption, type ShareKeyOptions, withShareKey } from '../shares/share-key.ts'
import { readSmallFile } from '../small-file.ts'

interface UnlockOptions extends ShareKeyOptions {
  readonly share: string
  readonly server?: string
}

export function addUnlockCommand(program: Command): void {
  program
    .command('unlock')
    .summary("offer a custodian's share to a module that is locked")
    .description(
      'Opens the share here, seals it to the module for this one time, and hands it over: the server ' +
        'relays it and cannot read it. With enough shares the module opens. The server must run: ' +
        'keyhold serve --locked.',
    )
    .requiredOption('--share <file>', 'the share')
    .option(...keyFileOption)
    .option(...passphraseFileOption)
    .option('--server <file>', 'unlock.json of the server; that of the data folder when left out')
    .addHelpText(
      'after',
      '\nExample:\n  keyhold unlock --share share-1-alice.share --key alice.key',
    )
    .action(
      action<UnlockOptions>(async ({ output, folder, signal }, { options }) => {
        const share = await readSmallFile(options.share, shareFileBytesMax)
        const place = await readUnlockPlace(folder, options.server)
        using connection = new Connection(place, { signal })
        const result = await offerShare(connection, share, (use) =>
          withShareKey(share, options, use),
        )
        const { offered, threshold, unlocked } = result
        const rest = threshold - offered
        output.result(
          result,
          unlocked
            ? 'The module is open.'
            : `Share ${offered} of ${threshold}: ${rest} more needed.`,
        )
      }),
    )
}
