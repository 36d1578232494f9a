/**
 * The secret of the seal, for each start of the module. In development it is a key file in the data
 * folder, which is why a development domain protects nothing from whoever reads the folder. Otherwise
 * it is a passphrase: read from a file that only its owner can read, each time anew, or typed on the
 * terminal each time anew; or what the machine's TPM gives back. The server keeps none; the host overwrites the bytes that it is handed.
 */

import { randomFillSync } from 'node:crypto'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { passphraseIn, type Terminal, typedPassphrase } from '../client/passphrase.ts'
import { readIfThere, writeDurably } from '../host/durable-file.ts'
import type { NewSecret } from '../host/options.ts'
import { tpmPlace } from '../host/seals.ts'
import { makeTpmSeal, openTpmSeal } from '../host/tpm/seal.ts'
import type { SealKind } from '../hsm/contract/domain-commands.ts'
import { secretCopy, secretMemory } from '../hsm/contract/secret-memory.ts'
import { type Configuration, ConfigurationError } from './configuration.ts'

const keyFileBytes = 32

export interface SealSecret {
  readonly kind: SealKind
  /** Null leaves the module locked, for custodians to open. */
  readonly read: () => Promise<Uint8Array | null>
  /** Where the server itself keeps it. */
  readonly renew?: () => Promise<NewSecret>
}

/** @throws ConfigurationError when there is neither file nor terminal for a passphrase */
export function sealSecret(
  configuration: Configuration,
  terminal: Terminal | undefined,
): SealSecret {
  const { development, launched, folder, passphraseFile } = configuration
  if (development) {
    return {
      kind: 'key-file',
      read: () => developmentKey(folder),
      renew: () => newDevelopmentKey(folder),
    }
  }
  // Custodians open it.
  if (configuration.locked) return { kind: 'passphrase', read: async () => null }
  // The launcher feeds the seal; what is locked later is unlocked by people.
  if (launched) return { kind: 'passphrase', read: async () => null }
  if (configuration.seal === 'tpm') return { kind: 'tpm', read: () => tpmSecret(configuration) }
  if (passphraseFile !== undefined) {
    return { kind: 'passphrase', read: () => passphraseIn(passphraseFile) }
  }
  if (terminal === undefined) {
    throw new ConfigurationError(
      'there is no terminal to ask for the passphrase on; use --passphrase-file FILE, or --locked for custodians',
    )
  }
  return {
    kind: 'passphrase',
    read: async () => typedPassphrase(terminal, { isNew: !(await isFounded(folder)) }),
  }
}

/** What the TPM keeps for this folder: made when the domain is founded, opened later. */
async function tpmSecret({ folder, tpm: tcti, pcrs }: Configuration): Promise<Uint8Array> {
  const place = await tpmPlace(folder)
  if (await isFounded(folder)) return openTpmSeal(place, { tcti })
  return makeTpmSeal(place, { pcrs, pin: false }, { tcti })
}

const developmentKeyName = 'development.key'

/** From the second epoch on it lies beside the seal, so that both are replaced in one step. */
async function developmentKey(folder: string): Promise<Uint8Array> {
  const file = path.join(folder, developmentKeyName)
  const renewed = await readIfThere(path.join(folder, 'module', developmentKeyName))
  const found = renewed ?? (await readIfThere(file))
  if (found?.length === keyFileBytes) return found
  if (found !== undefined || (await isFounded(folder))) {
    throw new Error(`${file} is missing or damaged: without it the development domain stays closed`)
  }
  const secret = randomFillSync(secretMemory(keyFileBytes))
  await writeDurably(file, [secret])
  return secret
}

async function newDevelopmentKey(folder: string): Promise<NewSecret> {
  const secret = randomFillSync(secretMemory(keyFileBytes))
  // The host overwrites the one before it writes the other.
  const files = { [developmentKeyName]: secretCopy(secret) }
  return { secret, files, kept: () => rm(path.join(folder, developmentKeyName), { force: true }) }
}

async function isFounded(folder: string): Promise<boolean> {
  const text = await readIfThere(path.join(folder, 'keyhold.json'))
  return text?.includes('"domainId"') ?? false
}
