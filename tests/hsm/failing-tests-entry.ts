/**
 * The module whose self-tests can be made to fail, each by its name, and whose new pairs can be made
 * inconsistent. Its background rounds begin soon, and begin again soon.
 */

import { generateKeyPairSync } from 'node:crypto'
import type { AnyRow } from '../../src/hsm/commands/row.ts'
import { moduleStates } from '../../src/hsm/contract/commands.ts'
import { assertConsistent } from '../../src/hsm/keys/generate.ts'
import { runModule } from '../../src/hsm/run.ts'
import { allTests } from '../../src/hsm/self-tests.ts'

let broken = ''

const tests = allTests.map((test) => ({
  ...test,
  run: async () => {
    const made = Buffer.from(await test.run())
    if (test.name === broken) made.writeUInt8(made.readUInt8(0) ^ 1, 0)
    return made
  },
}))

function forTests(name: string, run: (args: unknown) => Promise<void> | void): AnyRow {
  return {
    ...{ name, states: moduleStates, rules: () => [], record: 'nothing', parts: {} },
    parse: (args) => args,
    run: async (_module, args) => {
      await run(args)
      return { result: {}, parts: {} }
    },
  }
}

await runModule({
  selfTests: { tests, times: { firstTurn: 3_000, turn: 5, period: 1_000 } },
  extraCommands: [
    forTests('breakTest', (args) => {
      broken = (args as { name: string }).name
    }),
    forTests('makeInconsistentPair', async () => {
      const [{ privateKey }, { publicKey }] = [
        generateKeyPairSync('ed448'),
        generateKeyPairSync('ed448'),
      ]
      await assertConsistent('Ed448', { privateKey, publicKey })
    }),
  ],
})
