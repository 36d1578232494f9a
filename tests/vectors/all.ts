/** Every published case, from all sources, in one sequence. */

import { acvpCases } from './acvp.ts'
import { c2spCases } from './c2sp.ts'
import type { VectorCase } from './case.ts'
import { cavpCases } from './cavp.ts'
import { hpkeCases } from './hpke.ts'
import { wycheproofCases } from './wycheproof.ts'

export function* allCases(): Generator<VectorCase> {
  yield* c2spCases()
  yield* cavpCases()
  yield* acvpCases()
  yield* wycheproofCases()
  yield* hpkeCases()
}
