/**
 * Renewing the keys above all keys (SP 800-57 part 1 section 5.3): what is going on is written down before
 * the module is asked, so that a crash at any point is followed by the rest. The module makes a new KEK,
 * alone or with a new epoch (shred.ts); every wrapped key in the database is re-wrapped, while keys are
 * used, made, changed and destroyed (or marked as destroyed, where a policy became weaker); and only when none is left under an older KEK does the module erase
 * the one before. A key that cannot be re-wrapped keeps the rotation from ending, for it would be lost: it
 * is named, and the officer destroys it or restores its row. Where the rules of the domain want approvals,
 * they are wanted for the beginning and for the end, because what was not re-wrapped by then does not open
 * any more.
 */

import type { ModuleStatus } from '../../hsm/contract/commands.ts'
import { countUnderOlderKek } from '../../storage/key-versions.ts'
import { assertPermission, assertPermissionSomewhere, everywhere } from '../access/access.ts'
import type { Permission } from '../access/permissions.ts'
import { runCommand, systemCaller } from '../commands.ts'
import { KmsError, type KmsErrorCode } from '../errors.ts'
import type { Caller, Kms } from '../kms.ts'
import { destroyAll } from './destroy-all.ts'
import { type NotRewrapped, rewrapAll } from './rewrap.ts'
import {
  forgetPlan,
  type KekNumber,
  keepCertificate,
  type Plan,
  type RotationKind,
  readPlan,
  rotationName,
  writePlan,
} from './rotation-plan.ts'

export interface Rotation extends KekNumber {
  readonly kind: RotationKind
  readonly phase: Plan['phase']
  readonly total: number
  /** Still under an older KEK. */
  readonly left: number
  readonly started: number
  /** 0 while it goes on. */
  readonly ended: number
  /** What could not be re-wrapped, the first hundred. */
  readonly failed: readonly NotRewrapped[]
}

/** Signatures of people, as the module takes them (docs/formats/approval.md). */
export interface Approvals {
  readonly approvals?: Uint8Array
}

const permissionOf = {
  kek: 'domain:rotate-kek',
  shred: 'domain:shred',
  weaken: 'domain:change',
} as const satisfies Record<RotationKind, Permission>

/** Nobody was told what came of it. */
const unknown: readonly KmsErrorCode[] = ['MODULE_UNAVAILABLE', 'MODULE_FAILED']

/**
 * A new KEK in the same epoch; the rest happens in the background.
 *
 * @throws KmsError ACCESS_DENIED, REWRAP_UNFINISHED while another one goes on, MODULE_UNAVAILABLE,
 *   APPROVALS_MISSING and what else the module refuses
 */
export async function rotateKek(
  kms: Kms,
  caller: Caller,
  approvals: Approvals = {},
): Promise<Rotation> {
  await assertPermission(kms, caller, everywhere, permissionOf.kek)
  const call = { command: 'rotateKek', arguments: {}, parts: { ...approvals } } as const
  return begin(
    kms,
    caller,
    'kek',
    async () => (await runCommand<'rotateKek'>(kms, caller, call)).result,
  )
}

/** Has the module make a new KEK, and the keys re-wrapped. The caller may do that. @throws KmsError */
export async function begin(
  kms: Kms,
  caller: Caller,
  kind: RotationKind,
  make: () => Promise<KekNumber>,
): Promise<Rotation> {
  if (kms.keyLocks.isHeld(rotationName)) throw unfinished()
  const begun = await kms.keyLocks.hold(rotationName, async () => {
    const before = await readPlan(kms)
    if (before && before.phase !== 'done') throw unfinished()
    const { epoch, kek } = await statusOfModule(kms, caller)
    const from = { epoch, kek }
    const plan: Plan = {
      ...{ kind, phase: 'begun', from, to: from, total: 0, failed: [] },
      ...{ started: kms.now(), ended: 0 },
    }
    await writePlan(kms, plan)
    try {
      const next = await takeUp(kms, caller, plan, make)
      if (next) return next
    } catch (error) {
      // The module said no, and nothing has happened; anything else may have, and is found out later.
      if (error instanceof KmsError && !unknown.includes(error.code)) {
        await (before ? writePlan(kms, before) : forgetPlan(kms))
      }
      throw error
    }
    throw unfinished()
  })
  kms.background.run('the rotation of the KEK', () => finishRotation(kms))
  return rotationFrom(kms, begun)
}

/**
 * The end of one that waits for approvals.
 *
 * @throws KmsError ACCESS_DENIED, REWRAP_UNFINISHED while keys are under the KEK before, and what the
 *   module refuses
 */
export async function retireKek(
  kms: Kms,
  caller: Caller,
  approvals: Approvals = {},
): Promise<Rotation> {
  const kind = (await readPlan(kms))?.kind ?? 'kek'
  await assertPermission(kms, caller, everywhere, permissionOf[kind])
  if (kms.keyLocks.isHeld(rotationName)) throw unfinished()
  return kms.keyLocks.hold(rotationName, async () => {
    const plan = await readPlan(kms)
    if (plan?.phase !== 'retire' && plan?.phase !== 'done') throw unfinished()
    const done = plan.phase === 'done' ? plan : await retire(kms, caller, plan, approvals)
    return rotationFrom(kms, done)
  })
}

