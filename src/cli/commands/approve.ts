/** `keyhold approve`: signs a request for approvals with a person's own key. It needs no server. */

import type { Command } from 'commander'
import { clientError } from '../../client/errors.ts'
import {
  approve,
  describeRequest,
  encodeRequest,
  readRequest,
} from '../approvals/acknowledgement-file.ts'
import { askYes, assertTerminal } from '../ceremony/questions.ts'
import { parsePrivateKey } from '../ceremony/transcript-file.ts'
import { type PassphraseOptions, passphraseFileOption, readPassphrase } from '../passphrase.ts'
import { action } from '../session.ts'
import { readPrivateFile, writeWhole } from '../small-file.ts'

const privateKeyBytesMax = 16 * 1024

interface ApproveOptions extends PassphraseOptions {
  readonly as: string
  readonly key: string
  readonly yes?: boolean
}

export function addApproveCommand(program: Command): void {
  program
    .command('approve')
    .argument('<file>', 'a request for approvals; gets the signature')
    .summary('approve a command that needs the signatures of several people')
    .description('Shows the command with its arguments, and signs exactly that with your own key.')
    .requiredOption('--as <name>', 'your name in the domain')
    .requiredOption('--key <path>', 'your private key, PEM')
    .option(...passphraseFileOption)
    .option('--yes', 'sign without asking')
    .addHelpText('after', '\nExample:\n  keyhold approve request.json --as olga --key olga.key')
    .action(
      action<ApproveOptions>(async ({ output }, { args: [file = ''], options }) => {
        const request = await readRequest(file)
        if (!options.yes) {
          assertTerminal('use --yes')
          output.note(describeRequest(request))
          const isSure = await askYes(`Approve this as ${options.as}?`, false)
          if (!isSure) throw clientError('INTERRUPTED', 'nothing was signed')
        }
        const pem = await readPrivateFile(options.key, privateKeyBytesMax)
        const isEncrypted = pem.includes('ENCRYPTED')
        const passphrase = isEncrypted ? await readPassphrase(options, { isNew: false }) : undefined
        const approved = approve(request, options.as, parsePrivateKey(pem, passphrase))
        await writeWhole(file, encodeRequest(approved), { force: true, mode: 0o644 })
        const people = approved.approvals.map(({ person }) => person)
        output.result({ file, approved: people }, `approved by ${people.join(', ')}`)
      }),
    )
}
