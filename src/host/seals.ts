/**
 * The seals that a domain has: several side by side, one of each kind, each opening the same root key. A
 * seal that is added is made by the module; replacing or removing one takes its file away and does not
 * undo a copy of it: whoever has the copy and its secret opens the domain until `rotate and shred`.
 *
 * What a TPM keeps for the seal of the kind `tpm` is in `tpm/<digest of the seal>` of the data folder, so
 * that the seal's file decides which one counts; that of the founding is in `tpm/first`.
 */

import { hash } from 'node:crypto'
import { rename, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Claim } from '../hsm/contract/commands.ts'
import type { SealKind } from '../hsm/contract/domain-commands.ts'
import { makeFolder, namesIfThere, syncFolder } from './durable-file.ts'
import { HostError } from './errors.ts'
import { type Answer, call, sealSecret } from './start-up.ts'
import { readSeal, removeSeal, sealsIn, writeSeal } from './state-files.ts'
import { makeTpmSeal, type TpmPolicy, tpmFolderName } from './tpm/seal.ts'
import type { TpmOptions } from './tpm/tools.ts'

/** The part of a host that is needed here. */
export interface SealingHost {
  run(claim: Claim, command: ReturnType<typeof addSealCall>): Promise<Answer<'addSeal'>>
  transportPublicKey(): Promise<Uint8Array>
  /** Not while there may be another root key before the seal is kept. */
  exclusively<T>(work: () => Promise<T>): Promise<T>
}

export interface AddOptions {
  /** The part `approvals`, where the domain has a rule for it. */
  readonly approvals?: Uint8Array | undefined
}

const addSealCall = (seal: SealKind, secret: Uint8Array, { approvals }: AddOptions) =>
  call('addSeal', { seal }, { secret, ...(approvals && { approvals }) })

export class Seals {
  readonly #host: SealingHost
  /** The data folder. */
  readonly #folder: string
  readonly #added: (event: string, members: { readonly kind: SealKind }) => void

  constructor(
    host: SealingHost,
    folder: string,
    added: (event: string, members: { readonly kind: SealKind }) => void,
  ) {
    this.#host = host
    this.#folder = folder
    this.#added = added
  }

  /** The kinds of which there is one, sorted. */
  list(): Promise<SealKind[]> {
    return sealsIn(this.#moduleFolder)
  }

  /**
   * A seal of this kind, in place of the one that there was. Overwrites the bytes of the secret.
   * @throws HsmError what the module refused; HostError
   */
  async add(
    claim: Claim,
    kind: SealKind,
    secret: Uint8Array,
    options: AddOptions = {},
  ): Promise<void> {
    await this.#host.exclusively(async () =>
      writeSeal(this.#moduleFolder, kind, await this.#make(claim, kind, secret, options)),
    )
    this.#added('seal added', { kind })
  }

  /** The same for this machine's TPM. @throws TpmError, HsmError, HostError */
  addTpm(
    claim: Claim,
    policy: TpmPolicy,
    options: AddOptions & TpmOptions & { readonly pin?: Uint8Array } = {},
  ): Promise<void> {
    return this.#host.exclusively(() => this.#addTpm(claim, policy, options))
  }

  async #addTpm(
    claim: Claim,
    policy: TpmPolicy,
    { pin, approvals, tcti }: AddOptions & TpmOptions & { readonly pin?: Uint8Array },
  ): Promise<void> {
    const all = path.join(this.#folder, tpmFolderName)
    const made = path.join(all, 'new')
    await makeFolder(all)
    await rm(made, { recursive: true, force: true })
    const secret = await makeTpmSeal(made, policy, { tcti }, pin)
    const seal = await this.#make(claim, 'tpm', secret, { approvals })
    const kept = nameOf(seal)
    await rename(made, path.join(all, kept))
    await syncFolder(all)
    await writeSeal(this.#moduleFolder, 'tpm', seal)
    this.#added('seal added', { kind: 'tpm' })
    const others = ((await namesIfThere(all)) ?? []).filter((name) => name !== kept)
    for (const name of others) await rm(path.join(all, name), { recursive: true })
  }

  /** @throws HostError SEAL_MISSING, and SEAL_LAST for the only one that there is */
  async remove(kind: SealKind): Promise<void> {
    const kinds = await this.list()
    if (!kinds.includes(kind)) {
      throw new HostError('SEAL_MISSING', `there is no seal of the kind "${kind}".`)
    }
    if (kinds.length === 1) {
      const message = 'it is the only seal: add another first, or the domain stays closed.'
      throw new HostError('SEAL_LAST', message)
    }
    await removeSeal(this.#moduleFolder, kind)
    this.#added('seal removed', { kind })
    if (kind === 'tpm') {
      await rm(path.join(this.#folder, tpmFolderName), { recursive: true, force: true })
    }
  }

  get #moduleFolder(): string {
    return path.join(this.#folder, 'module')
  }

  async #make(
    claim: Claim,
    kind: SealKind,
    secret: Uint8Array,
    options: AddOptions,
  ): Promise<Uint8Array> {
    try {
      const transportKey = await this.#host.transportPublicKey()
      const command = addSealCall(kind, sealSecret(transportKey, secret), options)
      return (await this.#host.run(claim, command)).parts.seal
    } finally {
      secret.fill(0)
    }
  }
}

/** Where a TPM keeps what the seal of the kind `tpm` needs, in a data folder. */
export async function tpmPlace(folder: string): Promise<string> {
  const all = path.join(folder, tpmFolderName)
  const seal = await readSeal(path.join(folder, 'module'), 'tpm').catch(() => undefined)
  const names = (await namesIfThere(all)) ?? []
  const kept = seal && nameOf(seal)
  return path.join(all, kept !== undefined && names.includes(kept) ? kept : 'first')
}

function nameOf(seal: Uint8Array): string {
  return hash('sha256', seal, 'hex').slice(0, 32)
}
