/**
 * docs/formats/attestation.json, read with what the specification says and node:crypto alone, and by the
 * code: a change of the format fails here.
 */

import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import {
  encodeSigned,
  openDomainStatement,
  verifyAttestation,
} from '../../src/hsm/contract/attestation.ts'

const file = path.join(import.meta.dirname, '../../docs/formats/attestation.json')
const vector = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly seeds: { readonly ed25519: string; readonly mlDsa65: string }
  readonly nonce: string
  readonly module: string
  readonly key: string
  readonly domain: string
}
const kinds = ['module', 'key', 'domain'] as const
const ed25519Seed = Buffer.from(vector.seeds.ed25519, 'hex')
const mlDsaSeed = Buffer.from(vector.seeds.mlDsa65, 'hex')
const keys: Readonly<Record<string, KeyObject>> = {
  ed25519: createPublicKey(
    createPrivateKey({ key: ed25519Seed, format: 'raw-private', asymmetricKeyType: 'ed25519' }),
  ),
  mlDsa65: createPublicKey(
    createPrivateKey({ key: mlDsaSeed, format: 'raw-seed', asymmetricKeyType: 'ml-dsa-65' }),
  ),
}

suite('docs/formats/attestation.json by the text alone', () => {
  for (const kind of kinds) {
    test(kind, () => {
      const text = vector[kind]
      assert(text.startsWith('{"signatures":{"ed25519":"') && text.endsWith('}\n'))
      const mark = '},"statement":'
      const statement = Buffer.from(text.slice(text.indexOf(mark) + mark.length, -2))
      const { signatures } = JSON.parse(text)
      assert.deepEqual(Object.keys(signatures), ['ed25519', 'mlDsa65'])
      for (const [name, key] of Object.entries(keys)) {
        assert(verify(null, statement, key, Buffer.from(signatures[name], 'base64')), name)
      }
      const names = Object.keys(JSON.parse(statement.toString()))
      assert.deepEqual(names, names.toSorted(), 'members in the order of their code units')
    })
  }

  test('the statement of the domain has the keys that signed', () => {
    const [member] = JSON.parse(vector.domain).statement.members
    for (const [name, key] of Object.entries(keys)) {
      const raw: Buffer = key.export({ format: 'raw-public' })
      assert.equal(raw.toString('hex'), member[name])
    }
  })
})

suite('docs/formats/attestation.json by the code', () => {
  test('what is read and written again is the same', () => {
    const domain = openDomainStatement(Buffer.from(vector.domain))
    for (const kind of ['module', 'key'] as const) {
      const statement = verifyAttestation(Buffer.from(vector[kind]), domain, vector.nonce)
      const { signatures } = JSON.parse(vector[kind])
      assert.equal(encodeSigned(statement, signatures).toString(), vector[kind])
    }
    const { signatures } = JSON.parse(vector.domain)
    assert.equal(encodeSigned(domain, signatures).toString(), vector.domain)
  })
})
