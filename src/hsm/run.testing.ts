/** Stage two with one command more: a bug, for the test of what one does to the process. */

import assert from 'node:assert/strict'
import { runModule } from './run.ts'

await runModule({
  extraCommands: [
    {
      name: 'bug',
      states: ['uninitialised'],
      rules: () => [],
      record: 'nothing',
      parts: {},
      parse: () => undefined,
      run: () => assert.fail('a message that must not be printed'),
    },
  ],
})
