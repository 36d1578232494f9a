/** `keyhold unlock`: a custodian offers their share to a locked module. */

import type { Command } from 'commander'
import * as z from 'zod'
import { readUnlockPlace } from '../../client/config.ts'
import { Connection } from '../../client/connection.ts'
import { clientError } from '../../client/errors.ts'
import {
  describeShare,
  encodeOfferedShare,
  type ShareKey,
  shareFileBytesMax,
} from '../../hsm/contract/share.ts'
import { sealToTransportKey } from '../../hsm/contract/transport.ts'
import { passphraseFileOption } from '../passphrase.ts'
import { action } from '../session.ts'
import { keyFileOption, type ShareKeyOptions, withShareKey } from '../shares/share-key.ts'
import { readSmallFile } from '../small-file.ts'

const locked = z.strictObject({
  state: z.literal('locked'),
  domain: z.string(),
  transportKey: z.base64(),
  challenge: z.string().regex(/^[0-9a-f]{64}$/),
})
const taken = z.strictObject({
  index: z.int(),
  offered: z.int(),
  threshold: z.int(),
  unlocked: z.boolean(),
})

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
        const { domainId } = describeShare(share)
        const place = await readUnlockPlace(folder, options.server)
        using connection = new Connection(place, { signal })
        const asked = await connection.send({ method: 'GET', path: '/v1/unlock', repeatable: true })
        const { domain, transportKey, challenge } = parse(locked, asked.body)
        if (domainId.toString('hex') !== domain) {
          throw clientError(
            'FILE_INVALID',
            `the share is of domain ${domainId.toString('hex')}, not ${domain}`,
          )
        }
        const sealed = await withShareKey(share, options, (key) =>
          sealOffer(share, key, { transportKey, challenge }),
        )
        const body = JSON.stringify({ challenge, share: sealed.toString('base64') })
        const path = '/v1/unlock/shares'
        const answer = await connection.send({ method: 'POST', path, body, repeatable: false })
        const result = parse(taken, answer.body)
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

/** Opened, sealed and overwritten at once. */
function sealOffer(
  share: Uint8Array,
  key: ShareKey,
  { transportKey, challenge }: { readonly transportKey: string; readonly challenge: string },
): Buffer {
  const offered = encodeOfferedShare(share, key)
  try {
    const context = Buffer.from(challenge, 'hex')
    const publicKey = Buffer.from(transportKey, 'base64')
    return sealToTransportKey(publicKey, 'offered share', offered, context)
  } finally {
    offered.fill(0)
  }
}

function parse<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  throw clientError('ANSWER_INVALID', 'the server answered something else: is it locked?')
}
