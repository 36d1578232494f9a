/**
 * The start-up tests of the noise sources once more (SP 800-90B section 4.3, on demand and from time to
 * time): one healthy source has to be there. Before the first random byte they run by themselves.
 */

import { testSources } from '../random.ts'
import { hex, type KnownAnswer } from './known-answer.ts'

export const noiseTests: readonly KnownAnswer[] = [
  {
    name: 'noise sources, start-up tests of SP 800-90B section 4.3',
    run: () => Buffer.from([Number(testSources())]),
    expected: hex('01'),
  },
]