/** The last one; undefined when there was none. @throws KmsError ACCESS_DENIED */
export async function getRotation(kms: Kms, caller: Caller): Promise<Rotation | undefined> {
  await assertPermissionSomewhere(kms, caller, 'status:read')
  const plan = await readPlan(kms)
  return plan && rotationFrom(kms, plan)
}

/** Goes on with what was begun, to its end. For the start of the manager, and the job. */
export async function finishRotation(kms: Kms): Promise<void> {
  if (kms.keyLocks.isHeld(rotationName)) return
  await kms.keyLocks.hold(rotationName, async () => {
    const plan = await readPlan(kms)
    if (plan === undefined || plan.phase === 'retire' || plan.phase === 'done') return
    const caller = systemCaller(`rotation of ${plan.started}`)
    const next = plan.phase === 'begun' ? await takeUp(kms, caller, plan, undefined) : plan
    if (next) await finish(kms, caller, next)
    else await forgetPlan(kms)
  })
}

/**
 * To the phase in which the module has the new KEK. Where it has none and nobody can make it any more,
 * because that took a secret or approvals, nothing has happened: undefined.
 */
async function takeUp(
  kms: Kms,
  caller: Caller,
  plan: Plan,
  make: (() => Promise<KekNumber>) | undefined,
): Promise<Plan | undefined> {
  const { rewrapping, ...now } = await statusOfModule(kms, caller)
  const isRenewed = now.kek > plan.from.kek
  // Keys under a KEK that still opens them are re-wrapped, never marked as destroyed.
  const isThere = plan.kind === 'weaken' ? isRenewed && !rewrapping : isRenewed || rewrapping
  if (!isThere && !make) return undefined
  const to = isThere || !make ? { epoch: now.epoch, kek: now.kek } : await make()
  const total = await countUnderOlderKek(kms.db.query, to.kek)
  const phase = plan.kind === 'weaken' ? 'destroy' : 'rewrap'
  const next: Plan = { ...plan, phase, to: { epoch: to.epoch, kek: to.kek }, total }
  await writePlan(kms, next)
  return next
}

async function finish(kms: Kms, caller: Caller, plan: Plan): Promise<void> {
  const { kek } = plan.to
  // What was begun before the module had the new KEK may be stored under the old one.
  await kms.keyLocks.settled(rotationName)
  if (plan.kind === 'weaken') {
    if (await destroyAll(kms, caller, plan)) await end(kms, plan)
    return
  }
  let failed = await rewrapAll(kms, caller, kek)
  // A change that has read a wrapped key before it was re-wrapped still brings that.
  await kms.keyLocks.settled(rotationName)
  const left = await countUnderOlderKek(kms.db.query, kek)
  if (kms.background.signal.aborted) return
  if (left > 0) {
    failed = failed.slice(0, 100)
    await writePlan(kms, { ...plan, failed })
    throw new KmsError('REWRAP_UNFINISHED', `${left} wrapped keys could not be re-wrapped`)
  }
  try {
    await retire(kms, caller, plan)
  } catch (error) {
    if (!(error instanceof KmsError) || error.code !== 'APPROVALS_MISSING') throw error
    await writePlan(kms, { ...plan, phase: 'retire', failed: [] })
  }
}

/** The lock is held, and all is re-wrapped. */
async function retire(
  kms: Kms,
  caller: Caller,
  plan: Plan,
  approvals: Approvals = {},
): Promise<Plan> {
  if ((await countUnderOlderKek(kms.db.query, plan.to.kek)) > 0) throw unfinished()
  const call = { command: 'retireKek', arguments: {}, parts: { ...approvals } } as const
  const { parts } = await runCommand<'retireKek'>(kms, caller, call)
  if (plan.kind === 'shred' && parts.certificate)
    await keepCertificate(kms, plan, parts.certificate)
  return end(kms, plan)
}

async function end(kms: Kms, plan: Plan): Promise<Plan> {
  const done: Plan = { ...plan, phase: 'done', failed: [], ended: kms.now() }
  await writePlan(kms, done)
  const message = plan.kind === 'weaken' ? 'every key was destroyed' : 'the KEK was rotated'
  kms.log({ level: 'info', message, ...plan.to, keys: plan.total })
  return done
}

async function rotationFrom(kms: Kms, plan: Plan): Promise<Rotation> {
  const { kind, phase, to, total, started, ended, failed } = plan
  const isAtWork = phase === 'rewrap' || phase === 'destroy'
  const left = isAtWork ? await countUnderOlderKek(kms.db.query, to.kek) : 0
  return { ...to, kind, phase, total, left, started, ended, failed }
}

async function statusOfModule(
  kms: Kms,
  caller: Caller,
): Promise<Pick<ModuleStatus, 'epoch' | 'kek' | 'rewrapping'>> {
  const call = { command: 'getStatus', arguments: {}, parts: {} } as const
  return (await runCommand<'getStatus'>(kms, caller, call)).result
}

function unfinished(): KmsError {
  return new KmsError('REWRAP_UNFINISHED', 'keys are being re-wrapped; see GET /v1/domain/rotation')
}
