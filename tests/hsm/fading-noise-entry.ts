/** The module with two noise sources, one of which gets stuck some blocks after its start-up test. */

import { source } from '../../src/hsm/entropy/sources.testing.ts'
import { runModule } from '../../src/hsm/run.ts'

await runModule({
  noiseSources: [
    source({ name: 'steady' }),
    source({ name: 'fading', goodSamples: 2_048 + 12 * 512, fault: () => 5 }),
  ],
})
