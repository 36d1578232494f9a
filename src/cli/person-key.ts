/**
 * The private key that a person signs with: the file that `keyhold officer key` makes, or PEM, under a
 * passphrase or not, for those who bring their own. Every command that signs as a person reads it here.
 */

import { createPrivateKey, type KeyObject } from 'node:crypto'
import { clientError } from '../client/errors.ts'
import { isOfficerKeyFile, openOfficerKey } from '../hsm/contract/officer-key.ts'
import { type PassphraseOptions, passphraseFileOption, readPassphrase } from './passphrase.ts'
import { readPrivateFile } from './small-file.ts'

const keyFileBytesMax = 16 * 1024

export interface PersonKeyOptions extends PassphraseOptions {
  readonly as: string
  readonly key: string
}

/** Of a command that signs as a person of the domain. */
export const personKeyOptions = {
  as: ['--as <name>', 'your name in the domain'],
  key: ['--key <file>', 'your private key: of keyhold officer key, or PEM'],
  passphraseFile: passphraseFileOption,
} as const

/** @throws ClientError FILE_NOT_READABLE, FILE_INVALID; HsmError CIPHERTEXT_INVALID; UsageError without a terminal */
export async function readPersonKey(
  file: string,
  { passphraseFile }: PassphraseOptions,
): Promise<KeyObject> {
  const bytes = await readPrivateFile(file, keyFileBytesMax)
  const isOfficerKey = isOfficerKeyFile(bytes)
  if (!isOfficerKey && !bytes.includes('ENCRYPTED')) return openPem(bytes, undefined)
  const from = passphraseFile === undefined ? {} : { passphraseFile }
  const passphrase = await readPassphrase(from, { isNew: false })
  try {
    return isOfficerKey ? openOfficerKey(bytes, passphrase) : openPem(bytes, passphrase)
  } finally {
    passphrase.fill(0)
  }
}

function openPem(key: Buffer, passphrase: Uint8Array | undefined): KeyObject {
  try {
    const secret = passphrase && { passphrase: Buffer.from(passphrase) }
    return createPrivateKey({ key, format: 'pem', ...secret })
  } catch (cause) {
    throw clientError('FILE_INVALID', 'the private key does not open', { cause })
  }
}
