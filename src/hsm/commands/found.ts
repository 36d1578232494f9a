/** The founding of a domain: what is asked, what is made, and what is answered (`../founding.ts`). */

import type { Commands } from '../contract/commands.ts'
import { type SealKind, sealKinds } from '../contract/domain-commands.ts'
import type { Custodians } from '../contract/domain-state.ts'
import { HsmError } from '../contract/errors.ts'
import { sealSecretBytesMax } from '../contract/limits.ts'
import { passphrasesFor, sealedPartOverheadBytes, sealSecretFor } from '../contract/sealed-part.ts'
import { encodeList, sharesMax } from '../contract/share.ts'
import { Domain } from '../domain.ts'
import {
  type Founding,
  foundDomainState,
  foundingWithoutPeople,
  parseFounding,
} from '../domain-state.ts'
import { type CustodiansAsked, parseCustodians, shareRoot, signFounding } from '../founding.ts'
import { assertSealPermitted, assertStanding } from '../levels.ts'
import type { Module } from '../module.ts'
import { parseBoolean, parseChoice, parseObject } from '../parse.ts'
import { SealedParts } from '../sealed-parts.ts'
import { makeSeal } from '../seals.ts'
import type { ShareSet } from '../shares.ts'
import { foundState } from '../unlock.ts'
import { command, unrestricted } from './row.ts'

export const sealedSecret = { bytesMax: sealSecretBytesMax + sealedPartOverheadBytes }
/** Each passphrase behind its length. */
export const passphrasesBytesMax = sharesMax * (2 + sealSecretBytesMax) + sealedPartOverheadBytes

interface FoundArguments {
  readonly development: boolean
  readonly seal?: SealKind
  readonly founding?: Founding
  readonly custodians?: CustodiansAsked
}

export const found = command({
  name: 'found',
  states: ['uninitialised'],
  ...unrestricted,
  alone: true,
  record: 'nothing',
  parts: {
    secret: { ...sealedSecret, optional: true },
    passphrases: { bytesMax: passphrasesBytesMax, optional: true },
  },
  parse: (untrusted) => {
    const members = ['development', 'seal', 'founding', 'custodians']
    const { development, seal, founding, custodians } = parseObject(untrusted, members, 'arguments')
    if (seal === undefined && custodians === undefined) {
      throw new HsmError('ARGUMENT_INVALID', 'a domain has a seal, custodians, or both')
    }
    return {
      development: parseBoolean(development, 'development'),
      ...(seal === undefined ? {} : { seal: parseChoice(seal, sealKinds, 'seal') }),
      ...(founding === undefined ? {} : { founding: parseFounding(founding) }),
      ...(custodians === undefined ? {} : { custodians: parseCustodians(custodians) }),
    }
  },
  run: (module, args, parts) => module.move(() => foundDomain(module, args, parts)),
})

async function foundDomain(
  module: Module,
  { development, seal: kind, founding = foundingWithoutPeople, custodians }: FoundArguments,
  parts: Commands['found']['parts'],
) {
  // Before there is anything; the module asks again when it enters the domain.
  if (kind) assertSealPermitted(founding.level, kind)
  assertStanding(founding.level, module)
  using brought = new SealedParts(module)
  const { secret, passphrases } = openBrought(brought, 'found', kind, parts)
  const domain = Domain.found({ development })
  using unfinished = new DisposableStack()
  unfinished.use(domain)
  const seal = kind && secret ? await makeSeal(kind, secret, domain) : undefined
  const shares = custodians && (await shareRoot(domain, custodians, passphrases))
  const time = module.now()
  const keepers = keepersOf(custodians, shares)
  const domainState = foundDomainState(domain, founding, { custodians: keepers, time })
  const said = signFounding(domain, domainState, { seal: kind, custodians, shares, time })
  const opened = foundState(
    { domain, domainState, seals: kind === undefined ? {} : { [kind]: 1 } },
    module.staged,
    module.prelude,
    module.clock,
  )
  unfinished.move()
  module.enter(opened, kind ?? 'shares')
  brought.useUp()
  module.tamper.watchSources()
  // Whoever keeps it has nothing yet to which a change would belong: it has what that came to.
  module.changesWaiting.length = 0
  const { bytes: snapshot } = opened.sealedState.snapshotPiece(0)
  const { statement, signature } = domainState
  const answer = {
    snapshot,
    state: Buffer.from(JSON.stringify({ statement, signature })),
    founding: Buffer.from(JSON.stringify(said)),
    ...(seal ? { seal } : {}),
    ...(shares ? { shares: encodeList(shares.files) } : {}),
  }
  return { result: idsOf(domain), parts: answer }
}

/** What makes a seal and shares. @throws HsmError ARGUMENT_INVALID, CIPHERTEXT_INVALID, CHALLENGE_INVALID */
export function openBrought(
  brought: SealedParts,
  command: 'found' | 'beginEpoch',
  kind: SealKind | undefined,
  parts: { readonly secret?: Uint8Array; readonly passphrases?: Uint8Array },
) {
  if ((kind === undefined) !== (parts.secret === undefined)) {
    throw new HsmError('ARGUMENT_INVALID', 'a seal and its secret come together')
  }
  const secret = kind && parts.secret && brought.open(parts.secret, sealSecretFor(command, kind))
  const passphrases = parts.passphrases && brought.open(parts.passphrases, passphrasesFor(command))
  return { secret, passphrases }
}

/** As the domain state names them. */
export function keepersOf(
  custodians: CustodiansAsked | undefined,
  shares: ShareSet | undefined,
): Custodians | null {
  if (!custodians || !shares) return null
  const names = custodians.people.map(({ name }) => name)
  return { shareSet: shares.shareSet.toString('hex'), threshold: custodians.threshold, names }
}

export function idsOf({ domainId, moduleId, identityPublicKey }: Domain) {
  return {
    domainId: domainId.toString('hex'),
    moduleId: moduleId.toString('hex'),
    identityKey: identityPublicKey.toString('hex'),
  }
}
