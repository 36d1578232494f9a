/** Stage two of the module's start (start.ts is stage one): the module itself, with its own commands. */

import { runModule } from './run.ts'

await runModule()
