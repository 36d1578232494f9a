/**
 * Commands that move the module between its states and hand out its sealed state. Each stands alone in
 * its frame, but for `stage`: what they change decides what every other command means.
 */

import type { Commands } from '../contract/commands.ts'
import { sealKinds } from '../contract/domain-commands.ts'
import { HsmError } from '../contract/errors.ts'
import { chunkBytesMax } from '../contract/limits.ts'
import { sealSecretFor } from '../contract/sealed-part.ts'
import { offeredShareBytes } from '../contract/share.ts'
import { transportOverheadBytes } from '../contract/transport.ts'
import { watchDomainState } from '../gate.ts'
import { assertSealPermitted } from '../levels.ts'
import type { Module } from '../module.ts'
import { parseChoice, parseHex, parseInteger, parseNothing, parseObject } from '../parse.ts'
import { SealedParts } from '../sealed-parts.ts'
import { makeSeal, type OpenedSeal, openSeal, sealBytes } from '../seals.ts'
import { openState, type StagedKind } from '../unlock.ts'
import { idsOf, sealedSecret } from './found.ts'
import { command, underRule, unrestricted } from './row.ts'

const stagedKinds: readonly StagedKind[] = [
  'snapshot',
  'change',
  'head',
  'frontier',
  'group',
  'prelude',
]
const operational = ['operational'] as const
/** A module that was stopped still keeps its record and its state. */
const whileOpen = ['operational', 'tampered'] as const
/** As many pieces as the largest floor makes, and room. */
const piecesMax = 1_024

/** Kept as it is: nothing is looked into before unlocking. */
export const stage = command({
  name: 'stage',
  states: ['uninitialised', 'locked'],
  ...unrestricted,
  record: 'nothing',
  parts: { data: { bytesMax: chunkBytesMax } },
  parse: (untrusted) => {
    const { kind } = parseObject(untrusted, ['kind'], 'arguments')
    return { kind: parseChoice(kind, stagedKinds, 'kind') }
  },
  run: (module, { kind }, { data }) => ({
    result: { stagedBytes: module.staged.add(kind, data) },
    parts: {},
  }),
})

export const offerShare = command({
  name: 'offerShare',
  states: ['locked'],
  ...unrestricted,
  alone: true,
  record: 'nothing',
  parts: { share: { bytesMax: offeredShareBytes + transportOverheadBytes } },
  parse: (untrusted) => {
    const { challenge } = parseObject(untrusted, ['challenge'], 'arguments')
    return { challenge: parseHex(challenge, 32, 'challenge') }
  },
  run: (module, { challenge }, { share: sealed }) => {
    module.challenges.assertOpen(challenge, 'offerShare', module.now())
    const context = Buffer.from(challenge, 'hex')
    using share = module.transport.open(sealed, 'offered share', context)
    const { place, offered } = module.offered.add(share, module.staged.domainId)
    module.challenges.take(challenge)
    const result = {
      domainId: place.domainId.toString('hex'),
      shareSet: place.shareSet.toString('hex'),
      index: place.index,
      offered,
      threshold: place.threshold,
    }
    return { result, parts: {} }
  },
})

export const unlock = command({
  name: 'unlock',
  states: ['locked'],
  ...unrestricted,
  alone: true,
  record: 'nothing',
  parts: {
    seal: { bytesMax: sealBytes, optional: true },
    secret: { ...sealedSecret, optional: true },
  },
  parse: (untrusted) => {
    const { seal, shareSet } = parseObject(untrusted, ['seal', 'shareSet'], 'arguments')
    if (seal === 'shares') return { seal, shareSet: parseHex(shareSet, 16, 'shareSet') }
    if (shareSet !== undefined) throw new HsmError('ARGUMENT_INVALID', 'only shares have a set')
    return { seal: parseChoice(seal, sealKinds, 'seal') }
  },
  run: (module, args, parts) =>
    module.move(async () => {
      using brought = new SealedParts(module)
      const opened = await openRoot(module, brought, args, parts)
      const open = openState(opened, module.staged, module.prelude, module.clock)
      module.enter(open, args.seal)
      brought.useUp()
      const { domain, record } = open
      module.tamper.watchRecord(record.lastMicros)
      module.tamper.watchSources()
      const { development } = domain
      return { result: { ...idsOf(domain), development, recordSize: record.size }, parts: {} }
    }),
})

