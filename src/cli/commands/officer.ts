/** `keyhold officer`: the key with which a person approves. It needs no server. */

import type { Command } from 'commander'
import {
  makeOfficerKey,
  type OfficerKeyKind,
  officerKeyKinds,
} from '../../hsm/contract/officer-key.ts'
import { oneOf } from '../options.ts'
import { fields } from '../output.ts'
import { type PassphraseOptions, passphraseFileOption, readPassphrase } from '../passphrase.ts'
import { action } from '../session.ts'
import { writeWhole } from '../small-file.ts'

interface KeyOptions extends PassphraseOptions {
  readonly kind: OfficerKeyKind
}

export function addOfficerCommands(program: Command): void {
  const officer = program.command('officer').summary('keys of people who approve commands')
  officer
    .command('key')
    .argument('<file>', 'where the private key is to be')
    .summary('make a key pair for a person, on their own machine')
    .description(
      'FILE holds the private key under a passphrase and stays with the person. What is printed is ' +
        'the credential: the public key as the domain state names it.',
    )
    .option('--kind <kind>', officerKeyKinds.join(', '), oneOf(officerKeyKinds), 'ed25519')
    .option(...passphraseFileOption)
    .addHelpText('after', '\nExample:\n  keyhold officer key anna.key --kind ml-dsa-65')
    .action(
      action<KeyOptions>(async ({ output }, { args: [file = ''], options }) => {
        const passphrase = await readPassphrase(options, { isNew: true })
        try {
          const made = makeOfficerKey(options.kind, passphrase)
          await writeWhole(file, made.file, { mode: 0o600 })
          const { kind, publicKey } = made.credential
          const rows = [
            ['private key', `${file}, under your passphrase: keep it, and a copy of it`],
            ['kind', kind],
            ['public key', publicKey],
          ] as const
          output.result({ file, credential: made.credential }, fields(rows))
        } finally {
          passphrase.fill(0)
        }
      }),
    )
}
