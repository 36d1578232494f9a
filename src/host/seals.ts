/**
 * The seals that a domain has: several side by side, one of each kind, each opening the same root key. A
 * seal that is added is made by the module; replacing or removing one takes its file away and does not
 * undo a copy of it: whoever has the copy and its secret opens the domain until `rotate and shred`.
 *
 * What a TPM keeps for the seal of the kind `tpm` is in `tpm/<digest of the seal>` of the data folder, so
 * that the seal's file decides which one counts; that of the founding is in `tpm/first`.
 */

import { hash } from 'node:crypto'
import { rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Call, Claim } from '../hsm/contract/commands.ts'
import type { SealKind } from '../hsm/contract/domain-commands.ts'
import type { DomainState, SignedDomainState } from '../hsm/contract/domain-state.ts'
import { sealSecretFor } from '../hsm/contract/sealed-part.ts'
import { makeFolder, namesIfThere, syncFolder } from './durable-file.ts'
import type { Epochs } from './epochs.ts'
import { HostError } from './errors.ts'
import type { EventFile } from './events.ts'
import { type Answer, call, type Sealing, sealSecret } from './start-up.ts'
import { readSeal, removeSeal, sealFile, sealsIn, writeSeal } from './state-files.ts'
import { makeTpmSeal, type TpmPolicy, tpmFolderName } from './tpm/seal.ts'
import type { TpmOptions } from './tpm/tools.ts'
import type { SecretKeeper } from './turn-epoch.ts'

/** The part of a host that is needed here. */
export interface SealingHost extends Sealing {
  run<N extends 'addSeal' | 'removeSeal' | 'getDomainState' | 'getChallenge'>(
    claim: Claim,
    command: Call<N>,
  ): Promise<Answer<N>>
}

export interface SealingPlace {
  /** The data folder. */
  readonly folder: string
  readonly tpm: TpmOptions | undefined
  /** There is no other root key before a seal is kept. */
  readonly epochs: Pick<Epochs, 'exclusively'>
  readonly events: Pick<EventFile, 'add'>
}

export interface KeptSeal {
  readonly kind: SealKind
  /** Milliseconds since 1970, by the clock of the file system. */
  readonly made: number
}

/** The part `approvals`, where the domain has a rule for it. */
type Approvals = Uint8Array | undefined

/** What a TPM keeps of a seal that is not added yet: the digest of its sealed secret stands behind it. */
const preparedPrefix = 'new-'

export class Seals {
  readonly #host: SealingHost
  readonly #place: SealingPlace

  constructor(host: SealingHost, place: SealingPlace) {
    this.#host = host
    this.#place = place
  }

