/**
 * From a module that is ready to one that serves its domain: the seal's secret for this start, what must
 * be true of the domain that it opened, and the founding of a new one.
 */

import type { Claim } from '../hsm/contract/commands.ts'
import type { SealKind } from '../hsm/contract/domain-commands.ts'
import { sealSecretFor } from '../hsm/contract/sealed-part.ts'
import type { DataFolder, FoundedDomain } from './data-folder.ts'
import { launcherMissing } from './errors.ts'
import type { HostFreshness } from './freshness.ts'
import type { ModuleFiles } from './module-files.ts'
import type { HostOptions } from './options.ts'
import type { Session } from './session.ts'
import {
  type FedSecret,
  foundDomain,
  hostClaim,
  levelOfDomain,
  type Opening,
  type ReadyModule,
  type Sealing,
  sealingAt,
  sealSecret,
  unlockModule,
} from './start-up.ts'

export interface Place {
  readonly options: HostOptions
  readonly folder: DataFolder
  readonly files: ModuleFiles
  readonly freshness: HostFreshness
}

/** What the launcher fed, or the host's own secret; null leaves the module locked. */
export async function secretFor(
  session: Session,
  { transportKey }: ReadyModule,
  { secret, sealKind: kind }: HostOptions,
  command: 'found' | 'unlock',
): Promise<FedSecret | null> {
  const { fed } = session.process
  if (fed !== undefined) return fed && { kind: fed.kind, sealed: fed.sealed[command] }
  const bytes = await session.whileAlive(secret())
  if (bytes === null) return null
  return feed(sealingAt(session.door, transportKey), command, kind, bytes)
}

/** Overwrites the bytes of the secret. @throws HsmError, HostError */
export async function feed(
  module: Sealing,
  command: 'found' | 'unlock',
  kind: SealKind,
  secret: Uint8Array,
): Promise<FedSecret> {
  return { kind, sealed: await sealSecret(module, sealSecretFor(command, kind), secret) }
}

/**
 * Ends the process when it refuses the domain that was opened.
 * @throws HsmError what the module refused; HostError FOLDER_TORN, LAUNCHER_MISSING
 */
export async function openDomain(
  session: Session,
  { options, folder, files, freshness }: Place,
  claim: Claim,
  opening: Opening,
): Promise<void> {
  const domain = await unlockModule(session.door, files, claim, opening)
  const mistake = folder.mistakeAbout(domain)
  const isLaunched = session.process.fed !== undefined
  const levelMax = isLaunched ? undefined : options.unlaunchedLevelMax
  const level = mistake || levelMax === undefined ? 0 : await levelOfDomain(session.door)
  const refusal = mistake ?? (level > (levelMax ?? level) ? launcherMissing(level) : undefined)
  if (refusal === undefined) {
    await freshness.confirm(session.door)
    return
  }
  session.process.kill()
  throw refusal
}

/** Writing the ids into keyhold.json is the last step: before it there is no domain. */
export async function newDomain(
  session: Session,
  { options, folder, files, freshness }: Place,
  fed: FedSecret,
): Promise<FoundedDomain> {
  const domain = await foundDomain(session.door, files, options.development, fed)
  await folder.commitFounding(domain)
  if (options.freshnessWitness) await freshness.confirm(session.door)
  else if (options.counter && fed.kind === 'tpm') {
    const { door } = session
    await freshness.pin(hostClaim, await freshness.pinCall(hostClaim, door), door)
  }
  return domain
}