async function openRoot(
  module: Module,
  brought: SealedParts,
  args: Commands['unlock']['arguments'],
  { seal, secret: sealed }: Commands['unlock']['parts'],
): Promise<OpenedSeal> {
  if (args.seal === 'shares') {
    const place = module.offered.completeSet(args.shareSet)
    return { domainId: place.domainId, root: await module.offered.takeRoot(place) }
  }
  if (!seal || !sealed) {
    throw new HsmError('ARGUMENT_INVALID', 'a seal and its secret come together')
  }
  const secret = brought.open(sealed, sealSecretFor('unlock', args.seal))
  return await openSeal(args.seal, seal, secret)
}

/** Keys are gone at once, the domain when everything that was begun is answered. */
export const lock = command({
  name: 'lock',
  states: whileOpen,
  whileTurning: true,
  ...unrestricted,
  alone: true,
  record: 'nothing',
  parts: {},
  parse: parseNothing,
  run: (module) => {
    module.beginLock()
    return { result: {}, parts: {}, last: true }
  },
})

export const addSeal = command({
  name: 'addSeal',
  states: operational,
  ...underRule('unlock'),
  alone: true,
  record: 'nothing',
  parts: { secret: sealedSecret },
  parse: parseSealKind,
  run: (module, { seal: kind }, { secret: sealed }) =>
    module.move(async () => {
      const assertUnchanged = watchDomainState(module)
      assertSealPermitted(module.level, kind)
      using brought = new SealedParts(module)
      const secret = brought.open(sealed, sealSecretFor('addSeal', kind))
      const seal = await makeSeal(kind, secret, module.open.domain)
      assertUnchanged()
      const changes = [module.open.ledger.countSeal(kind)]
      brought.useUp()
      return { result: {}, parts: { seal }, changes }
    }),
})

/** That the rules permit it, and a leaf that says so: the file is the host's, and so is any copy of it. */
export const removeSeal = command({
  name: 'removeSeal',
  states: operational,
  ...underRule('unlock'),
  alone: true,
  record: 'nothing',
  parts: {},
  parse: parseSealKind,
  run: () => ({ result: {}, parts: {} }),
})

/** Alone, because changes that are sealed later belong to the new generation. */
export const takeSnapshot = command({
  name: 'takeSnapshot',
  states: whileOpen,
  ...unrestricted,
  alone: true,
  record: 'nothing',
  parts: {},
  parse: parsePiece,
  run: (module, { piece }) => {
    const { bytes, pieces, generation } = module.open.sealedState.snapshotPiece(piece)
    return { result: { generation, pieces }, parts: { snapshot: bytes } }
  },
})

/** Alone, because the chain of the groups that follow begins at the head. */
export const signHead = command({
  name: 'signHead',
  states: whileOpen,
  whileTurning: true,
  ...unrestricted,
  alone: true,
  record: 'nothing',
  parts: {},
  parse: parseNothing,
  run: (module) => {
    const note = module.open.record.signHead()
    // The second line of a checkpoint is its size; the leaf of this very command comes behind it.
    const size = Number(note.split('\n')[1])
    return { result: { size }, parts: { note: Buffer.from(note) } }
  },
})

export function parsePiece(untrusted: unknown): { piece: number } {
  const { piece } = parseObject(untrusted, ['piece'], 'arguments')
  return { piece: parseInteger(piece, { name: 'piece', min: 0, max: piecesMax }) }
}

function parseSealKind(untrusted: unknown) {
  const { seal } = parseObject(untrusted, ['seal'], 'arguments')
  return { seal: parseChoice(seal, sealKinds, 'seal') }
}