  /** Those of the epoch in force, by kind. */
  async list(): Promise<KeptSeal[]> {
    const kinds = await sealsIn(this.#moduleFolder)
    return Promise.all(
      kinds.map(async (kind) => {
        const { mtimeMs } = await stat(sealFile(this.#moduleFolder, kind))
        return { kind, made: Math.trunc(mtimeMs) }
      }),
    )
  }

  /**
   * A seal of this kind, in place of the one that there was.
   * @param sealed its secret, sealed to the module; for the kind `tpm`, what prepareTpm answered last
   * @throws HsmError what the module refused; HostError SEAL_MISSING for another
   */
  async add(
    claim: Claim,
    kind: SealKind,
    sealed: Uint8Array,
    approvals?: Approvals,
  ): Promise<void> {
    await this.#place.epochs.exclusively(async () => {
      const prepared = kind === 'tpm' ? await this.#preparedFor(sealed) : undefined
      const parts = { secret: sealed, ...(approvals && { approvals }) }
      const { seal } = (await this.#host.run(claim, call('addSeal', { seal: kind }, parts))).parts
      if (prepared !== undefined) await this.#rename(prepared, nameOf(seal))
      await writeSeal(this.#moduleFolder, kind, seal)
      if (prepared !== undefined) await this.#forgetAllBut(nameOf(seal))
    })
    this.#place.events.add('seal added', { kind })
  }

  /** Has this machine's TPM keep a new secret; answers it sealed for this command. @throws TpmError, HostError */
  prepareTpm(
    policy: TpmPolicy,
    command: 'addSeal' | 'beginEpoch' = 'addSeal',
  ): Promise<Uint8Array> {
    return this.#place.epochs.exclusively(async () => {
      const names = (await namesIfThere(this.#tpmFolder)) ?? []
      for (const name of names) if (name.startsWith(preparedPrefix)) await this.#forget(name)
      const place = path.join(this.#tpmFolder, preparedPrefix)
      await makeFolder(this.#tpmFolder)
      const secret = await makeTpmSeal(place, policy, this.#place.tpm)
      const sealed = await sealSecret(this.#host, sealSecretFor(command, 'tpm'), secret)
      await this.#rename(preparedPrefix, preparedPrefix + nameOf(sealed))
      return sealed
    })
  }

  /** For a new epoch with a seal by this secret, which prepareTpm answered last. @throws HostError SEAL_MISSING */
  async keeperOf(sealed: Uint8Array): Promise<SecretKeeper> {
    const prepared = await this.#preparedFor(sealed)
    let kept = prepared
    return {
      made: async (seal) => {
        kept = nameOf(seal)
        await this.#rename(prepared, kept)
      },
      kept: () => this.#forgetAllBut(kept),
    }
  }

  /**
   * @throws HsmError what the module refused; HostError SEAL_MISSING, and SEAL_LAST for the only one of a
   *   domain without custodians
   */
  async remove(claim: Claim, kind: SealKind, approvals?: Approvals): Promise<void> {
    await this.#place.epochs.exclusively(async () => {
      const kinds = await sealsIn(this.#moduleFolder)
      if (!kinds.includes(kind)) {
        throw new HostError('SEAL_MISSING', `there is no seal of the kind "${kind}".`)
      }
      if (kinds.length === 1 && !(await this.#hasCustodians(claim))) {
        const message = 'it is the only seal: add another first, or the domain stays closed.'
        throw new HostError('SEAL_LAST', message)
      }
      const parts = approvals ? { approvals } : {}
      await this.#host.run(claim, call('removeSeal', { seal: kind }, parts))
      await removeSeal(this.#moduleFolder, kind)
      if (kind === 'tpm') await rm(this.#tpmFolder, { recursive: true, force: true })
    })
    this.#place.events.add('seal removed', { kind })
  }

  async #hasCustodians(claim: Claim): Promise<boolean> {
    const { parts } = await this.#host.run(claim, call('getDomainState', {}, {}))
    const { statement } = JSON.parse(Buffer.from(parts.state).toString()) as SignedDomainState
    return (JSON.parse(statement) as DomainState).custodians !== null
  }

  get #moduleFolder(): string {
    return path.join(this.#place.folder, 'module')
  }

  get #tpmFolder(): string {
    return path.join(this.#place.folder, tpmFolderName)
  }

  async #preparedFor(sealed: Uint8Array): Promise<string> {
    const prepared = preparedPrefix + nameOf(sealed)
    if ((await namesIfThere(this.#tpmFolder))?.includes(prepared)) return prepared
    const message = 'the TPM keeps no secret for this seal: ask for it anew, and add that.'
    throw new HostError('SEAL_MISSING', message)
  }

  async #rename(from: string, to: string): Promise<void> {
    await rename(path.join(this.#tpmFolder, from), path.join(this.#tpmFolder, to))
    await syncFolder(this.#tpmFolder)
  }

  async #forgetAllBut(kept: string): Promise<void> {
    for (const name of (await namesIfThere(this.#tpmFolder)) ?? []) {
      if (name !== kept) await this.#forget(name)
    }
  }

  async #forget(name: string): Promise<void> {
    await rm(path.join(this.#tpmFolder, name), { recursive: true, force: true })
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

function nameOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex').slice(0, 32)
}
