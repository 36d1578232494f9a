/**
 * Commands that move the module between its states and hand out its sealed state. Each stands alone in
 * its frame, but for `stage`: what they change decides what every other command means.
 */

import type { SealKind } from '../contract/commands.ts'
import { chunkBytesMax, sealSecretBytesMax } from '../contract/limits.ts'
import { transportOverheadBytes } from '../contract/transport.ts'
import { Domain } from '../domain.ts'
import { foundDomainState, foundingWithoutPeople } from '../domain-state.ts'
import { parseBoolean, parseChoice, parseInteger, parseNothing, parseObject } from '../parse.ts'
import { makeSeal, openSeal, sealBytes } from '../seals.ts'
import { foundState, openState, type StagedKind } from '../unlock.ts'
import { command, underRule, unrestricted } from './row.ts'

const sealKinds: readonly SealKind[] = ['passphrase', 'key-file']
const stagedKinds: readonly StagedKind[] = [
  'snapshot',
  'change',
  'head',
  'frontier',
  'group',
  'prelude',
]
const sealedSecret = { bytesMax: sealSecretBytesMax + transportOverheadBytes }
const operational = ['operational'] as const
/** A module that was stopped still keeps its record and its state. */
const whileOpen = ['operational', 'tampered'] as const
/** As many pieces as the largest floor makes, and room. */
const piecesMax = 1_024

export const found = command({
  name: 'found',
  states: ['uninitialised'],
  ...unrestricted,
  alone: true,
  record: 'nothing',
  parts: { secret: sealedSecret },
  parse: (untrusted) => {
    const { development, seal } = parseObject(untrusted, ['development', 'seal'], 'arguments')
    return {
      development: parseBoolean(development, 'development'),
      seal: parseChoice(seal, sealKinds, 'seal'),
    }
  },
  run: (module, args, parts) =>
    module.move(async () => {
      using secret = module.transport.open(parts.secret, 'seal secret')
      using owned = new DisposableStack()
      const domain = owned.use(Domain.found({ development: args.development }))
      const seal = await makeSeal(args.seal, secret, domain)
      const circumstances = { custodians: null, time: module.now() }
      const domainState = foundDomainState(domain, foundingWithoutPeople, circumstances)
      const { snapshot, ...open } = foundState(
        { domain, domainState },
        module.staged,
        module.prelude,
        module.clock,
      )
      owned.move()
      module.enter(open)
      return { result: idsOf(domain), parts: { seal, snapshot } }
    }),
})

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

export const unlock = command({
  name: 'unlock',
  states: ['locked'],
  ...unrestricted,
  alone: true,
  record: 'nothing',
  parts: { seal: { bytesMax: sealBytes }, secret: sealedSecret },
  parse: parseSealKind,
  run: (module, { seal: kind }, { seal, secret: sealed }) =>
    module.move(async () => {
      using secret = module.transport.open(sealed, 'seal secret')
      const opened = await openSeal(kind, seal, secret)
      const open = openState(opened, module.staged, module.prelude, module.clock)
      module.enter(open)
      const { domain, record } = open
      const { development } = domain
      return { result: { ...idsOf(domain), development, recordSize: record.size }, parts: {} }
    }),
})

/** Keys are gone at once, the domain when everything that was begun is answered. */
export const lock = command({
  name: 'lock',
  states: whileOpen,
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
      using secret = module.transport.open(sealed, 'seal secret')
      return { result: {}, parts: { seal: await makeSeal(kind, secret, module.open.domain) } }
    }),
})

/** Alone, because changes that are sealed later belong to the new generation. */
export const takeSnapshot = command({
  name: 'takeSnapshot',
  states: whileOpen,
  ...unrestricted,
  alone: true,
  record: 'nothing',
  parts: {},
  parse: (untrusted) => {
    const { piece } = parseObject(untrusted, ['piece'], 'arguments')
    return { piece: parseInteger(piece, { name: 'piece', min: 0, max: piecesMax }) }
  },
  run: (module, { piece }) => {
    const { bytes, pieces, generation } = module.open.sealedState.snapshotPiece(piece)
    return { result: { generation, pieces }, parts: { snapshot: bytes } }
  },
})

/** Alone, because the chain of the groups that follow begins at the head. */
export const signHead = command({
  name: 'signHead',
  states: whileOpen,
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

function parseSealKind(untrusted: unknown): { seal: SealKind } {
  const { seal } = parseObject(untrusted, ['seal'], 'arguments')
  return { seal: parseChoice(seal, sealKinds, 'seal') }
}

function idsOf({ domainId, moduleId, identityPublicKey }: Domain) {
  return {
    domainId: domainId.toString('hex'),
    moduleId: moduleId.toString('hex'),
    identityKey: identityPublicKey.toString('hex'),
  }
}
