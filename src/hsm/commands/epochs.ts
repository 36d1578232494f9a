/**
 * Commands that renew the keys of the domain. A new key-encryption key wraps from the moment on at which
 * it is asked for; the one before stays, and opens, until whoever keeps the wrapped keys has had all of
 * them re-wrapped and says so. The module does not know which wrapped keys there are.
 *
 * A new epoch (`rotate and shred`) is made ready, kept by the host as a whole, and taken up in one step.
 */

import type { Commands } from '../contract/commands.ts'
import { type SealKind, sealKinds } from '../contract/domain-commands.ts'
import type { RuleName } from '../contract/domain-state.ts'
import { HsmError } from '../contract/errors.ts'
import { encodeList } from '../contract/share.ts'
import type { Domain } from '../domain.ts'
import { type CustodiansAsked, parseCustodians, shareRoot } from '../founding.ts'
import { watchDomainState } from '../gate.ts'
import { wrappedKeyBytesMax } from '../keys/wrapped.ts'
import { assertSealPermitted } from '../levels.ts'
import type { Module } from '../module.ts'
import { assertNoneBefore, endShredding, prepareEpoch, shredCertificate } from '../next-epoch.ts'
import { parseChoice, parseKeyReference, parseNothing, parseObject } from '../parse.ts'
import { SealedParts } from '../sealed-parts.ts'
import { makeSeal } from '../seals.ts'
import type { OpenModule } from '../unlock.ts'
import { keepersOf, openBrought, passphrasesBytesMax, sealedSecret } from './found.ts'
import { parsePiece } from './life.ts'
import { command, underRule, unrestricted } from './row.ts'

const operational = ['operational'] as const
/** How to open the challenges again with which an epoch was begun. */
const givingBack = new WeakMap<OpenModule, () => void>()

export const rotateKek = command({
  name: 'rotateKek',
  states: operational,
  ...underRule('epoch'),
  alone: true,
  record: 'nothing',
  parts: {},
  parse: parseNothing,
  run: (module) =>
    module.moveNow(() => {
      const { domain } = module.open
      assertNoneBefore(domain)
      const next = domain.withNextKek()
      const changes = [module.renewKeks(next)]
      return { result: kekOf(next), parts: {}, changes }
    }),
})

/** The key is not loaded: re-wrapping all keys of a domain leaves those in use where they are. */
export const rewrapKey = command({
  name: 'rewrapKey',
  states: operational,
  ...unrestricted,
  record: 'key',
  parts: { wrapped: { bytesMax: wrappedKeyBytesMax } },
  parse: (untrusted) => parseKeyReference(parseObject(untrusted, ['key', 'version'], 'arguments')),
  run: (module, args, parts) => {
    const { attributes, wrapped } = module.rewrap(args, parts.wrapped)
    return { result: { revision: attributes.revision }, parts: { wrapped } }
  },
})

export const retireKek = command({
  name: 'retireKek',
  states: operational,
  ...underRule('epoch'),
  alone: true,
  record: 'nothing',
  parts: {},
  parse: parseNothing,
  run: (module) =>
    module.moveNow(() => {
      const { domain, ledger, floor } = module.open
      const ended = { now: module.now(), floorEntries: floor.sizeBefore }
      const changes = domain.kekBefore ? [module.renewKeks(domain.withoutKekBefore())] : []
      changes.push(...endShredding(ledger, ended))
      const certificate = shredCertificate(module)
      const parts = certificate ? { certificate } : {}
      return { result: kekOf(module.open.domain), parts, changes }
    }),
})

interface BeginArguments {
  readonly seal?: SealKind
  readonly custodians?: CustodiansAsked
}

