/**
 * The module's self-tests: known answers from published sources, each able to fail. What unlocking
 * needs runs at every start; Argon2id before the first passphrase (seals.ts); all of them on demand. A
 * test that is not met ends in MODULE_FAILED, and the caller moves the module to the state `failed`.
 */

import { argon2idTests } from './self-tests/argon2id.ts'
import { generatorTests } from './self-tests/generator.ts'
import { type KnownAnswer, runKnownAnswers } from './self-tests/known-answer.ts'
import { unlockingTests } from './self-tests/unlocking.ts'

/** What must be met before the module answers anything. */
export const startTests: readonly KnownAnswer[] = [...unlockingTests, ...generatorTests]

const allTests: readonly KnownAnswer[] = [...startTests, ...argon2idTests]

/** Answers the number of tests, all of which were met. @throws HsmError MODULE_FAILED */
export function runSelfTests(rows: readonly KnownAnswer[] = allTests): Promise<number> {
  return runKnownAnswers(rows)
}
