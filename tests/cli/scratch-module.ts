/**
 * The module's part of a ceremony in this very process: what the command `found` is made of, without the
 * process around it, so that a test can stop a ceremony between any two steps.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Founded, FoundingModule, SealedSecrets } from '../../src/cli/ceremony/founding.ts'
import type { CeremonyPlan } from '../../src/cli/ceremony/plan.ts'
import {
  cutSealedPart,
  destinationContext,
  passphrasesFor,
} from '../../src/hsm/contract/sealed-part.ts'
import { Domain } from '../../src/hsm/domain.ts'
import { foundDomainState, parseFounding } from '../../src/hsm/domain-state.ts'
import { shareRoot, signFounding } from '../../src/hsm/founding.ts'
import type { Secret } from '../../src/hsm/secret.ts'
import { TransportKey } from '../../src/hsm/transport.ts'

export class ScratchModule implements FoundingModule {
  readonly #transport = TransportKey.generate()
  readonly #data: string
  #domain: Domain | undefined

  constructor(data: string) {
    this.#data = data
  }

  get transportKey(): Uint8Array {
    return this.#transport.publicKey
  }

  readonly challenge = 'ab'.repeat(32)

  /** Of the last founding. */
  get root(): Secret | undefined {
    return this.#domain?.root
  }

  async found(plan: CeremonyPlan, secrets: SealedSecrets): Promise<Founded> {
    const { level, people, rules, tamper, custodians } = plan
    const domain = Domain.found({ development: false })
    this.#domain = domain
    const { purpose, ...rest } = passphrasesFor('found')
    const context = destinationContext({ purpose, ...rest }, this.challenge)
    using passphrases =
      secrets.passphrases &&
      this.#transport.open(cutSealedPart(secrets.passphrases).sealed, purpose, context)
    const shares = custodians ? await shareRoot(domain, custodians, passphrases) : undefined
    const time = Date.now()
    const founding = parseFounding({ level, people, rules, tamper })
    const keepers = shares && {
      shareSet: shares.shareSet.toString('hex'),
      threshold: custodians?.threshold ?? 0,
      names: custodians?.people.map(({ name }) => name) ?? [],
    }
    const domainState = foundDomainState(domain, founding, { custodians: keepers ?? null, time })
    const seal = plan.seal === 'none' ? undefined : plan.seal
    const made = { seal, custodians: custodians ?? undefined, shares, time }
    const said = signFounding(domain, domainState, made)
    const { statement, signature } = domainState
    return { shares: shares?.files ?? [], domainState: { statement, signature }, founding: said }
  }

  async commit(): Promise<void> {
    mkdirSync(this.#data, { recursive: true })
    const domainId = this.#domain?.domainId.toString('hex')
    writeFileSync(path.join(this.#data, 'keyhold.json'), JSON.stringify({ domainId }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#transport[Symbol.dispose]()
  }
}
