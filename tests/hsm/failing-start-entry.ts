/** The module with a self-test that is not met before the door opens. */

import { runModule } from '../../src/hsm/run.ts'
import { allTests } from '../../src/hsm/self-tests.ts'

const tests = allTests.map((test) =>
  test.name.startsWith('HKDF-SHA-256,') ? { ...test, expected: Buffer.alloc(42) } : test,
)

await runModule({ selfTests: { tests } })
