/**
 * The test case of draft-mcgrew-tss-03 section 9: two shares that give a known secret. It runs before the
 * first splitting and the first rebuilding.
 */

import { Secret } from '../secret.ts'
import { combine } from '../shamir.ts'
import { hex, type KnownAnswer } from './known-answer.ts'

export const shamirTests: readonly KnownAnswer[] = [
  {
    name: "Shamir's secret sharing, draft-mcgrew-tss-03 section 9",
    run: () => {
      const shares = ['b9fa07e185', 'f5409b4511'].map((share, position) => ({
        index: position + 1,
        share: new Secret(hex(share)),
      }))
      using secret = combine(shares, 2)
      return secret.expose((bytes) => Buffer.from(bytes))
    },
    expected: hex('7465737400'),
  },
]
