/**
 * The module with commands by which it ends in each way that is told apart: a system call that the wall
 * stops, made past all of Node's checks; a bug; and what V8 does for lack of memory (tests/wall fills it).
 */

import assert from 'node:assert/strict'
import { dlopen } from 'node:ffi'
import type { AnyRow } from '../../src/hsm/commands/row.ts'
import { moduleStates } from '../../src/hsm/contract/commands.ts'
import { runModule } from '../../src/hsm/run.ts'

const { functions: libc } = dlopen(null, {
  socket: { return: 'int32', arguments: ['int32', 'int32', 'int32'] },
})

function ending(name: string, run: () => never): AnyRow {
  return {
    ...{ name, states: moduleStates, rules: () => [], record: 'nothing', parts: {} },
    parse: () => undefined,
    run,
  }
}

await runModule({
  extraCommands: [
    ending('tryWall', () => {
      libc.socket(2, 1, 0)
      return assert.fail('the wall let it through')
    }),
    ending('haveBug', () => assert.fail('a message that must not be printed')),
    ending('runOutOfMemory', () => process.abort()),
  ],
})
