/** What a rotation is going to do, as it is written down before its first step, and what it leaves. */

import { deleteSetting, findSetting, putSetting } from '../../storage/settings.ts'
import type { Kms } from '../kms.ts'
import type { NotRewrapped } from './rewrap.ts'

/** Setting and lock. */
export const rotationName = 'rotation'

/** Of the KEK alone, of everything in an epoch, or of a KEK that takes its keys with it. */
export const rotationKinds = ['kek', 'shred', 'weaken'] as const
export type RotationKind = (typeof rotationKinds)[number]

export interface KekNumber {
  readonly epoch: number
  /** Generation. */
  readonly kek: number
}

export interface Plan {
  readonly kind: RotationKind
  /**
   * begun: perhaps the module has the new KEK. rewrap: it has. destroy: it has, and the keys under older
   * ones are gone. retire: all is re-wrapped, and the rules of
   * the domain want approvals before the KEK before goes. done: nothing is to be done.
   */
  readonly phase: 'begun' | 'rewrap' | 'destroy' | 'retire' | 'done'
  readonly from: KekNumber
  readonly to: KekNumber
  /** Wrapped keys that were under an older KEK when it was made. */
  readonly total: number
  readonly started: number
  readonly ended: number
  readonly failed: readonly NotRewrapped[]
}

/** Only writePlan makes these texts. */
export async function readPlan(kms: Kms): Promise<Plan | undefined> {
  const text = await findSetting(kms.db.query, rotationName)
  return text === undefined ? undefined : (JSON.parse(text) as Plan)
}

export async function writePlan(kms: Kms, plan: Plan): Promise<void> {
  const value = JSON.stringify(plan)
  await kms.db.write((query) => putSetting(query, { name: rotationName, value }))
}

export async function forgetPlan(kms: Kms): Promise<void> {
  await kms.db.write((query) => deleteSetting(query, rotationName))
}

/** The module's certificate that the epoch before was shredded; for ever. */
export async function keepCertificate(
  kms: Kms,
  { from }: Plan,
  certificate: Uint8Array,
): Promise<void> {
  const value = Buffer.from(certificate).toString('base64')
  await kms.db.write((query) => putSetting(query, { name: certificateName(from.epoch), value }))
}

/** Undefined for an epoch that was not shredded. */
export async function findCertificate(kms: Kms, epoch: number): Promise<Buffer | undefined> {
  const text = await findSetting(kms.db.query, certificateName(epoch))
  return text === undefined ? undefined : Buffer.from(text, 'base64')
}

/** The module's certificate that this version of the domain state destroyed every key; for ever. */
export async function keepWeakeningCertificate(
  kms: Kms,
  version: number,
  certificate: Uint8Array,
): Promise<void> {
  const value = Buffer.from(certificate).toString('base64')
  await kms.db.write((query) => putSetting(query, { name: weakeningName(version), value }))
}

/** Undefined for a version that destroyed nothing. */
export async function weakeningCertificate(
  kms: Kms,
  version: number | null | undefined,
): Promise<Buffer | undefined> {
  if (version === null || version === undefined) return undefined
  const text = await findSetting(kms.db.query, weakeningName(version))
  return text === undefined ? undefined : Buffer.from(text, 'base64')
}

function weakeningName(version: number): string {
  return `weakening-certificate.${version}`
}

function certificateName(epoch: number): string {
  return `shred-certificate.${epoch}`
}
