/** Commands that tell what the module is, in every state in which it answers at all. */

import { moduleVersion } from '../attestation.ts'
import { moduleStates } from '../contract/commands.ts'
import { HsmError } from '../contract/errors.ts'
import type { Module } from '../module.ts'
import { parseList, parseNothing, parseObject } from '../parse.ts'
import { noSourceLeft, testSources } from '../random.ts'
import { command, unrestricted } from './row.ts'

export const getStatus = command({
  name: 'getStatus',
  states: moduleStates,
  whileTurning: true,
  ...unrestricted,
  record: 'nothing',
  parts: {},
  parse: parseNothing,
  run: (module) => ({ result: statusOf(module), parts: {} }),
})

const namesMax = 256
const nameLengthMax = 128

/** Known answers of everything, or of what is named; one that is not met is the end of all other commands. */
export const selfTest = command({
  name: 'selfTest',
  states: moduleStates,
  ...unrestricted,
  record: 'nothing',
  parts: {},
  parse: parseSelfTest,
  run: async (module, { tests: names }) => {
    const met = await module.selfTests.run(names)
    // On demand, as SP 800-90B section 4.2 has it: a source that had failed may be good again.
    if (names === undefined && !testSources()) {
      module.fail(noSourceLeft)
      throw new HsmError('MODULE_FAILED', noSourceLeft)
    }
    return { result: { tests: met.length, names: met }, parts: {} }
  },
})

export const getTransportKey = command({
  name: 'getTransportKey',
  states: ['uninitialised', 'locked', 'operational', 'tampered'],
  ...unrestricted,
  record: 'nothing',
  parts: {},
  parse: parseNothing,
  run: ({ transport }) => ({ result: {}, parts: { publicKey: transport.publicKey } }),
})

function parseSelfTest(untrusted: unknown): { readonly tests?: readonly string[] } {
  const { tests } = parseObject(untrusted ?? {}, ['tests'], 'arguments')
  if (tests === undefined) return {}
  return {
    tests: parseList(tests, { name: 'tests', lengthMax: namesMax }, parseTestName),
  }
}

function parseTestName(name: unknown): string {
  if (typeof name === 'string' && name.length <= nameLengthMax) return name
  throw new HsmError('ARGUMENT_INVALID', 'there is no self-test of this name')
}

/** Figures of the process by getrusage(2): /proc is behind the wall. */
function statusOf(module: Module) {
  const { domain, floor, record } = module.opened ?? {}
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
  return {
    state: module.state,
    reason: module.reason,
    moduleId: domain?.moduleId.toString('hex') ?? '',
    domainId: domain?.domainId.toString('hex') ?? '',
    identityKey: domain?.identityPublicKey.toString('hex') ?? '',
    development: domain?.development ?? false,
    level: domain ? module.level : 0,
    epoch: domain?.epoch ?? 0,
    kek: domain?.kek.generation ?? 0,
    rewrapping: domain?.kekBefore !== undefined,
    loadedKeys: module.keys.size,
    floorEntries: floor?.size ?? 0,
    recordSize: record?.size ?? 0,
    wall: module.wall,
    selfTests: module.selfTests.status,
    // The most that it ever was, in KiB.
    residentBytes: maxRSS * 1024,
    cpuMicros: userCPUTime + systemCPUTime,
    freshness: module.freshness.state(module.opened?.ledger),
    version: moduleVersion,
    node: process.versions.node,
  }
}
