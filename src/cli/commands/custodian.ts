/** `keyhold custodian`: the key pair to which a custodian's share is sealed. It needs no server. */

import { hash } from 'node:crypto'
import type { Command } from 'commander'
import {
  custodianFingerprint,
  encodeCustodianPublicKey,
  makeCustodianKey,
  parseCustodianPublicKey,
} from '../../hsm/contract/custodian-key.ts'
import { fields } from '../output.ts'
import { type PassphraseOptions, passphraseFileOption, readPassphrase } from '../passphrase.ts'
import { action } from '../session.ts'
import { readSmallFile, writeWhole } from '../small-file.ts'

const publicSuffix = '.pub'
const publicTextBytesMax = 4 * 1024

export function addCustodianCommands(program: Command): void {
  const custodian = program
    .command('custodian')
    .summary('keys of those who keep shares of the domain root key')
  custodian
    .command('key')
    .argument('<file>', 'where the private key is to be; FILE.pub is the public one')
    .summary('make a key pair for a custodian, on their own machine')
    .description(
      'Makes a key pair (X-Wing: ML-KEM-768 and X25519). FILE holds the private key under a passphrase ' +
        'and stays with the custodian; FILE.pub goes to whoever leads the founding.',
    )
    .option(...passphraseFileOption)
    .addHelpText('after', '\nExample:\n  keyhold custodian key alice.key')
    .action(
      action<PassphraseOptions>(async ({ output }, { args: [file = ''], options }) => {
        const passphrase = await readPassphrase(options, { isNew: true })
        const { file: bytes, publicKey } = made(passphrase)
        await writeWhole(file, bytes, { mode: 0o600 })
        const text = encodeCustodianPublicKey(publicKey)
        const publicFile = file + publicSuffix
        await writeWhole(publicFile, Buffer.from(`${text}\n`), { mode: 0o644 })
        const fingerprint = fingerprintOf(publicKey)
        const rows = [
          ['private key', `${file}, under your passphrase: keep it, and a copy of it`],
          ['public key', publicFile],
          ['fingerprint', fingerprint],
        ] as const
        output.result({ file, publicFile, fingerprint }, fields(rows))
      }),
    )
  custodian
    .command('fingerprint')
    .argument('<file>', 'a public key: FILE.pub of "keyhold custodian key"')
    .summary('what to compare by voice before a share is sealed to a key')
    .action(
      action(async ({ output }, { args: [file = ''] }) => {
        const text = await readSmallFile(file, publicTextBytesMax)
        const fingerprint = fingerprintOf(parseCustodianPublicKey(text.toString('latin1')))
        output.result({ fingerprint }, fingerprint)
      }),
    )
}

function made(passphrase: Uint8Array): ReturnType<typeof makeCustodianKey> {
  try {
    return makeCustodianKey(passphrase)
  } finally {
    passphrase.fill(0)
  }
}

function fingerprintOf(publicKey: Uint8Array): string {
  return custodianFingerprint(hash('sha256', publicKey, 'buffer'))
}
