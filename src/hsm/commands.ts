/**
 * Every command that the module answers: this table is the whole surface of the HSM. A command that is
 * not here does not exist. A row says in which states it may run, which parts it takes and how long they
 * may be, how its untrusted arguments become typed ones, under which rules of the domain it falls, and
 * what it does. Any command may bring approvals. dispatch() is the only caller.
 */

import { approvalsPart } from './approvals.ts'
import * as attest from './commands/attest.ts'
import * as domain from './commands/domain.ts'
import * as entropy from './commands/entropy.ts'
import * as epochs from './commands/epochs.ts'
import * as founding from './commands/found.ts'
import * as keys from './commands/keys.ts'
import * as life from './commands/life.ts'
import * as login from './commands/login.ts'
import type { AnyRow, Done, Parts, Row } from './commands/row.ts'
import * as secrets from './commands/secrets.ts'
import * as status from './commands/status.ts'
import * as tamper from './commands/tamper.ts'
import * as transportOfKeys from './commands/transport-of-keys.ts'
import * as use from './commands/use.ts'
import type { CommandName, ModuleState } from './contract/commands.ts'
import { HsmError, type HsmErrorCode } from './contract/errors.ts'
import { runThroughGate } from './gate.ts'
import type { Module } from './module.ts'
import type { Maybe } from './primitives/implementation.ts'
import { Untested } from './self-tests.ts'

export const commands: { readonly [N in CommandName]: Row<N> } = {
  getStatus: status.getStatus,
  selfTest: status.selfTest,
  getEntropyStatus: entropy.getEntropyStatus,
  addEntropy: entropy.addEntropy,
  sampleNoise: entropy.sampleNoise,
  getTransportKey: status.getTransportKey,
  found: founding.found,
  stage: life.stage,
  offerShare: life.offerShare,
  unlock: life.unlock,
  lock: life.lock,
  addSeal: life.addSeal,
  removeSeal: life.removeSeal,
  getChallenge: domain.getChallenge,
  getDomainState: domain.getDomainState,
  changeDomain: domain.changeDomain,
  setPin: login.setPin,
  login: login.login,
  resetLogin: login.resetLogin,
  reportTamper: tamper.reportTamper,
  confirmCounter: tamper.confirmCounter,
  signStart: tamper.signStart,
  confirmWitness: tamper.confirmWitness,
  acknowledgeTamper: tamper.acknowledgeTamper,
  zeroise: tamper.zeroise,
  takeSnapshot: life.takeSnapshot,
  signHead: life.signHead,
  attest: attest.attest,
  attestKey: attest.attestKey,
  getDomainStatement: attest.getDomainStatement,
  beginEpoch: epochs.beginEpoch,
  takeEpochSnapshot: epochs.takeEpochSnapshot,
  commitEpoch: epochs.commitEpoch,
  abortEpoch: epochs.abortEpoch,
  rotateKek: epochs.rotateKek,
  rewrapKey: epochs.rewrapKey,
  retireKek: epochs.retireKek,
  generateKey: keys.generateKey,
  importKey: keys.importKey,
  loadKey: keys.loadKey,
  unloadKey: keys.unloadKey,
  changeKey: keys.changeKey,
  raiseFloor: keys.raiseFloor,
  destroyKey: keys.destroyKey,
  sign: use.sign,
  signRequest: use.signRequest,
  verify: use.verify,
  encrypt: use.encrypt,
  decrypt: use.decrypt,
  mac: use.mac,
  verifyMac: use.verifyMac,
  wrapKey: transportOfKeys.wrapKey,
  unwrapKey: transportOfKeys.unwrapKey,
  deriveKey: secrets.deriveKey,
  agree: secrets.agree,
  encapsulate: secrets.encapsulate,
  decapsulate: secrets.decapsulate,
  random: secrets.random,
}

/** A Map, so that a name such as "constructor" cannot find something inherited. */
export type CommandTable = ReadonlyMap<string, AnyRow>

/** @param extra rows that only an entry for tests has */
export function commandTable(extra: readonly AnyRow[] = []): CommandTable {
  const rows: readonly AnyRow[] = [...Object.values(commands), ...extra]
  return new Map(rows.map((row) => [row.name, row]))
}

/** One command as it arrived. */
export interface Asked {
  readonly row: AnyRow | undefined
  readonly arguments: unknown
  readonly parts: Parts
  /** Whether it is the only command of its frame. */
  readonly isAlone: boolean
}

/**
 * A use whose algorithm was not tested yet does nothing, and is begun again once that is done.
 * @throws HsmError; rejects with one where the work goes on elsewhere. Anything else is a bug
 */
export function dispatch(module: Module, asked: Asked): Maybe<Done> {
  const testedFirst = (error: unknown) => {
    if (!(error instanceof Untested)) throw error
    return module.selfTests.testRow(error.algorithm).then(() => dispatch(module, asked))
  }
  try {
    const done = begin(module, asked)
    return done instanceof Promise ? done.catch(testedFirst) : done
  } catch (error) {
    return testedFirst(error)
  }
}

function begin(module: Module, asked: Asked): Maybe<Done> {
  const { row, parts } = asked
  module.assertRecordable()
  if (!row) throw new HsmError('COMMAND_UNKNOWN', 'there is no such command')
  assertState(module, row)
  if (row.alone && !asked.isAlone) {
    throw new HsmError('FRAME_INVALID', `${row.name} stands alone in its frame`)
  }
  assertParts(row, parts)
  const parsed = row.parse(asked.arguments)
  const done = runThroughGate(module, { row, parsed, arguments: asked.arguments, parts })
  return row.uses && done instanceof Promise ? module.usesBegun.add(done) : done
}

const codeOfState: Readonly<Partial<Record<ModuleState, HsmErrorCode>>> = {
  failed: 'MODULE_FAILED',
  tampered: 'MODULE_TAMPERED',
}

function assertState(module: Module, { name, states, whileTurning }: AnyRow): void {
  const { state } = module
  if (module.next && !whileTurning) throw new HsmError('MODULE_BUSY', 'an epoch is being turned')
  if (states.includes(state) && !module.isLocking && !module.tamper.isZeroised) return
  const code = codeOfState[state] ?? 'MODULE_STATE_INVALID'
  throw new HsmError(code, `${name} is not available while the module is ${state}`)
}

/** Every part is known and not too long, and none is missing. */
function assertParts(row: AnyRow, parts: Parts): void {
  for (const name in parts) {
    if (name === approvalsPart) continue
    if (!Object.hasOwn(row.parts, name)) {
      throw new HsmError('ARGUMENT_INVALID', `${row.name} takes no such part`)
    }
  }
  for (const name in row.parts) {
    const rule = row.parts[name]
    const part = parts[name]
    if (rule === undefined || (part === undefined && 'optional' in rule)) continue
    if (part === undefined) throw new HsmError('ARGUMENT_INVALID', `the part ${name} is missing`)
    if (part.length > rule.bytesMax) {
      throw new HsmError('ARGUMENT_INVALID', `the part ${name} has at most ${rule.bytesMax} bytes`)
    }
  }
}
