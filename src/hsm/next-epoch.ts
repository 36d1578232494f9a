/**
 * The next epoch of a domain (`rotate and shred`, design section 3), made ready beside the one in force:
 * new root, KEK and backup key, the next version of the domain state, and a sealed state of its own under
 * the new root. Nothing of it is in force until whoever keeps the state has all of it; then it takes the
 * place of the other in one step, and the root before is overwritten. The KEK before goes along, sealed
 * under the new root, until every key is re-wrapped: `retireKek` ends the shredding and certifies it.
 *
 * Members that are not this module cannot be reached from here, and are members no longer.
 */

import { certificateFile, type ShredCertificate, shredFormat } from './contract/certificate.ts'
import type { Custodians } from './contract/domain-state.ts'
import { HsmError } from './contract/errors.ts'
import type { Domain } from './domain.ts'
import { nextDomainState } from './domain-state.ts'
import { type Counter, type Ledger, sealsCounter, shreddedCounter } from './ledger.ts'
import type { Module } from './module.ts'
import { SealedState } from './sealed-state.ts'
import type { OpenModule } from './unlock.ts'

/** What is decided for it. */
export interface Renewal {
  /** The domain in the next epoch. */
  readonly domain: Domain
  /** Of the new root, where it was split; the shares before do not open it. */
  readonly custodians: Custodians | null
  /** Seals of the new root that were made. */
  readonly seals: Counter
  readonly now: number
}

/** Two KEKs at a time: what was wrapped under a third would be lost. @throws HsmError REWRAP_UNFINISHED */
export function assertNoneBefore({ kekBefore }: Domain): void {
  if (!kekBefore) return
  throw new HsmError('REWRAP_UNFINISHED', 'the KEK before is still there: re-wrap, and retire it')
}

/** Takes ownership of the domain only when it succeeds. @throws HsmError RULES_NOT_MET, LEVEL_NOT_PERMITTED */
export function prepareEpoch(open: OpenModule, renewal: Renewal): OpenModule {
  const { domain, custodians, seals, now } = renewal
  const { ledger, floor, record, sealedState } = open
  const before = ledger.domainState
  const self = domain.moduleId.toString('hex')
  const members = before.members.filter(({ module }) => module === self)
  const next = nextDomainState(domain, ledger.signedDomainState, {
    change: { epoch: domain.epoch, custodians, members },
    time: now,
  })
  const nextLedger = ledger.forNextEpoch(next, seals, {
    epochBefore: before.epoch,
    custodians: before.custodians,
    seals: ledger.counter(sealsCounter) ?? {},
    expelled: before.members.map(({ module }) => module).filter((module) => module !== self),
    begun: now,
  })
  const nextFloor = floor.forNextEpoch()
  const parts = { domain, floor: nextFloor, ledger: nextLedger }
  const state = new SealedState(parts, record, sealedState.position)
  return { ...parts, record, sealedState: state }
}

/**
 * That the epoch before is shredded: what it left is not opened by anything that this module holds.
 * @returns the change that remembers when, unless it was so before
 */
export function endShredding(ledger: Ledger, ended: { now: number; floorEntries: number }) {
  if (!ledger.shred || ledger.counter(shreddedCounter)) return []
  const { now: time, floorEntries } = ended
  return [ledger.putCounter(shreddedCounter, { time, floorEntries })]
}

/** The certificate of the last shredding that has ended; undefined when there was none. */
export function shredCertificate({ open: { domain, ledger } }: Module): Buffer | undefined {
  const { shred, domainState } = ledger
  const ended = ledger.counter(shreddedCounter)
  if (!shred || !ended) return undefined
  const certificate: ShredCertificate = {
    format: shredFormat,
    domain: domain.domainId.toString('hex'),
    module: domain.moduleId.toString('hex'),
    development: domain.development,
    epochBefore: shred.epochBefore,
    epoch: domain.epoch,
    kek: domain.kek.generation,
    begun: shred.begun,
    ended: ended.time ?? 0,
    domainState: domainState.version,
    floorEntriesDropped: ended.floorEntries ?? 0,
    expelled: shred.expelled,
    notProvedDestroyed: {
      shares: shred.custodians,
      seals: shred.seals,
    },
  }
  return certificateFile(certificate, (statement) => domain.signStatement(statement))
}