/** Slow with a passphrase; what is being made is not in force, so everything else goes on meanwhile. */
export const beginEpoch = command({
  name: 'beginEpoch',
  states: operational,
  // Who holds the new root is decided as at the founding: custodians may be the same by name and have other
  // keys, and without any nobody's shares open the domain.
  rules: ({ custodians }, { open: { ledger } }): readonly RuleName[] =>
    custodians || ledger.domainState.custodians ? ['epoch', 'founding'] : ['epoch'],
  changesState: true,
  alone: true,
  record: 'nothing',
  parts: {
    secret: { ...sealedSecret, optional: true },
    passphrases: { bytesMax: passphrasesBytesMax, optional: true },
  },
  parse: (untrusted): BeginArguments => {
    const { seal, custodians } = parseObject(untrusted, ['seal', 'custodians'], 'arguments')
    if (seal === undefined && custodians === undefined) {
      throw new HsmError('ARGUMENT_INVALID', 'a domain has a seal, custodians, or both')
    }
    return {
      ...(seal === undefined ? {} : { seal: parseChoice(seal, sealKinds, 'seal') }),
      ...(custodians === undefined ? {} : { custodians: parseCustodians(custodians) }),
    }
  },
  run: (module, args, parts) => module.move(() => begin(module, args, parts)),
})

async function begin(
  module: Module,
  { seal: kind, custodians }: BeginArguments,
  parts: Commands['beginEpoch']['parts'],
) {
  assertNoneBefore(module.open.domain)
  const assertUnchanged = watchDomainState(module)
  if (kind) assertSealPermitted(module.level, kind)
  using brought = new SealedParts(module)
  const { secret, passphrases } = openBrought(brought, 'beginEpoch', kind, parts)
  using owned = new DisposableStack()
  const domain = owned.use(module.open.domain.inNextEpoch())
  const seal = kind && secret ? await makeSeal(kind, secret, domain) : undefined
  const shares = custodians && (await shareRoot(domain, custodians, passphrases))
  assertUnchanged()
  const next = prepareEpoch(module.open, {
    domain,
    custodians: keepersOf(custodians, shares),
    seals: kind === undefined ? {} : { [kind]: 1 },
    now: module.now(),
  })
  owned.move()
  module.prepareNext(next)
  givingBack.set(next, brought.useUp())
  const { version } = next.ledger.domainState
  const answer = {
    ...(seal ? { seal } : {}),
    ...(shares ? { shares: encodeList(shares.files) } : {}),
  }
  return { result: { epoch: domain.epoch, version }, parts: answer }
}

export const takeEpochSnapshot = command({
  name: 'takeEpochSnapshot',
  states: operational,
  ...unrestricted,
  whileTurning: true,
  alone: true,
  record: 'nothing',
  parts: {},
  parse: parsePiece,
  run: (module, { piece }) => {
    const { bytes, pieces, generation } = nextOf(module).sealedState.snapshotPiece(piece)
    return { result: { generation, pieces }, parts: { snapshot: bytes } }
  },
})

export const commitEpoch = command({
  name: 'commitEpoch',
  states: operational,
  ...unrestricted,
  whileTurning: true,
  alone: true,
  record: 'nothing',
  parts: {},
  parse: parseNothing,
  run: (module) => {
    nextOf(module)
    return { result: kekOf(module.takeUpNext().domain), parts: {} }
  },
})

export const abortEpoch = command({
  name: 'abortEpoch',
  // A signal may have stopped it meanwhile.
  states: ['operational', 'tampered'],
  ...unrestricted,
  whileTurning: true,
  alone: true,
  record: 'nothing',
  parts: {},
  parse: parseNothing,
  run: (module) => {
    // So that a turn which failed outside can be repeated.
    if (module.next) givingBack.get(module.next)?.()
    module.letGoOfNext()
    return { result: {}, parts: {} }
  },
})

/** @throws HsmError MODULE_STATE_INVALID */
function nextOf({ next }: Module): OpenModule {
  if (next) return next
  throw new HsmError('MODULE_STATE_INVALID', 'no epoch was begun')
}

function kekOf({ epoch, kek }: Domain) {
  return { epoch, kek: kek.generation }
}
