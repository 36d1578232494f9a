/**
 * The known answer of Argon2id, RFC 9106 section 5.3. It takes memory and the thread pool, so it runs
 * before the first passphrase and on demand, not at start.
 */

import { argon2 } from 'node:crypto'
import { hex, type KnownAnswer } from './known-answer.ts'

export const argon2idTests: readonly KnownAnswer[] = [
  {
    name: 'Argon2id, RFC 9106 section 5.3',
    run: () =>
      new Promise((resolve, reject) => {
        const parameters = {
          message: Buffer.alloc(32, 1),
          nonce: Buffer.alloc(16, 2),
          secret: Buffer.alloc(8, 3),
          associatedData: Buffer.alloc(12, 4),
          parallelism: 4,
          tagLength: 32,
          memory: 32,
          passes: 3,
        }
        argon2('argon2id', parameters, (error, tag) => (error ? reject(error) : resolve(tag)))
      }),
    expected: hex('0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659'),
  },
]
