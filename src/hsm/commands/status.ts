/** Commands that tell what the module is, in every state in which it answers at all. */

import { moduleVersion } from '../attestation.ts'
import { moduleStates } from '../contract/commands.ts'
import { HsmError } from '../contract/errors.ts'
import type { Module } from '../module.ts'
import { parseNothing } from '../parse.ts'
import { runSelfTests } from '../self-tests.ts'
import { command, unrestricted } from './row.ts'

export const getStatus = command({
  name: 'getStatus',
  states: moduleStates,
  ...unrestricted,
  record: 'nothing',
  parts: {},
  parse: parseNothing,
  run: (module) => ({ result: statusOf(module), parts: {} }),
})

/** Known answers of everything; one that is not met is the end of all other commands. */
export const selfTest = command({
  name: 'selfTest',
  states: moduleStates,
  ...unrestricted,
  record: 'nothing',
  parts: {},
  parse: parseNothing,
  run: async (module) => {
    try {
      const tests = await runSelfTests()
      module.selfTestsPassed += tests
      return { result: { tests }, parts: {} }
    } catch (error) {
      if (error instanceof HsmError && error.code === 'MODULE_FAILED') module.fail(error.message)
      throw error
    }
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
    loadedKeys: module.keys.size,
    floorEntries: floor?.size ?? 0,
    recordSize: record?.size ?? 0,
    wall: module.wall,
    // The most that it ever was, in KiB.
    residentBytes: maxRSS * 1024,
    cpuMicros: userCPUTime + systemCPUTime,
    freshness: 'none' as const,
    version: moduleVersion,
    node: process.versions.node,
  }
}
