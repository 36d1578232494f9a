/** `keyhold officer`: the key or passkey with which a person approves. It needs no server. */

import { createPublicKey } from 'node:crypto'
import type { Command } from 'commander'
import { OutputFile } from '../../client/files/output.ts'
import {
  makeOfficerKey,
  type OfficerKeyKind,
  officerKeyKinds,
} from '../../hsm/contract/officer-key.ts'
import { integer, oneOf } from '../options.ts'
import { fields } from '../output.ts'
import { type BrowserOptions, browserOptions, inBrowser } from '../passkey/options.ts'
import { type PassphraseOptions, passphraseFileOption, readPassphrase } from '../passphrase.ts'
import { action } from '../session.ts'
import { writeWhole } from '../small-file.ts'

interface PasskeyOptions extends BrowserOptions {
  readonly name: string
  readonly port?: number
}

/** Below the ephemeral ones. It is part of the origin that passkeys are pinned to, and so stays. */
const portUsual = 4653

const publicSuffix = '.pub'

interface KeyOptions extends PassphraseOptions {
  readonly kind: OfficerKeyKind
}

export function addOfficerCommands(program: Command): void {
  const officer = program.command('officer').summary('keys of people who approve commands')
  addPasskeyCommand(officer)
  officer
    .command('key')
    .argument('<file>', 'where the private key is to be; FILE.pub is the public one')
    .summary('make a key pair for a person, on their own machine')
    .description(
      'FILE holds the private key under a passphrase and stays with the person; FILE.pub (PEM) goes to ' +
        'whoever leads the founding or changes the people of the domain.',
    )
    .option('--kind <kind>', officerKeyKinds.join(', '), oneOf(officerKeyKinds), 'ed25519')
    .option(...passphraseFileOption)
    .addHelpText('after', '\nExample:\n  keyhold officer key anna.key --kind ml-dsa-65')
    .action(
      action<KeyOptions>(async ({ output }, { args: [file = ''], options }) => {
        const passphrase = await readPassphrase(options, { isNew: true })
        try {
          const made = makeOfficerKey(options.kind, passphrase)
          const { kind, publicKey } = made.credential
          const publicFile = file + publicSuffix
          await writeWhole(file, made.file, { mode: 0o600 })
          await writeWhole(publicFile, pemOf(publicKey), { mode: 0o644 })
          const rows = [
            ['private key', `${file}, under your passphrase: keep it, and a copy of it`],
            ['public key', publicFile],
            ['kind', kind],
            ['as text', publicKey],
          ] as const
          output.result({ file, publicFile, credential: made.credential }, fields(rows))
        } finally {
          passphrase.fill(0)
        }
      }),
    )
}

function pemOf(publicKey: string): Buffer {
  const key = Buffer.from(publicKey, 'base64')
  const pem = createPublicKey({ key, format: 'der', type: 'spki' })
  return Buffer.from(pem.export({ format: 'pem', type: 'spki' }))
}

function addPasskeyCommand(officer: Command): void {
  officer
    .command('passkey')
    .argument('<file>', 'where its id and public key are to be')
    .summary('make a passkey for a person, in their own browser')
    .requiredOption('--name <name>', 'of the person, for the list in the authenticator')
    .option(
      '--port <number>',
      'part of the address it is pinned to',
      integer(1_024, 65_535),
      portUsual,
    )
    .option(...browserOptions.open)
    .option(...browserOptions.seconds)
    .description(
      'Serves a page to the browser on this machine, which makes the passkey and uses it once. FILE holds ' +
        'no secret: the founding plan can name it, and approval sign --passkey needs it.',
    )
    .addHelpText('after', '\nExample:\n  keyhold officer passkey anna.passkey --name anna --open')
    .action(
      action<PasskeyOptions>(async (session, { args: [file = ''], options }) => {
        const [{ enrolInBrowser }, { encodePasskey }] = await Promise.all([
          import('../passkey/ask.ts'),
          import('../passkey/passkey-file.ts'),
        ])
        const { name, port = portUsual } = options
        await using output = await OutputFile.create(file, { mode: 0o644 })
        const where = { ...inBrowser(session, options), port }
        const { passkey, isSynchronisable } = await enrolInBrowser(name, where)
        await output.write(encodePasskey(passkey))
        await output.commit()
        const { credential } = passkey
        const rows = [
          ['passkey', file],
          ['answers to', credential.origin],
          ['kept', isSynchronisable ? 'synchronised to an account' : 'in one authenticator'],
          ['public key', credential.publicKey],
        ] as const
        session.output.result({ file, credential, isSynchronisable }, fields(rows))
      }),
    )
}
