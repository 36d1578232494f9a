/**
 * The secret of the seal, for each start of the module. In development it is a key file in the data
 * folder, which is why a development domain protects nothing from whoever reads the folder. Otherwise
 * it is a passphrase: read from a file that only its owner can read, each time anew, or typed on the
 * terminal each time anew. The server keeps none; the host overwrites the bytes that it is handed.
 */

import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { passphraseIn, type Terminal, typedPassphrase } from '../client/passphrase.ts'
import { readIfThere, writeDurably } from '../host/durable-file.ts'
import type { SealKind } from '../hsm/contract/domain-commands.ts'
import { type Configuration, ConfigurationError } from './configuration.ts'

const keyFileBytes = 32

export interface SealSecret {
  readonly kind: SealKind
  readonly read: () => Promise<Uint8Array>
}

/** @throws ConfigurationError when there is neither file nor terminal for a passphrase */
export function sealSecret(
  { development, folder, passphraseFile }: Configuration,
  terminal: Terminal | undefined,
): SealSecret {
  if (development) return { kind: 'key-file', read: () => developmentKey(folder) }
  if (passphraseFile !== undefined) {
    return { kind: 'passphrase', read: () => passphraseIn(passphraseFile) }
  }
  if (terminal === undefined) {
    throw new ConfigurationError(
      'there is no terminal to ask for the passphrase on; use --passphrase-file FILE',
    )
  }
  return {
    kind: 'passphrase',
    read: async () => typedPassphrase(terminal, { isNew: !(await isFounded(folder)) }),
  }
}

async function developmentKey(folder: string): Promise<Uint8Array> {
  const file = path.join(folder, 'development.key')
  const found = await readIfThere(file)
  if (found?.length === keyFileBytes) return found
  if (found !== undefined || (await isFounded(folder))) {
    throw new Error(`${file} is missing or damaged: without it the development domain stays closed`)
  }
  await writeDurably(file, [randomBytes(keyFileBytes)])
  return developmentKey(folder)
}

async function isFounded(folder: string): Promise<boolean> {
  const text = await readIfThere(path.join(folder, 'keyhold.json'))
  return text?.includes('"domainId"') ?? false
}
