/** The module with two noise sources, one of which is dead from the start. */

import { source } from '../../src/hsm/entropy/sources.testing.ts'
import { runModule } from '../../src/hsm/run.ts'

await runModule({
  noiseSources: [
    source({ name: 'steady' }),
    source({ name: 'dead', goodSamples: 0, fault: () => 'dead' }),
  ],
})
