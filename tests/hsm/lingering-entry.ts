/** The module, whose process stays when it has ended itself: for a look into its memory. */

import { runModule } from '../../src/hsm/run.ts'

process.exit = (() => setInterval(() => undefined, 60_000)) as unknown as typeof process.exit

await runModule()
