/**
 * The module from its start to its end: load the code, start the worker, test itself, raise the wall, and
 * only then read the door. When the door closes, the module erases what it can reach and ends with 0; at
 * a bug it says where, in one line, and ends with 1. It prints nothing else, ever.
 */

import { sourceManifestOf } from './attestation.ts'
import type { AnyRow } from './commands/row.ts'
import { commandTable } from './commands.ts'
import { HsmError } from './contract/errors.ts'
import { zeroisedExitCode } from './contract/limits.ts'
import { openDoor } from './door.ts'
import type { NoiseSource } from './entropy/noise-source.ts'
import { Module } from './module.ts'
import { eraseGenerator, listenToEntropy, noSourceLeft, startGenerator } from './random.ts'
import { systemClock } from './record.ts'
import { type SelfTestOptions, SelfTests } from './self-tests.ts'
import { TransportKey } from './transport.ts'
import { raiseWall } from './wall.ts'
import { startWorker } from './worker-pool.ts'

/** Descriptor that the process inherits. */
const doorDescriptor = 3

export interface RunOptions {
  /** Further rows for the table: an entry for tests has one; the module has none. */
  readonly extraCommands?: readonly AnyRow[]
  /** Other noise sources: an entry for tests has some that fail; the module has its own. */
  readonly noiseSources?: readonly NoiseSource[]
  /** Other self-tests or times: an entry for tests has some that fail, and soon. */
  readonly selfTests?: SelfTestOptions
}

/** Resolves when the door is open. */
export async function runModule(options: RunOptions = {}): Promise<void> {
  const { stderr } = process
  process.on('uncaughtException', (error) => endWithBug(error, stderr))
  const table = commandTable(options.extraCommands)
  await startWorker()
  const selfTests = new SelfTests(options.selfTests)
  const failure = await testAtStart(selfTests)
  const isRandom = startGenerator(options.noiseSources)
  const transport = isRandom ? TransportKey.generate() : undefined
  const { summary } = await raiseWall()
  const sourceManifest = sourceManifestOf(process.argv.slice(2))
  const module = new Module({
    clock: systemClock,
    transport,
    wall: summary,
    sourceManifest,
    selfTests,
  })
  if (failure !== '') module.fail(failure)
  selfTests.begin()
  listenToEntropy({
    sourceFailed: ({ source, failure, isPermanent }) => {
      // Before there is a domain it is none: entering one looks again.
      if (isPermanent) module.tamper.signal('entropy-failed', `${source}: ${failure}`)
    },
    exhausted: () => module.fail(noSourceLeft),
  })
  openDoor(doorDescriptor, {
    module,
    table,
    ended: (zeroised) => {
      if (!zeroised) module[Symbol.dispose]()
      eraseGenerator()
      process.exit(zeroised ? zeroisedExitCode : 0)
    },
  })
}

/** Which self-test was not met; empty when all were. */
async function testAtStart(selfTests: SelfTests): Promise<string> {
  try {
    await selfTests.runAtStart()
    return ''
  } catch (error) {
    if (error instanceof HsmError) return error.message
    throw error
  }
}

/** Where it happened, not what with: a message may hold anything. */
function endWithBug(error: unknown, stderr: NodeJS.WriteStream): void {
  const lines = error instanceof Error ? (error.stack ?? '').split('\n') : []
  const places = lines.filter((line) => line.startsWith('    at ')).map((line) => line.trim())
  const name = error instanceof Error ? error.name : typeof error
  stderr.write(`fatal: ${name} ${places.slice(0, 8).join(' ')}\n`)
  process.exit(1)
}
