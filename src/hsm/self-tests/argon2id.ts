/**
 * A known answer of Argon2id, from the tests of its reference implementation (phc-winner-argon2,
 * src/test.c): those of RFC 9106 take four lanes, and so threads, which the wall refuses. It takes
 * memory and the thread pool, so it runs before the first passphrase and on demand, not at start.
 */

import { argon2 } from 'node:crypto'
import { hex, type KnownAnswer } from './known-answer.ts'

export const argon2idTests: readonly KnownAnswer[] = [
  {
    name: 'Argon2id, reference implementation, 256 KiB, 2 passes, 1 lane',
    run: () =>
      new Promise((resolve, reject) => {
        const parameters = {
          message: Buffer.from('password'),
          nonce: Buffer.from('somesalt'),
          parallelism: 1,
          tagLength: 32,
          memory: 256,
          passes: 2,
        }
        argon2('argon2id', parameters, (error, tag) => (error ? reject(error) : resolve(tag)))
      }),
    expected: hex('9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe'),
  },
]
