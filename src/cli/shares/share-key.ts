/** What opens a custodian's share: the passphrase that it is under, or their key file, which is under one. */

import { custodianKeyFileBytes, openCustodianKey } from '../../hsm/contract/custodian-key.ts'
import { describeShare, type ShareKey } from '../../hsm/contract/share.ts'
import { UsageError } from '../output.ts'
import { type PassphraseOptions, readPassphrase } from '../passphrase.ts'
import { readPrivateFile } from '../small-file.ts'

export interface ShareKeyOptions extends PassphraseOptions {
  readonly key?: string
}

export const keyFileOption = [
  '--key <path>',
  'your key file, for a share that is sealed to it',
] as const

/**
 * Hands the key to `use` and erases the passphrase behind it.
 * @throws UsageError when a share that is sealed to a key comes without one, HsmError CIPHERTEXT_INVALID
 */
export async function withShareKey<T>(
  share: Uint8Array,
  options: ShareKeyOptions,
  use: (key: ShareKey) => T,
): Promise<T> {
  const { protection } = describeShare(share)
  if (protection === 'key' && options.key === undefined) {
    throw new UsageError("this share is sealed to a custodian's key: name its file with --key")
  }
  const file =
    protection === 'key'
      ? await readPrivateFile(options.key ?? '', custodianKeyFileBytes)
      : undefined
  const passphrase = await readPassphrase(options, { isNew: false })
  try {
    return use(file ? { privateKey: openCustodianKey(file, passphrase) } : { passphrase })
  } finally {
    passphrase.fill(0)
  }
}
