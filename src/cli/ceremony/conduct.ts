/**
 * The founding ceremony, step after step: what is finished is in the ceremony's folder, so that whatever ends
 * the program, the next run goes on behind it. The shares are on the disk before the domain exists; an
 * interrupted founding leaves shares of no domain, which are removed and made anew.
 */

import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { clientError } from '../../client/errors.ts'
import { secretCopy } from '../../hsm/contract/secret-memory.ts'
import { checkShare, shareFileBytesMax } from '../../hsm/contract/share.ts'
import { readSmallFile } from '../small-file.ts'
import type { CeremonyFolder } from './folder.ts'
import {
  type FoundingModule,
  type SealedSecrets,
  sealPassphrases,
  sealSealSecret,
} from './founding.ts'
import type { CeremonyPlan } from './plan.ts'

/** What the ceremony needs of those who are there. */
export interface Attendants {
  /** The passphrase of the seal; overwritten by the ceremony. */
  readonly sealSecret: () => Promise<Uint8Array>
  /** A custodian types theirs; overwritten by the ceremony. */
  readonly passphrase: (name: string) => Promise<Uint8Array>
  /** Hands over the share; false to come back later. */
  readonly handOver: (name: string, file: string) => Promise<boolean>
  readonly say: (text: string) => void
}

/** What a custodian's passphrase opens at once, before they go. */
type Passphrases = ReadonlyMap<string, Uint8Array>

/** @throws ClientError FILE_EXISTS when the data folder has another domain */
export async function conduct(
  folder: CeremonyFolder,
  startModule: (data: string) => Promise<FoundingModule>,
  attendants: Attendants,
): Promise<void> {
  await found(folder, startModule, attendants)
  for (const [position, { name }] of (folder.plan.custodians?.people ?? []).entries()) {
    if (folder.state.taken.includes(name)) continue
    const file = folder.shareFiles[position] ?? ''
    if (!(await attendants.handOver(name, file))) {
      throw clientError('INTERRUPTED', `${name} has not taken the share yet; run it again for that`)
    }
    await folder.taken(name)
  }
  if (!folder.state.closed) await folder.close()
}

async function found(
  folder: CeremonyFolder,
  startModule: (data: string) => Promise<FoundingModule>,
  attendants: Attendants,
): Promise<void> {
  const { state, plan } = folder
  if (state.founded) return
  const domain = await domainIn(state.data)
  if (domain !== undefined && domain === state.prepared) {
    // Ended between the domain's founding and the note of it.
    attendants.say('The domain was founded; going on from there.')
    return folder.founded()
  }
  if (domain !== undefined) {
    throw clientError('FILE_EXISTS', `there is a domain already in ${state.data}: ${domain}`)
  }
  if (state.prepared !== null) await folder.forgetPrepared()
  await using module = await startModule(state.data)
  const { secrets, passphrases } = await collectSecrets(plan, module, attendants)
  try {
    await folder.prepare(await module.found(plan, secrets))
    await checkByPassphrase(folder, passphrases)
  } finally {
    for (const bytes of passphrases.values()) bytes.fill(0)
  }
  await module.commit()
  await folder.founded()
}

async function collectSecrets(
  { custodians, seal }: CeremonyPlan,
  module: FoundingModule,
  attendants: Attendants,
): Promise<{ readonly secrets: SealedSecrets; readonly passphrases: Passphrases }> {
  const passphrases = new Map<string, Uint8Array>()
  let sealSecret: Uint8Array | undefined
  try {
    for (const { name, kind } of custodians?.people ?? []) {
      if (kind === 'passphrase') passphrases.set(name, await attendants.passphrase(name))
    }
    sealSecret = seal === 'passphrase' ? await attendants.sealSecret() : undefined
  } catch (error) {
    for (const bytes of passphrases.values()) bytes.fill(0)
    throw error
  }
  const copies = [...passphrases.values()].map((bytes) => secretCopy(bytes))
  const secrets = {
    seal: sealSecret && sealSealSecret(module, sealSecret),
    passphrases: copies.length > 0 ? sealPassphrases(module, copies) : undefined,
  }
  return { secrets, passphrases }
}

/** Each share under a passphrase opens with it, before there is a domain that depends on it. */
async function checkByPassphrase(folder: CeremonyFolder, passphrases: Passphrases): Promise<void> {
  for (const [position, { name }] of (folder.plan.custodians?.people ?? []).entries()) {
    const passphrase = passphrases.get(name)
    if (!passphrase) continue
    const share = await readSmallFile(folder.shareFiles[position] ?? '', shareFileBytesMax)
    checkShare(share, { passphrase })
    await folder.note('share checked', name)
  }
}

/** The domain id in a data folder; undefined when there is none. @throws ClientError FILE_INVALID */
async function domainIn(data: string): Promise<string | undefined> {
  const file = path.join(data, 'keyhold.json')
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch {
    return undefined
  }
  try {
    const { domainId } = JSON.parse(text) as { readonly domainId?: string }
    return domainId
  } catch (cause) {
    throw clientError('FILE_INVALID', `${file} is damaged`, { cause })
  }
}
