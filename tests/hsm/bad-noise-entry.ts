/** The module with noise sources that are all stuck. */

import { source } from '../../src/hsm/entropy/sources.testing.ts'
import { runModule } from '../../src/hsm/run.ts'

await runModule({
  noiseSources: ['one', 'two'].map((name) => source({ name, goodSamples: 1_000, fault: () => 5 })),
})
