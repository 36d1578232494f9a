/**
 * The ciphertext format: the vectors of docs/formats/ciphertext.json are opened with what the
 * specification says and node:crypto alone, and any bytes decode or are refused in one way.
 */

import assert from 'node:assert/strict'
import { createDecipheriv } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { AlgorithmName } from '../../hsm/contract/algorithms.ts'
import { parseKeyId } from '../../hsm/contract/keys.ts'
import { decodeEnvelope, encodeContext, encodeEnvelope, encodePrefix } from './ciphertext.ts'

interface Vector {
  readonly keyBytes: string
  readonly key: string
  readonly version: number
  readonly algorithm: AlgorithmName
  readonly context: Readonly<Record<string, string>>
  readonly encodedContext: string
  readonly plaintext: string
  readonly ciphertext: string
}

const file = path.join(import.meta.dirname, '../../../docs/formats/ciphertext.json')
const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly vectors: readonly Vector[]
}
const hex = (text: string) => Buffer.from(text, 'hex')

suite('docs/formats/ciphertext.json', () => {
  for (const vector of vectors) {
    const bytes = hex(vector.ciphertext)
    test('opens by the text of the specification', () => {
      const prefix = bytes.subarray(0, 23)
      const nonce = bytes.subarray(24, 24 + (bytes[23] ?? 0))
      const sealed = bytes.subarray(24 + nonce.length)
      const decipher = createDecipheriv('aes-256-gcm', hex(vector.keyBytes), nonce)
      decipher.setAAD(Buffer.concat([prefix, hex(vector.encodedContext)]))
      decipher.setAuthTag(sealed.subarray(-16))
      const plaintext = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()])
      assert.equal(plaintext.toString('hex'), vector.plaintext)
    })

    test('is what the code reads and writes', () => {
      const { key, version, algorithm, nonce, ciphertext } = decodeEnvelope(bytes)
      assert.deepEqual(
        { key, version, algorithm },
        { key: vector.key, version: vector.version, algorithm: vector.algorithm },
      )
      const prefix = encodePrefix({ key: parseKeyId(vector.key), version, algorithm })
      assert.deepEqual(encodeEnvelope(prefix, { iv: nonce, ciphertext }), bytes)
      assert.deepEqual(encodeContext(vector.context), hex(vector.encodedContext))
    })
  }
})

suite('context', () => {
  const contexts = fc.dictionary(fc.string({ minLength: 1, maxLength: 9 }), fc.string(), {
    maxKeys: 6,
    noNullPrototype: true,
  })

  test('the order of the pairs does not matter', () => {
    fc.assert(
      fc.property(contexts, (context) => {
        const turned = Object.fromEntries(Object.entries(context).reverse())
        assert.deepEqual(encodeContext(turned), encodeContext(context))
      }),
    )
  })

  test('two contexts never have the same bytes', () => {
    fc.assert(
      fc.property(contexts, contexts, (one, other) => {
        const sorted = (context: object) =>
          Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1))
        fc.pre(JSON.stringify(sorted(one)) !== JSON.stringify(sorted(other)))
        assert.notDeepEqual(encodeContext(one), encodeContext(other))
      }),
    )
  })

  test('too many pairs, too many bytes, an empty name and half a character are refused', () => {
    const many = Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`name${index}`, '']))
    for (const context of [many, { name: 'x'.repeat(8_192) }, { '': 'x' }, { name: '\ud800' }]) {
      assert.throws(() => encodeContext(context), { code: 'ARGUMENT_INVALID' })
    }
  })
})

test('any bytes decode or are CIPHERTEXT_INVALID', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      bytes[0] = 1
      try {
        decodeEnvelope(bytes)
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, 'CIPHERTEXT_INVALID')
      }
    }),
  )
})
