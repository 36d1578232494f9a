/**
 * What a ceremony needs of a module that is about to found a domain. The module is in a process of its own
 * (module-process.ts); secrets go to it sealed to its transport key.
 */

import type { SignedDomainState } from '../../hsm/contract/domain-state.ts'
import { passphrasesFor, sealForCommand, sealSecretFor } from '../../hsm/contract/sealed-part.ts'
import { encodeList } from '../../hsm/contract/share.ts'
import type { SignedFounding } from '../../hsm/contract/transcript.ts'
import type { CeremonyPlan } from './plan.ts'

/** Sealed to the module's transport key. */
export interface SealedSecrets {
  /** Of the seal; undefined when the plan has none. */
  readonly seal?: Uint8Array | undefined
  /** Of the custodians who have a passphrase, in their order, as one list. */
  readonly passphrases?: Uint8Array | undefined
}

/** What the module has made. Nothing of it is secret: each share is protected for its custodian. */
export interface Founded {
  readonly shares: readonly Uint8Array[]
  readonly domainState: SignedDomainState
  readonly founding: SignedFounding
}

export interface FoundingModule extends AsyncDisposable {
  /** For this start of the module. */
  readonly transportKey: Uint8Array
  /** Hex, for `found`. */
  readonly challenge: string
  /** The domain is not founded before commit: until then it can be done again. */
  found(plan: CeremonyPlan, secrets: SealedSecrets): Promise<Founded>
  /** From here on the domain exists. */
  commit(): Promise<void>
}

type To = Pick<FoundingModule, 'transportKey' | 'challenge'>

/** Overwrites the bytes. */
export function sealSealSecret({ transportKey, challenge }: To, secret: Uint8Array): Buffer {
  try {
    const destination = sealSecretFor('found', 'passphrase')
    return sealForCommand(transportKey, challenge, destination, secret)
  } finally {
    secret.fill(0)
  }
}

/** Overwrites the bytes. */
export function sealPassphrases(
  { transportKey, challenge }: To,
  passphrases: readonly Uint8Array[],
): Buffer {
  const list = encodeList(passphrases)
  try {
    return sealForCommand(transportKey, challenge, passphrasesFor('found'), list)
  } finally {
    for (const bytes of [list, ...passphrases]) bytes.fill(0)
  }
}
