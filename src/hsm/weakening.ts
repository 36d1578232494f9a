/**
 * A policy of the domain that becomes weaker destroys what it protected (design section 4, after
 * FIPS 140-3's zeroisation before a change of what protects): every key that was wrapped by then. A new
 * KEK takes the place of the one in force, which is overwritten without anything being re-wrapped; so no
 * wrapped copy opens, here or after a restart. Loaded keys are erased, and what was begun with one comes
 * to nothing.
 *
 * The domain root key stays. Whoever has it, from a seal or from enough shares, and an older sealed state
 * opens copies of then: a module that does has the older policy in force with them. Shredding the epoch
 * ends that for who has not kept an older seal or share; the certificate names what there is.
 */

import { collectGarbage } from './collect.ts'
import {
  certificateFile,
  type WeakeningCertificate,
  weakeningFormat,
} from './contract/certificate.ts'
import type { Weakening } from './contract/domain-state.ts'
import { HsmError } from './contract/errors.ts'
import { type DomainChange, nextDomainState } from './domain-state.ts'
import { sealsCounter } from './ledger.ts'
import type { Module } from './module.ts'
import { assertNoneBefore } from './next-epoch.ts'

/**
 * That whoever asks knows what is destroyed, and destroys nothing by saying so in vain.
 * @throws HsmError RULES_NOT_MET, ARGUMENT_INVALID
 */
export function assertSaid(weakened: readonly string[], destroysKeys: boolean): void {
  const isWeaker = weakened.length > 0
  if (isWeaker === destroysKeys) return
  if (!isWeaker) throw new HsmError('ARGUMENT_INVALID', 'no policy becomes weaker: no key is lost')
  const message = 'with "destroysKeys": true this destroys every key of the domain; weaker would be'
  throw new HsmError('RULES_NOT_MET', `${message} ${weakened.join(', ')}`)
}

/**
 * In force when it returns, and part of the next answer, whichever that is: so that no key under the new
 * KEK is answered before the KEK is kept. Only inside of moveNow.
 * @returns erased: resolves when no key from before is in memory
 * @throws HsmError REWRAP_UNFINISHED, and what nextDomainState does; nothing has changed then
 */
export function weaken(
  module: Module,
  change: DomainChange,
  policies: readonly string[],
): { readonly erased: Promise<void>; readonly destroyed: Pick<Weakening, 'epoch' | 'kek'> } {
  const { domain, ledger } = module.open
  assertNoneBefore(domain)
  const { epoch, generation: kek } = domain.kek
  const { version, time: before } = ledger.domainState
  const time = Math.max(module.now(), before)
  const weakening: Weakening = { version: version + 1, time, policies, epoch, kek }
  const next = nextDomainState(domain, ledger.signedDomainState, {
    ...{ change: { ...change, weakening }, time },
  })
  using withBoth = domain.withNextKek()
  // Where the power goes between the two, keys are gone with the policy as it was, never the other way.
  module.changesWaiting.push(module.renewKeks(withBoth.withoutKekBefore()))
  module.changesWaiting.push(ledger.putDomainState(next))
  module.keys[Symbol.dispose]()
  module.useCounts.forgetAll()
  const erased = module.usesBegun.refuse().then(collectGarbage)
  return { erased, destroyed: { epoch, kek } }
}

/** Of the last weakening in this epoch, as a part of an answer. */
export function weakeningCertificate({ open: { domain, ledger } }: Module): {
  readonly certificate?: Buffer
} {
  const { weakening, custodians, epoch } = ledger.domainState
  if (weakening?.epoch !== epoch) return {}
  const certificate: WeakeningCertificate = {
    format: weakeningFormat,
    domain: domain.domainId.toString('hex'),
    module: domain.moduleId.toString('hex'),
    development: domain.development,
    weakening,
    notProvedDestroyed: {
      wrappedCopies: 'until the epoch is shredded',
      shares: custodians,
      seals: ledger.counter(sealsCounter) ?? {},
      outside: ['unknown'],
    },
  }
  return { certificate: certificateFile(certificate, (bytes) => domain.signStatement(bytes)) }
}
