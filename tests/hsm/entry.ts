/** The module with one command more, by which a self-test is not met whenever the test says so. */

import { moduleStates } from '../../src/hsm/contract/commands.ts'
import { runModule } from '../../src/hsm/run.ts'

await runModule({
  extraCommands: [
    {
      name: 'fail',
      states: moduleStates,
      rules: () => [],
      record: 'nothing',
      parts: {},
      parse: () => undefined,
      run: (module) => {
        module.fail('by hand')
        return { result: {}, parts: {} }
      },
    },
  ],
})
