/** X-Wing's private half against the test vectors of its draft. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { hex, readText } from '../../../tests/vectors/files.ts'
import { XWingPrivateKey } from './x-wing.ts'

interface Case {
  readonly seed: string
  readonly sharedSecret: string
  readonly publicKey: string
  readonly ciphertext: string
}
const { cases } = JSON.parse(readText('x-wing/x-wing.json')) as { readonly cases: readonly Case[] }

suite('draft-connolly-cfrg-xwing-kem, appendix C', () => {
  for (const { seed, sharedSecret, publicKey, ciphertext } of cases) {
    const key = new XWingPrivateKey(hex(seed))

    test(`seed ${seed.slice(0, 8)}: the public key, and the shared secret of a ciphertext`, () => {
      assert.equal(key.publicKey.toString('hex'), publicKey)
      const bytes = hex(ciphertext)
      const shared = key.decapsulate(bytes.subarray(0, 1_088), bytes.subarray(1_088))
      assert.equal(shared.toString('hex'), sharedSecret)
    })

    test(`seed ${seed.slice(0, 8)}: an X25519 key of small order is refused`, () => {
      const bytes = hex(ciphertext)
      assert.throws(() => key.decapsulate(bytes.subarray(0, 1_088), Buffer.alloc(32)))
    })
  }
})
